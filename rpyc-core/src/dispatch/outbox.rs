//! The outgoing frames, in order: one writer at a time, and nobody waits for it without need.
//!
//! Frames are appended under a lock that is never held while bytes are written, so that a
//! destructor may append (the release of a netref) whatever else is going on. Whoever finds frames
//! and no writer becomes the writer.

use std::io::{self, IoSlice};
use std::time::{Duration, Instant};

use super::blocked_threads::Waiting;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, passed, wait};
use crate::transport::{Stream, WriteBudget};
use crate::wire::{EncodeError, FrameBuf};

pub(crate) struct Outbox {
    state: Mutex<State>,
    drained: Condvar,
    // The stream's writes are bounded by `WRITE_TIME`.
    bounded: bool,
    // Changed under the lock only, so that they need no order of their own: who has appended a
    // frame, or looked at the state, sees at least what was true then.
    unsent: AtomicBool,
    writing: AtomicBool,
    // More waits than a peer that reads lets pile up.
    congested: AtomicBool,
    // Grows with every write that returns: a write that blocks shows by its not growing.
    writes: AtomicU64,
}

/// What a writer has taken, and how far it has come.
pub(crate) struct Rest {
    frames: Box<FrameBuf>,
    done: usize,
    /// Where what is being written ends: the frame, for a stream that takes one at a time.
    end: usize,
    /// The stream has something of its own to write behind it.
    flush_requested: bool,
}

struct State {
    // None while a writer has them: it brings the buffer back. Boxed, because they go to and fro.
    frames: Option<Box<FrameBuf>>,
    // Bytes that a writer has taken and not yet written.
    in_flight: usize,
    // The stream has something of its own to write.
    flush_requested: bool,
    // How many threads wait for it to drain: to notify nobody costs a system call, too.
    waiting: usize,
    closed: bool,
}

impl State {
    /// How many bytes no writer has taken yet.
    fn queued(&self) -> usize {
        self.frames.as_ref().map_or(0, |frames| frames.len())
    }

    /// How many bytes wait to be written.
    fn backlog(&self) -> usize {
        self.queued() + self.in_flight
    }
}

impl Outbox {
    /// `bounded` says whether the stream's writes are by [`WRITE_TIME`].
    pub(crate) fn new(bounded: bool) -> Outbox {
        Outbox {
            state: Mutex::new(State {
                frames: None,
                in_flight: 0,
                flush_requested: false,
                waiting: 0,
                closed: false,
            }),
            drained: Condvar::new(),
            bounded,
            unsent: AtomicBool::new(false),
            writing: AtomicBool::new(false),
            congested: AtomicBool::new(false),
            writes: AtomicU64::new(0),
        }
    }

    /// Appends what `encode` writes: one whole frame, or nothing. Never blocks.
    pub(crate) fn append(
        &self,
        encode: impl FnOnce(&mut FrameBuf) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut state = self.state.lock();
        if state.closed {
            return Ok(());
        }
        let frames = state.frames.get_or_insert_default();
        let outcome = encode(frames);
        let queued = frames.len();
        if queued > 0 {
            self.unsent.store(true, Ordering::Relaxed);
        }
        if queued + state.in_flight > CONGESTED {
            self.congested.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// The stream has something of its own to write, which its reader must not do: the next writer
    /// does. Never blocks.
    pub(crate) fn request_flush(&self) {
        let mut state = self.state.lock();
        if !state.closed {
            state.flush_requested = true;
            self.unsent.store(true, Ordering::Relaxed);
        }
    }

    /// Whether there are frames that nobody is writing.
    pub(crate) fn needs_writer(&self) -> bool {
        self.unsent.load(Ordering::Relaxed) && !self.is_writing()
    }

    /// The same, of all frames that were appended before the call.
    pub(crate) fn surely_needs_writer(&self) -> bool {
        let _state = self.state.lock();
        self.needs_writer()
    }

    /// Whether somebody is writing.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.load(Ordering::Relaxed)
    }

    /// Whether more than a megabyte has come to wait and not been written since.
    pub(crate) fn is_congested(&self) -> bool {
        self.congested.load(Ordering::Relaxed)
    }

    /// How many writes have returned.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How many bytes wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.state.lock().backlog()
    }

