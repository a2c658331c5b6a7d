//! [`ReadHalf`]: the reading side of a stream. Whoever holds it is the connection's reader.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stream;
use super::read_deadline::{Phase, ReadDeadline, ReadTimeouts};
use crate::wire::{FrameDecoder, FrameError, Limits, Payload};

/// Reads frames from a stream. A connection has one; it is passed from reader to reader.
pub(crate) struct ReadHalf {
    stream: Arc<dyn Stream>,
    decoder: FrameDecoder,
    // The stream's read timeout. Setting it costs a system call.
    timeout: Option<Duration>,
    // The limit that it was last found to fit.
    fits: Option<Duration>,
    deadline: ReadDeadline,
    // When another thread began to watch the stream, if one does: see `park`.
    parked: Option<Instant>,
    // The limits from the first valid frame on.
    limits: Limits,
    // The last read filled the buffer: more may have come already, and the peer needs no acknowledgement.
    more_is_there: bool,
    // Complete frames have been left to the next read.
    frames_left: bool,
    frames: u64,
    // Empty frames since the last frame that wasn't empty.
    empty_frames: u32,
}

/// The outcome of one read.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes have come. Some frames may be complete now.
    Bytes,
    /// Nothing has come within the limit, or within a part of it: the caller may read again.
    Quiet,
    /// The peer has sent nothing, or too little, within the limit of this phase.
    Overdue(Phase, Duration),
    /// The peer has ended the stream.
    Eof,
    /// The stream failed.
    Failed(io::Error),
}

impl ReadHalf {
    /// `max_first_frame` bounds the frames until [`trust`](ReadHalf::trust) is called.
    pub(crate) fn new(
        stream: Arc<dyn Stream>,
        limits: Limits,
        max_first_frame: usize,
        timeouts: ReadTimeouts,
    ) -> ReadHalf {
        let (frame, inflated) = (limits.max_frame, limits.max_inflated);
        let first = limits.clone().max_frame(frame.min(max_first_frame));
        ReadHalf {
            stream,
            decoder: FrameDecoder::new(first.max_inflated(inflated.min(max_first_frame))),
            timeout: None,
            fits: None,
            deadline: ReadDeadline::new(timeouts),
            parked: None,
            limits,
            more_is_there: false,
            frames_left: false,
            frames: 0,
            empty_frames: 0,
        }
    }

    /// The peer has shown that it belongs here: its frames may be as large as the limits say.
    pub(crate) fn trust(&mut self) {
        self.decoder.set_max_frame(self.limits.max_frame);
        self.decoder.set_max_inflated(self.limits.max_inflated);
    }

    /// Reads once, for as long as `limit` at the most.
    ///
    /// `expect_more` says that the peer may have more than one answer under way: a
    /// Python peer sends them with Nagle's algorithm on, and the second one waits for our
    /// acknowledgement of the first.
    pub(crate) fn read(&mut self, limit: Option<Duration>, expect_more: bool) -> Input {
        self.parked = None;
        if std::mem::take(&mut self.frames_left) {
            return Input::Bytes;
        }
        let phase = self.phase();
        let left = self.deadline.left(phase);
        if left.is_some_and(|left| left.is_zero())
            && let Some(limit) = self.deadline.overdue(phase)
        {
            return Input::Overdue(phase, limit);
        }
        if let Err(error) = self.bound_reads(match (limit, left) {
            (Some(limit), Some(left)) => Some(limit.min(left)),
            (limit, left) => limit.or(left),
        }) {
            return Input::Failed(error);
        }
        let began = left.map(|_| Instant::now());
        if expect_more || (self.decoder.is_mid_frame() && !self.more_is_there) {
            self.stream.quick_ack();
        }
        let space = self.decoder.space();
        let room = space.len();
        let outcome = self.stream.read(space);
        self.more_is_there = matches!(outcome, Ok(count) if count == room);
        if let Some(began) = began {
            let count = outcome.as_ref().map_or(0, |count| *count);
            self.deadline.waited(began.elapsed(), count);
        }
        self.judge(outcome)
    }

    /// Whether there may be something to read that polling the stream's descriptor doesn't show.
    pub(crate) fn has_buffered(&self) -> bool {
        self.frames_left || self.stream.has_buffered()
    }

    /// Reads what has come, and doesn't wait. The time since [`park`](ReadHalf::park) counts as
    /// waiting for the peer.
    pub(crate) fn read_ready(&mut self, expect_more: bool) -> Input {
        if std::mem::take(&mut self.frames_left) {
            self.parked = None;
            return Input::Bytes;
        }
        // A system may report a socket as readable that has nothing to be read.
        if let Err(error) = self.bound_reads(Some(Duration::ZERO)) {
            return Input::Failed(error);
        }
        let phase = self.phase();
        self.deadline.enter(phase);
        if expect_more || self.decoder.is_mid_frame() {
            self.stream.quick_ack();
        }
        let outcome = self.stream.read_ready(self.decoder.space());
        self.more_is_there = false;
        let waited = self.parked.take().map(|since| since.elapsed());
        let count = outcome.as_ref().map_or(0, |count| *count);
        self.deadline.waited(waited.unwrap_or_default(), count);
        let overdue = |limit| Input::Overdue(phase, limit);
        match self.judge(outcome) {
            Input::Quiet => self.deadline.overdue(phase).map_or(Input::Quiet, overdue),
            input => input,
        }
    }

