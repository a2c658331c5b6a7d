//! A client that is a classic server at the same time, to the server that it is connected to.

use std::sync::Arc;

use rpyc_classic::{ClassicConnection, SlaveOptions, SlaveService};
use rpyc_classic::{Evaluator, EvaluatorOptions};
use rpyc_core::Connector;
use rpyc_rustpython::RustPython;
use rpyc_tests::Server;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::python_server::PythonServer;

use crate::client::eventually;

#[test]
fn code_of_either_side_works_in_the_other() {
    rpyc_tests::server::binary();
    within(2 * PATIENCE, "the session", || {
        let engine = RustPython::start(EvaluatorOptions::default()).expect("an interpreter");
        let connect = |address: std::net::SocketAddr| {
            let service = SlaveService::new(&*engine, SlaveOptions::default());
            let connector = Connector::new()
                .service(Arc::new(service))
                .timeout(Some(PATIENCE));
            let conn = connector.connect(address).expect("a connection");
            ClassicConnection::new(conn).expect("classic")
        };
        let python =
            PythonServer::of("from rpyc.core.service import ClassicService\nClassicService");
        both_ways(&connect(python.address()));
        let ours = Server::start();
        both_ways(&connect(ours.address()));
        engine.stop();
    });
}

fn both_ways(conn: &ClassicConnection) {
    // There, with `client` as this side's connection over there.
    let there = conn
        .root()
        .call_method("getconn", rpyc_core::args![])
        .expect("its connection");
    conn.namespace()
        .and_then(|names| names.set("client", there))
        .expect("set");
    // Python's service fetches what it needs for that while it answers already.
    eventually("its side is ready", || {
        let ready = conn.eval("hasattr(client, 'builtin')").expect("an answer");
        ready.extract::<bool>().expect("a bool")
    });
    conn.execute(
        "version = client.modules.sys.version
client.execute('def double(x): return 2 * x')
doubled = list(map(client.eval('double'), [1, 2]))
client.namespace['here'] = len
counted = client.eval('here([1, 2, 3])')
joined = client.modules['os.path'].join('a', 'b')
try:
    client.eval('1 / 0')
except ZeroDivisionError as error:
    raised = True",
    )
    .expect("executed");
    let version = conn.eval("version").expect("a version");
    assert!(
        version
            .as_str()
            .is_some_and(|version| version.contains("RustPython"))
    );
    let found: (Vec<i64>, i64, String, bool) = conn
        .obtain(
            &conn
                .eval("(tuple(doubled), counted, joined, raised)")
                .expect("a tuple"),
        )
        .expect("values");
    assert_eq!(found, (vec![2, 4], 3, "a/b".to_owned(), true));
}
