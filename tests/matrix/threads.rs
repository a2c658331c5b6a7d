//! Rust and Python, both with `bind_threads` on.

use std::thread;

use rpyc_core::object::Function;
use rpyc_core::{Any, Config, Connection, Connector, Error, Netref, args};
use rpyc_tests::deadline::{PATIENCE, within};

use crate::servers::{PythonServer, Rpyc, RustServer};

const SERVER: &str = "
    from rpyc.utils.server import ThreadedServer

    class ThreadService(rpyc.Service):
        def exposed_here(self):
            return threading.get_ident()

        def exposed_call(self, function):
            there = threading.get_ident()
            result = function(there)
            assert threading.get_ident() == there
            return result

    server = ThreadedServer(ThreadService, hostname='127.0.0.1', port=0,
                            protocol_config={'bind_threads': True})
    listen(server)
    say('port %d' % server.port)
    server.start()
";

fn session(rpyc: Rpyc, work: fn(&Connection) -> Result<(), Error>) {
    // What it needs may have to be installed: that isn't timed.
    let server = PythonServer::of(rpyc, SERVER);
    within(PATIENCE, "the session", move || {
        let config = Config::new().bind_threads(true);
        let connector = Connector::new().config(config);
        let conn = connector.connect(("127.0.0.1", server.port()));
        let conn = conn.expect("a connection");
        work(&conn).unwrap_or_else(|error| panic!("{error} ({error:?})"));
        conn.close().expect("a clean end");
    });
}

/// Goes back and forth `depth` times; each side checks that it stays on its thread.
fn descend(root: &Netref, depth: u32) -> Result<u64, Error> {
    let me = thread::current().id();
    let inner = root.clone();
    let callback = Function::new("callback", move |_, args| {
        assert_eq!(thread::current().id(), me, "the callback runs elsewhere");
        let there: u64 = match args.positional.into_iter().next() {
            Some(there) => there.extract()?,
            None => 0,
        };
        let here = || inner.call_method("here", args![])?.extract::<u64>();
        assert_eq!(here()?, there, "the call beneath runs elsewhere");
        if depth > 0 {
            assert_eq!(descend(&inner, depth - 1)?, there);
        }
        assert_eq!(here()?, there);
        Ok(Any::from(there))
    });
    root.call_method("call", args![Any::object(callback)])?
        .extract()
}

#[test]
fn calls_and_callbacks_of_a_thread_stay_on_one_thread_at_either_side() {
    for rpyc in Rpyc::ALL {
        session(rpyc, stay_on_their_threads);
    }
}

fn stay_on_their_threads(conn: &Connection) -> Result<(), Error> {
    let Any::Netref(root) = conn.root()? else {
        panic!("no root");
    };
    let job = || -> Result<(), Error> {
        for _ in 0..50 {
            descend(&root, 3)?;
        }
        Ok(())
    };
    let outcomes = thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(job));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    outcomes.into_iter().collect()
}

#[test]
fn a_client_that_does_not_bind_threads_fails_on_a_server_that_does() {
    let server = PythonServer::of(Rpyc::Stock, SERVER);
    within(PATIENCE, "the refusal", move || {
        let conn = Connector::new().connect(("127.0.0.1", server.port()));
        let error = conn.and_then(|conn| conn.ping()).expect_err("misread");
        assert!(!error.to_string().is_empty());
    });
}

/// Threads of a client, each of which is called back on itself.
const CLIENT: &str = "
    conn = rpyc.connect(HOST, PORT, config={'bind_threads': True})
    root = conn.root

    def descend(depth):
        me = threading.get_ident()
        def back():
            assert threading.get_ident() == me
            return descend(depth - 1) if depth else threading.get_ident()
        same(root.call(back), me)
        return me

    failed = []
    def job():
        try:
            for _ in range(50):
                descend(3)
        except BaseException as error:
            failed.append(error)
            raise

    jobs = [threading.Thread(target=job) for _ in range(4)]
    for thread in jobs:
        thread.start()
    for thread in jobs:
        thread.join()
    assert not failed
    conn.close()
    print('all done')
";

#[test]
fn callbacks_reach_the_thread_of_a_python_client_that_called() {
    for rpyc in Rpyc::ALL {
        let server = RustServer::start();
        let script = rpyc.script(CLIENT).variable("PEER_HOST", "127.0.0.1");
        let outcome = script
            .variable("PEER_PORT", server.port().to_string())
            .outcome();
        assert_eq!(
            outcome.as_deref().map(str::trim),
            Ok("all done"),
            "{rpyc:?}"
        );
    }
}
