//! Connections that somebody watches who has others to see to, and peers that send a frame without
//! end, faster than it is read: whoever has no time to wait comes back.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rpyc_core::pool::{self, ReadinessObserver};
use rpyc_core::transport::Stream;
use rpyc_core::{Config, Connection, Error, VoidService};

use crate::objects::PATIENCE;

/// Sends a PING, after which frames may be large, and then the start of a frame of 200 MiB and
/// what is in it: each read is filled.
struct Endless {
    reads: Arc<AtomicUsize>,
}

impl Stream for Endless {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let before = self.reads.fetch_add(1, Ordering::SeqCst);
        if before == 0 {
            buffer[..PING.len()].copy_from_slice(PING);
            return Ok(PING.len());
        }
        buffer.fill(b'x');
        if before == 1 {
            buffer[..5].copy_from_slice(&[12, 128, 0, 0, 0]);
        }
        Ok(buffer.len())
    }

    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }

    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn shutdown(&self) {}
}

const PING: &[u8] = b"\0\0\0\n\0\x01\x11P\x11Q\x11Q\x10\x08\x01\n";

fn endless() -> Result<(Connection, Arc<AtomicUsize>), Error> {
    let reads = Arc::new(AtomicUsize::new(0));
    let stream = Endless {
        reads: reads.clone(),
    };
    let conn = Connection::open(stream, Arc::new(VoidService), Config::default())?;
    Ok((conn, reads))
}

#[test]
fn poll_without_time_takes_what_a_system_keeps_and_no_more() -> Result<(), Error> {
    let (conn, reads) = endless()?;
    assert!(conn.poll(Duration::ZERO)?);
    assert!(!conn.poll(Duration::ZERO)?);
    assert!((2..100).contains(&reads.load(Ordering::SeqCst)));
    Ok(())
}

/// Passes on what it is told.
struct Telling(Sender<Option<Duration>>);

impl ReadinessObserver for Telling {
    fn on_unread(&self, within: Option<Duration>) {
        // Nobody listens at the end of a test.
        let _ = self.0.send(within);
    }
}

fn telling() -> (Arc<Telling>, Receiver<Option<Duration>>) {
    let (tell, told) = channel();
    (Arc::new(Telling(tell)), told)
}

#[test]
fn who_takes_in_for_many_connections_gets_to_the_next_one() -> Result<(), Error> {
    let (conn, reads) = endless()?;
    pool::observe_readiness(&conn, telling().0);
    for _ in 0..2 {
        let before = reads.load(Ordering::SeqCst);
        assert!(pool::take_in(&conn), "the PING waits");
        let more = reads.load(Ordering::SeqCst) - before;
        assert!((2..100).contains(&more), "{more} reads");
    }
    Ok(())
}

#[test]
fn the_observer_is_told_of_an_end_that_the_stream_does_not_show() -> Result<(), Error> {
    let service = || Arc::new(VoidService);
    let (conn, _peer) =
        Connection::pair(service(), Config::default(), service(), Config::default())?;
    let (observer, told) = telling();
    pool::observe_readiness(&conn, observer);
    assert_ne!(told.try_recv(), Ok(Some(Duration::ZERO)), "it is open");
    let closer = conn.clone();
    std::thread::spawn(move || closer.shut_down(Duration::ZERO));
    while told.recv_timeout(PATIENCE).expect("an end") != Some(Duration::ZERO) {}
    assert!(pool::take_in(&conn), "its service is to be told");
    assert!(pool::serve_ready(&conn).is_some_and(|reason| reason.is_normal()));
    let (late, told_late) = telling();
    pool::observe_readiness(&conn, late);
    assert!(
        told_late
            .try_recv()
            .is_ok_and(|within| within == Some(Duration::ZERO))
    );
    assert_eq!(told.try_recv().ok(), None, "the end is told last");
    assert_eq!(told_late.try_recv().ok(), None, "the end is told last");
    Ok(())
}