    /// Writes everything that is there, unless somebody else is at it.
    ///
    /// Blocks in writes: never call it as the reader, nor under a lock.
    ///
    /// # Errors
    /// What the stream says; the outbox is closed then.
    pub(crate) fn flush(&self, stream: &dyn Stream) -> io::Result<()> {
        self.write_queued(stream, None, WriteBudget::new(None))
            .map(drop)
    }

    /// The same, but gives back what can't be written within [`WRITE_TIME`]; all of it, where the
    /// stream's writes aren't bounded. Until that is given to [`resume`](Outbox::resume) nobody else
    /// writes.
    ///
    /// # Errors
    /// As [`flush`](Outbox::flush).
    pub(crate) fn flush_unless_stalled(&self, stream: &dyn Stream) -> io::Result<Option<Rest>> {
        if self.bounded {
            return self.write_queued(stream, None, WriteBudget::new(Some(WRITE_TIME)));
        }
        let mut state = self.state.lock();
        if self.is_writing() {
            return Ok(None);
        }
        let batch = self.take_batch(&mut state);
        self.writing.store(batch.is_some(), Ordering::Relaxed);
        Ok(batch)
    }

    /// Writes what was given back, and what has been appended meanwhile.
    ///
    /// # Errors
    /// As [`flush`](Outbox::flush).
    pub(crate) fn resume(&self, stream: &dyn Stream, rest: Rest) -> io::Result<()> {
        self.write_queued(stream, Some(rest), WriteBudget::new(None))
            .map(drop)
    }

    fn write_queued(
        &self,
        stream: &dyn Stream,
        mut rest: Option<Rest>,
        mut budget: WriteBudget,
    ) -> io::Result<Option<Rest>> {
        let mut state = self.state.lock();
        if rest.is_none() {
            if state.closed || self.is_writing() {
                return Ok(None);
            }
            self.writing.store(true, Ordering::Relaxed);
        }
        // From here on this thread is the writer, until it finds nothing more to write.
        while let Some(mut batch) = rest.take().or_else(|| self.take_batch(&mut state)) {
            drop(state);
            let outcome = self.write_batch(stream, &mut batch, &mut budget);
            if would_block(&outcome) {
                return Ok(Some(batch));
            }
            batch.frames.clear();
            state = self.state.lock();
            state.in_flight = 0;
            let queued = match &state.frames {
                Some(frames) => frames.len(),
                None => {
                    // The same buffer again: a call allocates none.
                    state.frames = Some(batch.frames);
                    0
                }
            };
            self.congested.store(queued > CONGESTED, Ordering::Relaxed);
            if state.waiting > 0 {
                self.drained.notify_all();
            }
            if let Err(error) = outcome {
                state.closed = true;
                state.frames = None;
                self.writing.store(false, Ordering::Relaxed);
                return Err(error);
            }
        }
        self.writing.store(false, Ordering::Relaxed);
        Ok(None)
    }

    /// Everything that is there, for the writer.
    fn take_batch(&self, state: &mut State) -> Option<Rest> {
        if (state.queued() == 0 && !state.flush_requested) || state.closed {
            return None;
        }
        let frames = state.frames.take().unwrap_or_default();
        state.in_flight = frames.len();
        self.unsent.store(false, Ordering::Relaxed);
        Some(Rest {
            frames,
            done: 0,
            end: 0,
            flush_requested: std::mem::take(&mut state.flush_requested),
        })
    }

