//! [`HealthCheck`]: what the watchdog remembers of a connection from one look to the next. Pure.

use std::time::Duration;

use super::watchdog::TICK;

/// What the watchdog remembers of a connection from one look to the next.
#[derive(Default)]
pub(crate) struct HealthCheck {
    progress: u64,
    writes: u64,
    stuck_writes: u32,
    idle: u32,
    left: u32,
    // There was something to be dropped at the last look.
    had_garbage: bool,
    since_closed: u32,
    /// A helper reads, or is about to.
    pub(super) helping: bool,
    /// Somebody was woken to run a request since the helper came.
    pub(super) woke: bool,
}

impl HealthCheck {
    /// Whether requests have started, ended or been answered since the last look.
    pub(super) fn note_progress(&mut self, progress: u64) -> bool {
        std::mem::replace(&mut self.progress, progress) != progress
    }

    /// How many writes have returned, and whether one is under way.
    pub(super) fn note_writes(&mut self, writes: u64, is_writing: bool) {
        let before = std::mem::replace(&mut self.writes, writes);
        let is_stuck = is_writing && before == writes;
        self.stuck_writes = if is_stuck { self.stuck_writes + 1 } else { 0 };
    }

    /// For how long a write hasn't got on.
    pub(super) fn stuck_for(&self) -> Duration {
        TICK.saturating_mul(self.stuck_writes)
    }

    /// Whether garbage was left over from the last look.
    pub(super) fn note_garbage(&mut self, has_garbage: bool) -> bool {
        std::mem::replace(&mut self.had_garbage, has_garbage)
    }

    /// Whether requests have been left to a busy thread for too long.
    pub(super) fn note_left(&mut self, is_left: bool) -> bool {
        self.left = if is_left { self.left + 1 } else { 0 };
        self.left > LEFT_TICKS
    }

    /// Whether there has been nothing to see for so long that looking on is of no use.
    pub(super) fn note_busy(&mut self, is_busy: bool) -> bool {
        self.idle = if is_busy { 0 } else { self.idle + 1 };
        let is_over = self.idle > IDLE_TICKS;
        if is_over {
            self.idle = 0;
        }
        is_over
    }

    /// For how long the connection has been at its end.
    pub(super) fn note_closed(&mut self) -> Duration {
        self.since_closed += 1;
        TICK * self.since_closed
    }
}

/// A second without anything to see ends the watching.
const IDLE_TICKS: u32 = 100;

/// A thread that is busy for a moment has so long, on a busy machine as well.
const LEFT_TICKS: u32 = 100;
