//! Servers that want more of a client than it gives.

use std::io::Cursor;

use rpyc_classic::{ClassicConnection, Stdio, TransferError, connect};
use rpyc_core::Any;
use rpyc_core::object::Function;
use rpyc_tests::deadline::{PATIENCE, within};
use tempfile::TempDir;

use crate::servers::Sink;
use rpyc_tests::python_server::PythonServer;

/// A server whose `eval` turns on its client.
const CURIOUS: &str = "
from rpyc.core import consts, netref
class Curious(SlaveService):
    def eval(self, text):
        conn = self._conn
        function = self.namespace['function']
        attempts = {
            'getmodule': lambda: conn.root.getmodule('os'),
            'eval': lambda: conn.root.eval('1'),
            'execute': lambda: conn.root.execute('1'),
            'namespace': lambda: conn.root.namespace,
            'modules': lambda: conn.root.getconn().modules.sys,
            'class': lambda: object.__getattribute__(conn, 'sync_request')(consts.HANDLE_GETATTR, conn.root, '__class__'),
            'set': lambda: setattr(conn.root, 'exposed_x', 1),
            'delete': lambda: delattr(conn.root, 'exposed_x'),
            'pickle root': lambda: conn.sync_request(consts.HANDLE_PICKLE, conn.root, 4),
            'pickle': lambda: conn.sync_request(consts.HANDLE_PICKLE, function, 4),
            'globals': lambda: conn.sync_request(consts.HANDLE_GETATTR, function, '__globals__'),
            'code': lambda: conn.sync_request(consts.HANDLE_GETATTR, function, '__code__'),
            'set on function': lambda: conn.sync_request(consts.HANDLE_SETATTR, function, '__name__', 'x'),
        }
        got = []
        for name, attempt in attempts.items():
            try:
                attempt()
            except (AttributeError, ValueError, TypeError):
                continue
            got.append(name)
        assert function() == 'called'
        return tuple(got)
Curious";

#[test]
fn a_server_gets_nothing_that_it_was_not_given() {
    let server = PythonServer::of(CURIOUS);
    within(PATIENCE, "the session", move || {
        let conn = connect(server.address()).expect("a connection");
        let function = Function::new("function", |_, _| Ok(Any::from("called")));
        let names = conn.namespace().expect("the namespace");
        names.set("function", Any::object(function)).expect("set");
        let got = conn.eval("attack").expect("an answer");
        assert_eq!(got.extract::<Vec<String>>().expect("names"), [""; 0]);
        conn.close().expect("a clean end");
    });
}

/// Changes what the client's own code at the server says.
fn corrupt(conn: &ClassicConnection, function: &str, code: &str) {
    let script = format!(
        "import gc
found = [each for each in gc.get_objects() if isinstance(each, dict) and each.get('__name__') == '<rpyc client>' and 'entries' in each]
assert found
for each in found:
    exec({code:?}, each)
    assert {function:?} in each"
    );
    conn.execute(&script).expect("executed");
}

#[test]
fn a_download_writes_nothing_outside_of_its_directory() {
    let server = PythonServer::start();
    within(PATIENCE, "the session", move || {
        for name in [
            "../escaped",
            "/tmp/rpyc-escaped",
            "..",
            "a/../../escaped",
            "",
        ] {
            let conn = connect(server.address()).expect("a connection");
            let folder = TempDir::new().expect("a folder");
            let target = folder.path().join("target");
            // So that the helper is there.
            conn.download("/etc/hostname", folder.path().join("x"))
                .expect("downloaded");
            let code = format!(
                "def entries(path): return iter([({name:?}.encode(), b'/etc/hostname', 'file', 3)])"
            );
            corrupt(&conn, "entries", &code);
            let outcome = conn.download("/etc", &target);
            assert!(
                matches!(outcome, Err(TransferError::Name(_))),
                "{name}: {outcome:?}"
            );
            assert!(!folder.path().join("escaped").exists());
        }
    });
}