    /// Blocks while more than `limit` bytes wait and somebody is writing them, until `deadline` at
    /// the latest.
    pub(crate) fn wait_below(&self, limit: usize, deadline: Option<Instant>) {
        let _waiting = Waiting::begin();
        let mut state = self.state.lock();
        while state.backlog() > limit
            && !state.closed
            && self.is_writing()
            && !deadline.is_some_and(passed)
        {
            state.waiting += 1;
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            state = wait(&self.drained, state, left);
            state.waiting -= 1;
        }
    }

    /// Drops what is there, and what comes.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let frames = state.frames.take();
        self.unsent.store(false, Ordering::Relaxed);
        drop(state);
        drop(frames);
        self.drained.notify_all();
    }

    /// Fails with `WouldBlock` only within a budget that is limited.
    fn write_batch(
        &self,
        stream: &dyn Stream,
        batch: &mut Rest,
        budget: &mut WriteBudget,
    ) -> io::Result<()> {
        let _waiting = Waiting::begin();
        self.write_frames(stream, batch, budget)?;
        while batch.flush_requested && stream.has_unsent() {
            budget.spend()?;
            let outcome = stream.flush();
            if budget.is_limited() || !would_block(&outcome) {
                return outcome;
            }
        }
        Ok(())
    }

    fn write_frames(
        &self,
        stream: &dyn Stream,
        batch: &mut Rest,
        budget: &mut WriteBudget,
    ) -> io::Result<()> {
        let apart = stream.one_frame_a_write();
        let Rest {
            frames, done, end, ..
        } = batch;
        while *done < frames.len() {
            if *done == *end {
                *end = if apart {
                    frames.end_of_frame(*done)
                } else {
                    frames.len()
                };
            }
            budget.spend()?;
            let written = match frames.whole().and_then(|bytes| bytes.get(*done..*end)) {
                Some(bytes) => stream.write_vectored(&[IoSlice::new(bytes)]),
                None => write_part(stream, frames, *done, *end),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => *done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                outcome if !budget.is_limited() && would_block(&outcome) => continue,
                Err(error) => return Err(error),
            }
            // There is one writer.
            self.writes.store(self.writes() + 1, Ordering::Relaxed);
        }
        Ok(())
    }
}

