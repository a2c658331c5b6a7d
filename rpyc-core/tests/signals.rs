//! No write to a peer that has gone raises SIGPIPE, which ends a program that leaves the signal at its default.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a failed setup fails the test

use std::io::IoSlice;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rpyc_core::transport::{PipeStream, Stream};

/// Far more than a loopback needs to tell that the other end is closed.
const PATIENCE: Duration = Duration::from_secs(30);

fn tcp() -> (Box<dyn Stream>, Box<dyn Send>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (Box::new(ours), Box::new(theirs))
}

fn unix() -> (Box<dyn Stream>, Box<dyn Send>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Box::new(ours), Box::new(theirs))
}

fn pipes() -> (Box<dyn Stream>, Box<dyn Send>) {
    let (input, theirs_out) = std::io::pipe().unwrap();
    let (theirs_in, output) = std::io::pipe().unwrap();
    let stream = PipeStream::new(input, output).unwrap();
    (Box::new(stream), Box::new((theirs_in, theirs_out)))
}

type Write = fn(&dyn Stream) -> std::io::Result<usize>;

#[test]
fn a_peer_that_has_gone_is_an_error_and_no_signal() {
    let raised = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(13, raised.clone()).unwrap();
    let streams = [
        ("TCP", tcp as fn() -> (Box<dyn Stream>, Box<dyn Send>)),
        ("Unix", unix),
        ("pipes", pipes),
    ];
    let one: Write = |stream| stream.write_vectored(&[IoSlice::new(b"x")]);
    let two: Write = |stream| stream.write_vectored(&[IoSlice::new(b"x"), IoSlice::new(b"y")]);
    let within: Write = |stream| stream.try_write(b"x", Duration::from_millis(100));
    let writes = [("write", one), ("writev", two), ("try_write", within)];
    for (kind, connect) in streams {
        for (how, write) in writes {
            let (stream, theirs) = connect();
            drop(theirs);
            let end = Instant::now() + PATIENCE;
            // What is on its way when the other end closes is taken without an error.
            while write(&*stream).is_ok() {
                assert!(Instant::now() < end, "{kind}, {how}: no end");
            }
            assert!(!raised.load(Ordering::SeqCst), "{kind}, {how}: SIGPIPE");
        }
    }
}
