//! A peer within a session that never reads: whatever waits ends by its deadline, writes included.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rpyc_core::transport::{PipeStream, Stream, TlsServer, TlsStream};
use rpyc_core::wire::Handler;
use rpyc_core::{Any, Config, Connection, Exposed, Value, VoidService};
use rpyc_tests::certs::Authority;
use rpyc_tests::deadline::PATIENCE;

use crate::bench::{DemoService, HANDSHAKE, trusting};

/// More than the system takes for a stream.
const LARGE: usize = 16 << 20;
const SHORT: Duration = Duration::from_millis(300);

/// Both ends of a session, over a stream of each kind; the client's is first.
fn sessions() -> [(&'static str, TlsStream, TlsStream); 2] {
    let (here, there) = UnixStream::pair().expect("a pair");
    let (here, there) = session(here, there);
    let (from_there, to_here) = io::pipe().expect("a pipe");
    let (from_here, to_there) = io::pipe().expect("a pipe");
    let (inner, outer) = session(
        PipeStream::new(from_there, to_there).expect("a stream"),
        PipeStream::new(from_here, to_here).expect("a stream"),
    );
    [("a socket", here, there), ("pipes", inner, outer)]
}

fn session(here: impl Stream + 'static, there: impl Stream + 'static) -> (TlsStream, TlsStream) {
    let ca = Authority::new("authority");
    let identity = ca.server();
    let server = TlsServer::from_files(&identity.certificate, &identity.key, None);
    let server = server.expect("good files");
    let accepting = thread::spawn(move || server.accept(there, Some(HANDSHAKE)));
    let client = trusting(&ca).build().expect("good files");
    let here = client.connect(here, "localhost", Some(HANDSHAKE));
    let there = accepting.join().expect("no panic");
    (here.expect("a session"), there.expect("a session"))
}

/// Nothing but the wait's own deadline ends it.
fn config(timeout: Duration) -> Config {
    Config::new()
        .sync_request_timeout(timeout)
        .write_timeout(None)
        .max_first_frame(usize::MAX)
}

fn large() -> Vec<Any> {
    vec![Any::from(Value::from(vec![b'x'; LARGE]))]
}

#[test]
fn calls_and_closing_end_by_their_deadline_while_the_peer_reads_nothing() {
    for (kind, here, there) in sessions() {
        let (told, heard) = channel();
        thread::spawn(move || {
            let here = Connection::open(here, Arc::new(VoidService), config(SHORT)).expect("open");
            let call = here.sync_request(Handler::Ping, large());
            let behind_it = here.ping_with(1, Some(SHORT));
            let closing = here.close();
            drop(here);
            told.send((call, behind_it, closing)).expect("heard");
        });
        let outcome = heard.recv_timeout(PATIENCE);
        let (call, behind_it, closing) =
            outcome.unwrap_or_else(|_| panic!("over {kind}: it hangs"));
        let error = call.expect_err("nobody answers");
        assert!(error.is_timeout(), "over {kind}: {error}");
        let text = error.to_string();
        assert!(text.contains("PING") && text.contains("300"), "{text}");
        for outcome in [behind_it, closing] {
            let timed_out = outcome.as_ref().is_err_and(|error| error.is_timeout());
            assert!(timed_out, "over {kind}: {outcome:?}");
        }
        drop(there);
    }
}

#[test]
fn what_a_late_peer_reads_is_whole() {
    for (kind, here, there) in sessions() {
        let here = Connection::open(here, Arc::new(VoidService), config(SHORT)).expect("open");
        for _ in 0..3 {
            let call = here.sync_request(Handler::Ping, large());
            assert!(call.is_err_and(|error| error.is_timeout()), "over {kind}");
        }
        let service = Arc::new(Exposed::new(DemoService));
        let there = Connection::open(there, service, config(PATIENCE)).expect("open");
        let serving = thread::spawn(move || there.serve_all());
        let answered = here.ping_with(100_000, Some(PATIENCE));
        assert!(answered.is_ok(), "over {kind}: {answered:?}");
        drop(here);
        let reason = serving.join().expect("no panic");
        assert!(reason.is_normal(), "over {kind}: {reason}");
    }
}