fn would_block<T>(outcome: &io::Result<T>) -> bool {
    matches!(outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Writes some of the bytes from `done` to `end`.
#[inline(never)]
fn write_part(
    stream: &dyn Stream,
    frames: &FrameBuf,
    done: usize,
    end: usize,
) -> io::Result<usize> {
    let (mut skip, mut left) = (done, end - done);
    let parts = frames.slices().filter_map(|slice| {
        let part = slice.get(skip.min(slice.len())..).unwrap_or_default();
        skip -= slice.len() - part.len();
        let part = part.get(..left).unwrap_or(part);
        left -= part.len();
        (!part.is_empty()).then(|| IoSlice::new(part))
    });
    let slices: Vec<_> = parts.take(MAX_SLICES).collect();
    stream.write_vectored(&slices)
}

/// How much may wait before whoever adds to it has to wait, too.
pub(crate) const CONGESTED: usize = 1 << 20;

/// How long a thread that has a deadline tries to write itself.
pub(crate) const WRITE_TIME: Duration = Duration::from_millis(20);

/// The system takes 1,024 at the most.
const MAX_SLICES: usize = 64;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::Limits;

    /// Writes as the function does; nothing comes from it.
    struct Sink<F>(F);

    impl<F: Fn(&[IoSlice<'_>]) -> io::Result<usize> + Send + Sync> Stream for Sink<F> {
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
            (self.0)(slices)
        }
        fn shutdown(&self) {}
    }

    /// Takes three bytes a write.
    fn sip(taken: &Mutex<Vec<u8>>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut taken = taken.lock();
        let before = taken.len();
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        taken.extend(bytes.take(3));
        Ok(taken.len() - before)
    }

    /// Notes what each write brings, and takes at most eight bytes of it.
    #[derive(Default)]
    struct Records {
        brought: Mutex<Vec<Vec<u8>>>,
        // Every other write takes nothing.
        stalls: Option<AtomicBool>,
    }

    impl Stream for Records {
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
            let bytes: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
            let count = bytes.len().min(8);
            self.brought.lock().push(bytes);
            let stalls = |stalls: &AtomicBool| stalls.fetch_xor(true, Ordering::Relaxed);
            match self.stalls.as_ref().is_some_and(stalls) {
                true => Err(io::ErrorKind::WouldBlock.into()),
                false => Ok(count),
            }
        }
        fn one_frame_a_write(&self) -> bool {
            true
        }
        fn has_unsent(&self) -> bool {
            true
        }
        fn flush(&self) -> io::Result<()> {
            self.brought.lock().push(b"an alert".to_vec());
            Ok(())
        }
        fn shutdown(&self) {}
    }

    #[test]
    fn a_stream_that_wants_frames_apart_gets_no_byte_of_the_next_one() {
        let (outbox, stream) = (Outbox::new(true), Records::default());
        for payload in [&b"one"[..], b"", &[7; 40_000], b"last"] {
            assert!(outbox.append(frame(payload)).is_ok());
        }
        assert!(outbox.flush(&stream).is_ok());
        let writes = stream.brought.lock();
        let starts = [b"\0\0\0\x03\0one\n".to_vec(), b"\0\0\0\0\0\n".to_vec()];
        assert_eq!(writes[..1], starts[..1]);
        // The rest of a frame is a write of its own, too.
        assert_eq!(writes[1], b"\n");
        assert_eq!(writes[2], starts[1]);
        assert_eq!(writes[3].len(), 5 + 40_000 + 1);
        assert!(writes.iter().any(|bytes| bytes == b"\0\0\0\x04\0last\n"));
    }

    /// What is in a frame was taken for the header of the next one: of zeros, six bytes a write.
    #[test]
    fn a_frame_that_is_given_back_goes_on_to_its_own_end() {
        let stalls = Some(AtomicBool::new(false));
        let stream = Records {
            stalls,
            ..Records::default()
        };
        let outbox = Outbox::new(true);
        for payload in [&[0; 26][..], b"last"] {
            assert!(outbox.append(frame(payload)).is_ok());
        }
        let rest = outbox.flush_unless_stalled(&stream).expect("no failure");
        assert!(outbox.resume(&stream, rest.expect("it stalls")).is_ok());
        let mut lengths: Vec<_> = stream.brought.lock().iter().map(Vec::len).collect();
        lengths.dedup();
        assert_eq!(lengths, [32, 24, 16, 8, 10, 2]);
    }

    #[test]
    fn what_the_stream_has_to_say_itself_is_written_without_a_frame() {
        let (outbox, stream) = (Outbox::new(true), Records::default());
        outbox.request_flush();
        assert!(outbox.needs_writer());
        assert!(outbox.flush(&stream).is_ok());
        assert!(!outbox.needs_writer());
        assert_eq!(*stream.brought.lock(), [b"an alert".to_vec()]);
    }

    fn frame(payload: &'static [u8]) -> impl FnOnce(&mut FrameBuf) -> Result<(), EncodeError> {
        move |frames| {
            frames.begin();
            frames.put_shared(&Bytes::from_static(payload));
            frames.finish(false, &Limits::default())
        }
    }

    #[test]
    fn what_a_peer_does_not_read_is_given_back_and_written_by_who_has_time() {
        let (outbox, taken) = (Outbox::new(true), Mutex::default());
        let is_stalled = AtomicBool::new(false);
        // Every other time it takes nothing.
        let stream =
            Sink(
                |slices: &[IoSlice<'_>]| match is_stalled.fetch_xor(true, Ordering::Relaxed) {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => sip(&taken, slices),
                },
            );
        assert!(outbox.append(frame(b"one")).is_ok());
        let rest = outbox.flush_unless_stalled(&stream);
        let rest = rest.expect("no failure").expect("it stalls");
        assert!(outbox.append(frame(b"two")).is_ok());
        // The rest comes first: nobody else writes.
        assert!(!outbox.needs_writer() && outbox.is_writing());
        assert!(outbox.flush(&stream).is_ok());
        assert_eq!(*taken.lock(), b"\0\0\0");
        assert_eq!(outbox.backlog(), 2 * 9);
        assert!(outbox.resume(&stream, rest).is_ok());
        assert!(!outbox.needs_writer() && !outbox.is_writing());
        assert_eq!(*taken.lock(), b"\0\0\0\x03\0one\n\0\0\0\x03\0two\n");
        assert_eq!(outbox.backlog(), 0);
    }

    #[test]
    fn a_peer_that_reads_little_by_little_does_not_hold_a_thread_with_a_deadline() {
        let (outbox, taken) = (Outbox::new(true), Mutex::default());
        let stream = Sink(|slices: &[IoSlice<'_>]| sip(&taken, slices));
        let payload = Bytes::from(vec![7; 64 << 20]);
        let encode = |frames: &mut FrameBuf| {
            frames.begin();
            frames.put_shared(&payload);
            frames.finish(false, &Limits::default())
        };
        assert!(outbox.append(encode).is_ok());
        let rest = outbox.flush_unless_stalled(&stream).expect("no failure");
        assert!(rest.is_some() && outbox.backlog() > 64 << 20);
    }

    #[test]
    fn what_others_append_does_not_hold_a_thread_with_a_deadline() {
        let outbox = Outbox::new(true);
        assert!(outbox.append(frame(b"one")).is_ok());
        // Another thread appends a frame whenever one is written.
        let chatty = Sink(|slices: &[IoSlice<'_>]| {
            assert!(outbox.append(frame(b"more")).is_ok());
            Ok(slices.iter().map(|slice| slice.len()).sum())
        });
        let rest = outbox.flush_unless_stalled(&chatty);
        assert!(rest.expect("no failure").is_some());
    }

    #[test]
    fn a_stream_that_can_not_bound_its_writes_is_left_to_who_has_time() {
        let (outbox, taken) = (Outbox::new(false), Mutex::default());
        let stream = Sink(|slices: &[IoSlice<'_>]| sip(&taken, slices));
        assert!(outbox.append(frame(b"one")).is_ok());
        let rest = outbox.flush_unless_stalled(&stream).expect("no failure");
        assert!(outbox.is_writing() && taken.lock().is_empty());
        let again = outbox.flush_unless_stalled(&stream).expect("no failure");
        assert!(again.is_none() && outbox.is_writing());
        assert!(outbox.resume(&stream, rest.expect("all of it")).is_ok());
        assert_eq!(*taken.lock(), b"\0\0\0\x03\0one\n");
        let nothing = outbox.flush_unless_stalled(&stream).expect("no failure");
        assert!(nothing.is_none() && !outbox.is_writing());
    }

    #[test]
    fn partial_writes_lose_nothing_and_keep_the_order() {
        let (outbox, taken) = (Outbox::new(true), Mutex::default());
        let stream = Sink(|slices: &[IoSlice<'_>]| sip(&taken, slices));
        for payload in [&b"one"[..], b"two", &[7; 40_000], b"four"] {
            assert!(outbox.append(frame(payload)).is_ok());
        }
        assert!(outbox.needs_writer());
        assert!(outbox.flush(&stream).is_ok());
        assert!(!outbox.needs_writer());
        let bytes = taken.lock();
        assert_eq!(bytes[..9], *b"\0\0\0\x03\0one\n");
        assert_eq!(bytes.len(), 3 + 3 + 40_000 + 4 + 4 * 6);
        assert!(bytes.ends_with(b"\0\0\0\x04\0four\n"));
    }
}
