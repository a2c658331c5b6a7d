//! [`Notes`]: what is to be logged once no lock is held.

use std::fmt;

use log::Level;

use super::dispatcher::{Core, Dispatcher, Protocol};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Lines for the log, which is foreign code and not written under a lock.
#[derive(Default)]
pub(crate) struct Notes {
    // Asked first, because it takes no lock.
    any: AtomicBool,
    lines: Mutex<Vec<(Level, String)>>,
}

impl Notes {
    /// Keeps a line for the log. Locks a leaf.
    pub(super) fn add(&self, level: Level, line: String) {
        self.lines.lock().push((level, line));
        self.any.store(true, Ordering::Relaxed);
    }

    fn are_there(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    fn take(&self) -> Vec<(Level, String)> {
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.lines.lock())
    }
}

impl<P: Protocol> Dispatcher<P> {
    /// Notes what is to be logged where everything is.
    pub(super) fn note(&self, core: &Core<P>, what: impl FnOnce(&Core<P>) -> String) {
        if log::max_level() >= Level::Debug && self.session.is_debug() {
            self.notes.add(Level::Debug, what(core));
        }
    }

    /// Logs what was noted, by this thread or another one.
    #[inline]
    pub(super) fn log_notes(&self) {
        if self.notes.are_there() {
            self.log_those_there();
        }
    }

    #[cold]
    fn log_those_there(&self) {
        for (level, note) in self.notes.take() {
            self.session.log(level, format_args!("{note}"));
        }
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}
