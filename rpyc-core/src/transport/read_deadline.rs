//! [`ReadDeadline`]: how long a reader waits for a peer's bytes. Pure: the time is told to it.

use std::time::Duration;

/// The limits on a peer's silence; `None` waits for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadTimeouts {
    /// Until the first frame has come.
    pub(crate) first_frame: Option<Duration>,
    /// Within a frame.
    pub(crate) within_frame: Option<Duration>,
    /// Between frames.
    pub(crate) idle: Option<Duration>,
}

/// Adds up how long the reader has waited for the peer. Time in which nobody reads is not the
/// peer's fault, and doesn't count.
#[derive(Debug)]
pub(crate) struct ReadDeadline {
    timeouts: ReadTimeouts,
    phase: Phase,
    waited: Duration,
    bytes: usize,
}

/// Where in the stream the reader waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No frame has come, and there is a limit of its own for the first one.
    First,
    /// A frame has begun.
    Within,
    /// The last frame is complete.
    Between,
}

impl ReadDeadline {
    pub(crate) fn new(timeouts: ReadTimeouts) -> ReadDeadline {
        ReadDeadline {
            timeouts,
            phase: Phase::First,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// The reader is about to wait: how much longer it may in this phase, if there is a limit.
    pub(crate) fn left(&mut self, phase: Phase) -> Option<Duration> {
        self.enter(phase);
        self.limit().map(|limit| limit.saturating_sub(self.waited))
    }

    /// The wait for this phase begins, unless it has begun.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if phase != self.phase {
            self.phase = phase;
            self.restart();
        }
    }

    /// Whether the first frame has a limit of its own.
    pub(crate) fn bounds_first_frame(&self) -> bool {
        self.timeouts.first_frame.is_some()
    }

    /// The reader has waited for this time, and received `count` bytes.
    pub(crate) fn waited(&mut self, time: Duration, bytes: usize) {
        self.waited += time;
        self.bytes = self.bytes.saturating_add(bytes);
        // The first frame is small: it has to be complete in time.
        if self.phase == Phase::Within && self.bytes >= PROGRESS {
            self.restart();
        }
    }

    /// A frame is complete, or the wait begins anew for another reason.
    pub(crate) fn restart(&mut self) {
        self.waited = Duration::ZERO;
        self.bytes = 0;
    }

    /// The limit of this phase, if it has passed; the wait begins anew then.
    pub(crate) fn overdue(&mut self, phase: Phase) -> Option<Duration> {
        let is_over = self.left(phase)?.is_zero();
        let limit = self.limit().filter(|_| is_over)?;
        self.restart();
        Some(limit)
    }

    fn limit(&self) -> Option<Duration> {
        match self.phase {
            Phase::First => self.timeouts.first_frame,
            Phase::Within => self.timeouts.within_frame,
            Phase::Between => self.timeouts.idle,
        }
    }
}

/// A peer has to send this many bytes of a frame within the time limit, or the rest of the frame if that
/// is less: about a kilobyte a second. Otherwise a peer could hold a connection for ever with a byte now
/// and then.
const PROGRESS: usize = 32 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline() -> ReadDeadline {
        ReadDeadline::new(ReadTimeouts {
            first_frame: Some(10 * SECOND),
            within_frame: Some(30 * SECOND),
            idle: None,
        })
    }

    #[test]
    fn the_first_frame_has_one_limit_however_many_bytes_trickle_in() {
        let mut deadline = deadline();
        assert_eq!(deadline.left(Phase::First), Some(10 * SECOND));
        deadline.waited(4 * SECOND, PROGRESS);
        assert_eq!(deadline.left(Phase::First), Some(6 * SECOND));
        deadline.waited(7 * SECOND, 1);
        assert_eq!(deadline.left(Phase::First), Some(Duration::ZERO));
    }

    #[test]
    fn a_frame_gets_on_by_kilobytes_not_by_bytes() {
        let mut deadline = deadline();
        assert_eq!(deadline.left(Phase::Within), Some(30 * SECOND));
        deadline.waited(20 * SECOND, 1);
        assert_eq!(deadline.left(Phase::Within), Some(10 * SECOND));
        deadline.waited(5 * SECOND, PROGRESS);
        assert_eq!(deadline.left(Phase::Within), Some(30 * SECOND));
    }

    #[test]
    fn each_frame_has_its_own_limit_and_between_them_there_is_none() {
        let mut deadline = deadline();
        assert!(deadline.left(Phase::Within).is_some());
        deadline.waited(29 * SECOND, 1);
        assert_eq!(deadline.left(Phase::Between), None);
        deadline.waited(1000 * SECOND, 0);
        assert_eq!(deadline.left(Phase::Within), Some(30 * SECOND));
    }
}
