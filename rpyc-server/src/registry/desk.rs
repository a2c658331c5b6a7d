//! [`Desk`]: the answers, for several threads, and the log lines that come of them.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::answers::Answers;
use crate::log_limiter;

pub(super) struct Desk(Mutex<Answers>);

impl Desk {
    pub(super) fn new(answers: Answers) -> Desk {
        Desk(Mutex::new(answers))
    }

    /// Asks, and then writes the log lines that there are.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut Answers) -> T) -> T {
        let (answer, lines) = {
            let mut answers = self.0.lock();
            (question(&mut answers), answers.take_lines())
        };
        log_limiter::write(TARGET, lines);
        answer
    }

    /// Looks, now and then, for servers that have been silent for too long.
    pub(super) fn prune(&self) {
        self.ask(|answers| answers.prune(Instant::now()));
    }

    /// Something is short: descriptors, memory, threads.
    pub(super) fn lacks(&self, text: &str) {
        self.ask(|answers| answers.lacks(text, Instant::now()));
    }

    /// Writes the last log lines.
    pub(super) fn close(&self) {
        let lines = self.0.lock().last_lines();
        log_limiter::write(TARGET, lines);
    }
}

/// How often somebody looks for servers that have been silent for too long.
pub(super) const PRUNE: Duration = Duration::from_secs(1);
/// A pause when something is short.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// The part of the program that log lines of the registry are from.
const TARGET: &str = "rpyc_server::registry";
