//! The end of a connection whose handler serves it: nobody waits for the other.

use std::time::Duration;

use rpyc_core::{Config, Connector, Context, args, service};
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
