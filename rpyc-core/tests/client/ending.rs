//! What may happen while a connection ends, and while a request begins.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use rpyc_core::channel::{MemoryStream, Stream, memory_pair};
use rpyc_core::object::IdParts;
use rpyc_core::*;

use crate::objects::{PATIENCE, client_of, everything};

/// Uses its connection while it is shut down, as a stream may that writes its last words.
struct Talkative {
    stream: MemoryStream,
    connection: OnceLock<WeakConnection>,
    told: Mutex<std::sync::mpsc::Sender<bool>>,
}

impl Stream for Talkative {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(slices)
    }

    fn shutdown(&self) {
        let connection = self.connection.get().and_then(WeakConnection::upgrade);
        let closed = connection.is_some_and(|connection| connection.is_closed());
        let _ = self.told.lock().expect("no panic").send(closed);
        self.stream.shutdown();
    }
}

/// A TLS stream's shutdown, which locks and writes, ran under the connection's lock.
#[test]
fn the_stream_is_shut_down_outside_of_the_connection_s_lock() {
    type Ending = fn(&Connection, MemoryStream);
    let endings: [(&str, Ending); 3] = [
        ("by this side", |connection, there| {
            drop(there);
            let _ = connection.close();
        }),
        ("by the peer", |connection, there| {
            there.shutdown();
            connection.serve_all();
        }),
        ("by its last handle", |_, there| drop(there)),
    ];
    for (what, end) in endings {
        let (here, there) = memory_pair();
        let (told, shut_down) = channel();
        let stream = Arc::new(Talkative {
            stream: here,
            connection: OnceLock::new(),
            told: Mutex::new(told),
        });
        let connection = Connection::over(stream.clone(), Arc::new(VoidService), Config::default());
        let connection = connection.expect("open");
        let _ = stream.connection.set(connection.downgrade());
        thread::spawn(move || end(&connection, there));
        let closed = shut_down.recv_timeout(PATIENCE);
        assert_eq!(closed, Ok(true), "{what}");
    }
}

/// Can't be told from any other object, because it panics when it is asked.
struct Nameless;

impl Object for Nameless {
    fn id_parts(&self) -> IdParts {
        panic!("as asked")
    }
}

/// The place that the wait had taken already stayed taken.
#[test]
fn a_panic_of_an_argument_leaves_no_wait_behind() {
    let mut config = Config::default();
    config.bind_threads = true;
    let (conn, _) = client_of(everything(), config.clone(), config);
    let root = conn.root().expect("a root");
    let call = || root.call_method("echo", args![Any::object(Nameless)]);
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert!(!conn.awaits_peer());
    let echo = root.call_method("echo", args![7]).expect("an echo");
    assert_eq!(echo.as_value(), Some(&Value::from(7)));
    conn.close().expect("closed");
}
