//! Threads that wait until the peer has read what was sent to it.

use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::dispatch::outbox::{CONGESTED, Outbox};
use crate::transport::Stream;
use crate::wire::Limits;

/// Takes one write, behind which there is more to be written; takes that when the gate is open.
struct Sink {
    outbox: Arc<Outbox>,
    is_first: AtomicBool,
    gate: Gate,
}

impl Stream for Sink {
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn read_ready(&self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.is_first.swap(false, Ordering::SeqCst) {
            true => append(&self.outbox, b"more"),
            false => self.gate.pass(),
        }
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn shutdown(&self) {}
}

fn append(outbox: &Outbox, payload: &'static [u8]) {
    let appended = outbox.append(|frames| {
        frames.begin();
        frames.put_shared(&Bytes::from_static(payload));
        frames.finish(false, &Limits::default())
    });
    appended.expect("it isn't too large");
}

#[test]
fn who_waits_for_the_peer_to_read_is_told_of_each_write_and_of_the_end() {
    check(|| {
        let (outbox, gate) = (Arc::new(Outbox::new(true)), Gate::default());
        append(&outbox, &[0; CONGESTED]);
        let sink = Sink {
            outbox: outbox.clone(),
            is_first: AtomicBool::new(true),
            gate: gate.clone(),
        };
        let writer = {
            let outbox = outbox.clone();
            thread::spawn(move || outbox.flush(&sink).expect("nothing fails"))
        };
        while !outbox.is_writing() {
            thread::yield_now();
        }
        let below = |limit| {
            let outbox = outbox.clone();
            thread::spawn(move || outbox.wait_below(limit, None))
        };
        below(CONGESTED).join().expect("the first write has ended");
        let waiting = below(0);
        outbox.close();
        waiting.join().expect("the connection has ended");
        gate.open();
        writer.join().expect("it ends");
    });
}
