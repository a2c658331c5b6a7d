//! A pair of streams inside the process: examples and tests need no sockets.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stream::{Stream, Timeouts, within_timeouts};
use crate::sync::{Condvar, Mutex, MutexGuard, wait};

/// One end of a pair made by [`memory_pair`].
pub struct MemoryStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    timeouts: Timeouts,
}

/// Two ends of one stream: what is written at one end is read at the other.
///
/// A direction holds 64 KiB at the most; a writer that is further ahead blocks, as with a socket.
pub fn memory_pair() -> (MemoryStream, MemoryStream) {
    let (there, back) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let end = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| MemoryStream {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
        timeouts: Timeouts::default(),
    };
    (end(&there, &back), end(&back, &there))
}

#[derive(Default)]
struct Pipe {
    state: Mutex<PipeState>,
    changed: Condvar,
}

#[derive(Default)]
struct PipeState {
    bytes: VecDeque<u8>,
    closed: bool,
}

impl Pipe {
    fn read(&self, buffer: &mut [u8], timeout: Option<Duration>) -> io::Result<usize> {
        let mut state =
            self.wait_while(timeout, |state| state.bytes.is_empty() && !state.closed)?;
        if state.bytes.is_empty() {
            return Ok(0);
        }
        let count = io::Read::read(&mut state.bytes, buffer)?;
        self.changed.notify_all();
        Ok(count)
    }

    fn write(&self, slices: &[IoSlice<'_>], timeout: Option<Duration>) -> io::Result<usize> {
        let is_full = |state: &PipeState| state.bytes.len() >= CAPACITY && !state.closed;
        let mut state = self.wait_while(timeout, is_full)?;
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut room = CAPACITY - state.bytes.len();
        let mut written = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            state.bytes.extend(part);
            room -= part.len();
            written += part.len();
        }
        self.changed.notify_all();
        Ok(written)
    }

    fn wait_while(
        &self,
        timeout: Option<Duration>,
        must_wait: impl Fn(&PipeState) -> bool,
    ) -> io::Result<MutexGuard<'_, PipeState>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        while must_wait(&state) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state = wait(&self.changed, state, left);
        }
        Ok(state)
    }

    fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}

impl MemoryStream {
    fn read_within(&self, buffer: &mut [u8], timeout: Option<Duration>) -> io::Result<usize> {
        self.incoming.read(buffer, timeout)
    }

    fn write_within(&self, slices: &[IoSlice<'_>], timeout: Option<Duration>) -> io::Result<usize> {
        self.outgoing.write(slices, timeout)
    }
}

impl Stream for MemoryStream {
    within_timeouts!();

    fn shutdown(&self) {
        self.incoming.close();
        self.outgoing.close();
    }

    fn peer_label(&self) -> String {
        "this process".to_owned()
    }
}

impl Drop for MemoryStream {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for MemoryStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStream")
    }
}

const CAPACITY: usize = 64 * 1024;
