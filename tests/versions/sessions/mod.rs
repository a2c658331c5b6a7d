//! Conversations of every version, recorded once and replayed since: without Python.
//!
//! `RPYC_RECORD_SESSIONS=1` makes them anew, see `docs/testing.md`. A line of a recording is a frame: `>` from the
//! client, `<` from the server, and its bytes.

mod conversation;
mod record;
mod replay;
mod said;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::thread;

use rpyc_core::transport::Stream;
use rpyc_core::wire::Dialect;
use rpyc_core::{Config, Connection, Exposed, Service};

use self::replay::Pace;
use self::said::{Frame, Sender};

/// Whose the two sides of a recording are.
const PYTHON_AND_PYTHON: &str = "python-python";
const PYTHON_AND_RUST: &str = "python-rust";
const RUST_AND_PYTHON: &str = "rust-python";

/// The recordings are made by the first test that wants them, where they are to be made anew.
static RECORDED: LazyLock<()> = LazyLock::new(|| {
    if std::env::var_os("RPYC_RECORD_SESSIONS").is_some() {
        record::all();
    }
});

/// Clients of each version that a Rust service or classic server has served once get the same again.
#[test]
fn recorded_clients_are_served_as_they_were() {
    let sessions = recordings(PYTHON_AND_RUST);
    assert!(sessions.len() >= 12, "only {}", sessions.len());
    for (name, frames) in sessions {
        let port = if name.contains("classic") {
            super::CLASSIC.address().port()
        } else {
            *super::SERVICE
        };
        replay::replay(&name, &frames, Sender::Client, connect(port), Pace::Frames);
    }
}

/// The same, when each byte arrives by itself.
#[test]
fn recorded_clients_are_served_byte_by_byte() {
    for (name, frames) in recordings(PYTHON_AND_RUST) {
        if name.contains("service") {
            let (ours, theirs) = socket_pair();
            let service: Arc<dyn Service> = Arc::new(Exposed::new(super::service::ShopService));
            let serving = thread::spawn(move || {
                let connection = Connection::open(Bytewise(theirs), service, Config::default());
                let connection = connection.unwrap_or_else(|error| panic!("{error}"));
                connection.serve_all();
                assert_eq!(connection.exported_objects(), 0);
            });
            replay::replay(&name, &frames, Sender::Client, ours, Pace::Frames);
            assert!(serving.join().is_ok(), "{name}");
        } else {
            let stream = connect(super::CLASSIC.address().port());
            replay::replay(&name, &frames, Sender::Client, stream, Pace::Bytes);
        }
    }
}

/// What servers of each version have answered a Rust client once means the same to it today, whole or in bytes.
#[test]
fn a_rust_client_understands_recorded_servers() {
    let sessions = recordings(RUST_AND_PYTHON);
    assert!(sessions.len() >= 12, "only {}", sessions.len());
    for (name, frames) in sessions {
        for pace in [Pace::Frames, Pace::Bytes] {
            let (server, client) = socket_pair();
            let replayed = thread::spawn({
                let (name, frames) = (name.clone(), frames.clone());
                move || replay::replay(&name, &frames, Sender::Server, server, pace)
            });
            let dialect = first_dialect(&frames);
            let outcome = conversation::with(&name, client, dialect);
            let replayed = replayed.join();
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(replayed.is_ok(), "{name}");
        }
    }
}

/// Whatever Python has said to Python is read, and written again as the same bytes.
#[test]
fn what_python_says_to_python_is_read_and_written_as_the_same() {
    let sessions = recordings(PYTHON_AND_PYTHON);
    assert!(sessions.len() >= 12, "only {}", sessions.len());
    for (name, frames) in sessions {
        said::is_written_as_it_was_read(&name, &frames);
    }
}

/// The recordings with these two sides, by name.
fn recordings(sides: &str) -> Vec<(String, Vec<Frame>)> {
    LazyLock::force(&RECORDED);
    let folder = folder();
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(sides))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let path = folder.join(&name);
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
            let frames = text.lines().map(Frame::from_line).collect();
            (name, frames)
        })
        .collect()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/sessions")
}

fn first_dialect(frames: &[Frame]) -> Dialect {
    let first = frames.first().map(Frame::payload).unwrap_or_default();
    Dialect::detect(&first).unwrap_or_else(|error| panic!("{error}"))
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|e| panic!("{port}: {e}"))
}

fn socket_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("bind: {e}"));
    let address = listener.local_addr().unwrap_or_else(|e| panic!("{e}"));
    let one = connect(address.port());
    let (other, _) = listener.accept().unwrap_or_else(|e| panic!("{e}"));
    (one, other)
}

/// A socket of which each read gives one byte.
struct Bytewise(TcpStream);

impl Stream for Bytewise {
    fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let one = buffer.len().min(1);
        Stream::read(&self.0, &mut buffer[..one])
    }
    fn read_ready(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read_ready(&mut buffer[..one])
    }
    fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
        Stream::set_read_timeout(&self.0, timeout)
    }
    fn write_vectored(&self, slices: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
        Stream::write_vectored(&self.0, slices)
    }
    fn shutdown(&self) {
        Stream::shutdown(&self.0);
    }
}