#[test]
fn a_file_without_end_and_directories_without_end_meet_the_limits() {
    let server = PythonServer::start();
    within(PATIENCE, "the session", move || {
        let conn = connect(server.address()).expect("a connection");
        let folder = TempDir::new().expect("a folder");
        let limited = || {
            rpyc_classic::Transfer::new(&conn)
                .max_bytes(1_000_000)
                .max_entries(1000)
        };
        let outcome = limited().download("/dev/zero", folder.path().join("zero"));
        assert!(
            matches!(outcome, Err(TransferError::NothingToCopy(_))),
            "{outcome:?}"
        );
        corrupt(
            &conn,
            "open_file",
            "def open_file(path, position, other): return open('/dev/zero', 'rb')",
        );
        let outcome = limited().download("/etc/hostname", folder.path().join("zero"));
        assert!(
            matches!(outcome, Err(TransferError::Limit { what: "bytes", .. })),
            "{outcome:?}"
        );
        // It has ten bytes, it said.
        corrupt(
            &conn,
            "kind_and_size",
            "def kind_and_size(path, real=kind_and_size):
    return ('file', 10) if path == b'/etc/hostname' else real(path)",
        );
        let endless = folder.path().join("endless");
        let outcome = conn.download("/etc/hostname", &endless);
        let Err(TransferError::Longer {
            announced, limit, ..
        }) = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!(announced, 10);
        assert!(!endless.exists(), "it isn't whole");
        let part = folder.path().join(".endless.rpyc-part");
        let written = std::fs::metadata(part).expect("the beginning").len();
        assert!(written <= limit && limit < 5 << 20, "{written} of {limit}");
        corrupt(
            &conn,
            "entries",
            "def entries(path):
    number = 0
    while True:
        number += 1
        yield b'%d' % number, b'/etc', 'other', 0",
        );
        let outcome = limited().download("/etc", folder.path().join("wide"));
        assert!(
            matches!(
                outcome,
                Err(TransferError::Limit {
                    what: "files and directories",
                    ..
                })
            ),
            "{outcome:?}"
        );
        corrupt(
            &conn,
            "entries",
            "def entries(path): return iter([(b'd', b'/etc', 'dir', 0)])",
        );
        // It doesn't say that it is the same one again and again.
        corrupt(
            &conn,
            "real_path",
            "def real_path(path, asked=[]):
    asked.append(path)
    return b'%d' % len(asked)",
        );
        let outcome = limited().download("/etc", folder.path().join("deep"));
        assert!(
            matches!(
                outcome,
                Err(TransferError::Limit {
                    what: "directories within each other",
                    ..
                })
            ),
            "{outcome:?}"
        );
        corrupt(
            &conn,
            "open_file",
            "class Greedy:
    def read(self, size): return b'x' * (size + 1)
def open_file(path, position, other): return Greedy()",
        );
        let outcome = limited().download("/etc/hostname", folder.path().join("more"));
        assert!(
            outcome
                .is_err_and(|error| error.to_string().contains("more bytes than were asked for"))
        );
        assert_eq!(
            conn.eval("1")
                .expect("it still works")
                .extract::<i64>()
                .expect("a number"),
            1
        );
    });
}

#[test]
fn streams_are_of_no_use_to_a_server_once_they_are_taken_back() {
    let server = PythonServer::start();
    within(PATIENCE, "the session", move || {
        let conn = connect(server.address()).expect("a connection");
        let out = Sink::default();
        let stdio = Stdio::new()
            .stdin(Cursor::new("one\ntwo\n"))
            .stdout(out.clone());
        let redirected = conn.redirect_stdio(stdio).expect("redirected");
        conn.execute("import sys\ninput_, output = sys.stdin.rpyc_client, sys.stdout.rpyc_client\nfirst = input()").expect("executed");
        redirected.restore().expect("restored");
        for late in ["input_.readline()", "output.write(b'late')"] {
            let error = conn.eval(late).expect_err("refused");
            assert!(
                error
                    .as_remote()
                    .is_some_and(|raised| raised.is("ValueError")),
                "{error}"
            );
        }
        assert_eq!(out.text(), "");
        let refused = conn.eval("output.no_such_thing").expect_err("refused");
        assert!(
            refused
                .as_remote()
                .is_some_and(|raised| raised.is("AttributeError")),
            "{refused}"
        );
    });
}