    /// No thread reads from now on, but one watches the stream. Returns for how long the peer may still be
    /// silent.
    pub(crate) fn park(&mut self) -> Option<Duration> {
        let since = *self.parked.get_or_insert_with(Instant::now);
        let left = self.deadline.left(self.phase());
        left.map(|left| left.saturating_sub(since.elapsed()))
    }

    fn judge(&mut self, outcome: io::Result<usize>) -> Input {
        match outcome {
            Ok(0) => Input::Eof,
            Ok(count) => {
                self.decoder.advance(count);
                Input::Bytes
            }
            Err(error) => match error.kind() {
                // On Unix a read timeout is `WouldBlock`. This one says that the system has given up the
                // connection: the peer answers no probe.
                io::ErrorKind::TimedOut if cfg!(unix) && error.raw_os_error().is_some() => {
                    Input::Failed(error)
                }
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Input::Quiet,
                _ => Input::Failed(error),
            },
        }
    }

    /// Whether there is more to be read at once: the last read filled the buffer, or frames were left.
    pub(crate) fn more_is_there(&self) -> bool {
        self.more_is_there || self.frames_left
    }

    /// The next complete frame's payload.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Payload<'_>>, FrameError> {
        let frame = self.decoder.next_payload()?;
        match &frame {
            Some(payload) if payload.is_empty() => self.empty_frames += 1,
            Some(_) => {
                self.frames += 1;
                self.empty_frames = 0;
                self.deadline.restart();
            }
            None => {}
        }
        Ok(frame)
    }

    /// Whether nothing has come behind the last frame.
    pub(crate) fn is_drained(&self) -> bool {
        !self.decoder.is_mid_frame()
    }

    /// Leaves the complete frames to the next read, which then returns without receiving.
    pub(crate) fn leave_frames(&mut self) {
        self.frames_left = true;
    }

    /// How many empty frames have come since the last frame that wasn't empty.
    pub(crate) fn empty_frames(&self) -> u32 {
        self.empty_frames
    }

    fn phase(&self) -> Phase {
        let mid_frame = self.decoder.is_mid_frame();
        if self.frames == 0 && self.deadline.bounds_first_frame() {
            Phase::First
        } else if mid_frame {
            Phase::Within
        } else {
            Phase::Between
        }
    }

    /// Whether the next frame that isn't empty is the connection's first one.
    pub(crate) fn is_at_start(&self) -> bool {
        self.frames == 0
    }

    /// How many bytes have been taken in, and whether a frame has begun and not ended.
    pub(crate) fn position(&self) -> (u64, bool) {
        (self.decoder.offset(), self.decoder.is_mid_frame())
    }

    /// Sets the stream's timeout so that no read takes longer than the limit.
    ///
    /// The timeout is a power of two below the limit, and is left alone while it fits: calls
    /// that all have the same limit set it once. A read without a limit keeps a long timeout for the same
    /// reason; when it has passed, the thread reads again.
    fn bound_reads(&mut self, limit: Option<Duration>) -> io::Result<()> {
        if limit.is_some() && limit == self.fits {
            return Ok(());
        }
        let wanted = limit.map(stretch);
        let fits = match self.timeout {
            Some(timeout) if wanted.is_none() => timeout >= KEPT,
            timeout => timeout == wanted,
        };
        if !fits {
            self.stream.set_read_timeout(wanted)?;
            self.timeout = wanted;
            self.fits = None;
        }
        if limit.is_some() {
            self.fits = limit;
        }
        Ok(())
    }
}

/// The longest timeout of the form 2^n ms that isn't over `left`; at least 1 ms.
fn stretch(left: Duration) -> Duration {
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let power = millis.checked_ilog2().unwrap_or(0).min(MAX_STRETCH_LOG2);
    Duration::from_millis(1 << power)
}

/// A read without a limit leaves timeouts from this one on in place.
const KEPT: Duration = Duration::from_secs(1);

/// 2^22 ms is more than an hour.
const MAX_STRETCH_LOG2: u32 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_never_passes_the_limit_but_by_a_millisecond() {
        for (left, expected) in [(0, 1), (1, 1), (3, 2), (1000, 512), (29_999, 16_384)] {
            let stretch = stretch(Duration::from_millis(left));
            assert_eq!(stretch, Duration::from_millis(expected), "{left} ms left");
        }
    }
}
