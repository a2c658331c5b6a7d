//! The log lines of clients: when each comes and goes, and why one isn't let in.

use std::fmt;
use std::io::{PipeWriter, Write};
use std::time::{Duration, Instant};

use log::Level;
use parking_lot::Mutex;
use rpyc_core::transport::PeerAddr;

use crate::log_limiter::{self, Kind, LimitedLog, Line, LineRate, Noted};

/// Writes the lines of each source one by one up to a rate, and the number of the others.
#[derive(Debug)]
pub(super) struct ClientLog {
    log: Mutex<LimitedLog>,
    /// Has the accept loop call [`tick`](ClientLog::tick).
    wake: PipeWriter,
}

impl ClientLog {
    pub(super) fn new(wake: PipeWriter) -> ClientLog {
        ClientLog {
            log: Mutex::new(LimitedLog::new(SESSIONS)),
            wake,
        }
    }

    /// A client was refused.
    pub(super) fn refused(&self, peer: &PeerAddr, reason: &dyn fmt::Display) {
        let line = format!("client {peer} refused: {reason}");
        self.note(Kind::Refusal, Level::Warn, peer, &line);
    }

    /// A client comes, or goes.
    pub(super) fn session(
        &self,
        level: Level,
        name: &str,
        peer: &PeerAddr,
        what: fmt::Arguments<'_>,
    ) {
        let line = format!("{name} from {peer}: {what}");
        self.note(Kind::News, level, peer, &line);
    }

    /// Tells of what was held back long enough; says when to look again, if at all.
    pub(super) fn tick(&self, now: Instant) -> Option<Duration> {
        let mut log = self.log.lock();
        let (lines, next) = (log.due(now), log.next());
        drop(log);
        write(lines);
        next.map(|next| next.saturating_duration_since(now))
    }

    /// Tells of all that was held back.
    pub(super) fn close(&self) {
        let rest = self.log.lock().rest();
        write(rest);
    }

    fn note(&self, kind: Kind, level: Level, peer: &PeerAddr, line: &str) {
        let noted = self
            .log
            .lock()
            .note(kind, level, peer, line, Instant::now());
        match noted {
            Noted::Lines(lines) => write(lines),
            Noted::FirstHeldBack => {
                // It fails when the accept loop has ended, which closes this log, too, or is
                // about to look anyway.
                let _ = (&self.wake).write_all(b".");
            }
            Noted::HeldBack => {}
        }
    }
}

fn write(lines: Vec<Line>) {
    log_limiter::write(module_path!(), lines);
}

/// A client that is served has two lines: 200 of them at once, one a second in the long run.
const SESSIONS: LineRate = LineRate {
    per_second: 2,
    at_once: 400,
};
