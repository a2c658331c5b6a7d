//! The end of a connection whose handler serves it: nobody waits for the other.

use std::time::Duration;

use rpyc_core::{Any, Config, Connector, Context, args, service};
use rpyc_tests::python_server::PythonServer;

use crate::serving::run;

struct ServingService;

#[service(module = "serving")]
impl ServingService {
    #[exposed]
    fn serve(&self, cx: &Context<'_>) {
        cx.connection().serve_all();
    }

    #[exposed]
    fn seven(&self) -> u32 {
        7
    }
}

/// Less than the time after which a CLOSE is answered in any case.
const IMPATIENT: Duration = Duration::from_secs(3);

#[test]
fn python_closes_while_our_handler_serves() {
    run(
        ServingService,
        "
        serving = rpyc.async_(root.serve)()
        # By the thread of that handler.
        same(root.seven(), 7)
        conn._config['sync_request_timeout'] = 3
        conn.close()
        assert conn.closed
        ",
    );
}

#[test]
fn we_close_while_pythons_handler_serves() {
    let server = PythonServer::of(
        "
class Serving(Service):
    def on_connect(self, conn):
        self.conn = conn
    def exposed_serve(self):
        self.conn.serve_all()
    def exposed_seven(self):
        return 7
Serving",
    );
    let config = Config::new().sync_request_timeout(Some(IMPATIENT));
    let connector = Connector::new().config(config);
    let conn = connector.connect(server.address()).expect("it listens");
    let root = conn.root().expect("a root");
    let serving = root.async_call_method("serve", args![]).expect("sent");
    let seven = root.call_method("seven", args![]).expect("an answer");
    assert_eq!(seven.extract::<u32>().expect("a number"), 7);
    conn.close().expect("the handler doesn't hold it up");
    assert!(serving.value().is_err());
}

struct CallingService;

#[service(module = "calling")]
impl CallingService {
    /// Calls the function so often, and says what came of it.
    #[exposed]
    fn run(&self, cx: &Context<'_>, function: Any, times: u32) -> String {
        let call = || match function.call_in(cx, args![]) {
            Ok(answer) => format!("{answer:?}"),
            Err(exception) => exception.class().to_string(),
        };
        (0..times).map(|_| call()).collect::<Vec<_>>().join(" ")
    }
}

/// The answer to the CLOSE waited for a request, which waited for the callback, which waited for that answer.
#[test]
fn python_closes_in_a_callback_of_its_own_request() {
    run(
        CallingService,
        "
        def closer(of):
            def close():
                of._config['sync_request_timeout'] = 3
                asked = of.sync_request
                def ask(*args):
                    try:
                        return asked(*args)
                    except TimeoutError:
                        late.append(args)
                        raise
                of.sync_request = ask
                of.close()
            return close
        late = []
        for times in 1, 3:
            for bound in False, True:
                conn = rpyc.connect(HOST, PORT, config={'bind_threads': bound})
                with raises(EOFError):
                    conn.root.run(closer(conn), times)
                assert conn.closed
                # One that is nested on another.
                conn = rpyc.connect(HOST, PORT, config={'bind_threads': bound})
                with raises(EOFError):
                    conn.root.run(lambda: conn.root.run(closer(conn), times), times)
                assert conn.closed
        same(late, [])
        ",
    );
}

#[test]
fn what_python_called_before_it_closes_is_called_back_and_done() {
    run(
        CallingService,
        "
        import time
        called = []
        def callback():
            # A request may be answered while this runs.
            time.sleep(0.1)
            called.append(True)
        for bound in False, True:
            conn = rpyc.connect(HOST, PORT, config={'bind_threads': bound})
            run = rpyc.async_(conn.root.run)
            answers = [run(callback, 2) for _ in range(3)]
            conn.close()
            same([answer.value for answer in answers], ['None None'] * 3)
            same(len(called), 6)
            called.clear()
        ",
    );
}
