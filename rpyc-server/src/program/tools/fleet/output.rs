//! What a server prints: whole lines, and no more of them than it may.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use super::ending::Event;
use super::screen::{Screen, Stream};

/// How much a server may still print.
#[derive(Debug)]
pub(super) struct Allowance {
    number: usize,
    left: AtomicU64,
    is_exceeded: AtomicBool,
    events: Sender<Event>,
}

impl Allowance {
    pub(super) fn new(number: usize, left: u64, events: Sender<Event>) -> Allowance {
        Allowance {
            number,
            left: AtomicU64::new(left),
            is_exceeded: AtomicBool::new(false),
            events,
        }
    }

    /// Takes so much, or what is left.
    fn take(&self, wanted: u64) -> u64 {
        let taken = |left: u64| Some(left.saturating_sub(wanted));
        let (before, relaxed) = (&self.left, Ordering::Relaxed);
        let before = before.fetch_update(relaxed, relaxed, taken);
        wanted.min(before.unwrap_or_else(|left| left))
    }

    /// That the server wanted more is told once.
    fn exceed(&self) {
        if !self.is_exceeded.swap(true, Ordering::Relaxed) {
            // Nobody listens any more once the fleet has ended.
            let _ = self.events.send(Event::Exceeded(self.number));
        }
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }
}

/// A writer of lines to the screen. What isn't a line yet is shown when it is dropped.
#[derive(Debug)]
pub(super) struct Lines {
    screen: Arc<Screen>,
    allowance: Arc<Allowance>,
    stream: Stream,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn new(screen: Arc<Screen>, allowance: Arc<Allowance>, stream: Stream) -> Lines {
        Lines {
            screen,
            allowance,
            stream,
            line: Vec::new(),
        }
    }

    fn show(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.screen.line(self.allowance.number, self.stream, &line);
    }

    fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (mut rest, ends) = match part.strip_suffix(b"\n") {
                Some(rest) => (rest, true),
                None => (part, false),
            };
            while self.line.len() + rest.len() > MAX_LINE {
                let (now, later) = rest.split_at(MAX_LINE - self.line.len());
                self.line.extend_from_slice(now);
                self.show();
                rest = later;
            }
            self.line.extend_from_slice(rest);
            if ends {
                self.show();
            }
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let taken = usize::try_from(self.allowance.take(bytes.len() as u64));
        let taken = taken.unwrap_or(bytes.len()).min(bytes.len());
        self.push(&bytes[..taken]);
        if taken == 0 {
            self.allowance.exceed();
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the client takes no more output (--max-output)",
            ));
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.show();
        }
    }
}

/// A longer line is shown in parts, so that a server without line breaks is heard, and takes no memory.
const MAX_LINE: usize = 64 << 10;
