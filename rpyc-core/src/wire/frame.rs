//! A stream of bytes into payloads.
//!
//! A frame is `length: u32 BE | compressed: u8 | payload | 0x0a`.

use std::ops::{Deref, Range};

use bytes::{Buf, Bytes, BytesMut};

use super::{deflate, error::FrameError, limits::Limits};

/// Cuts a stream of bytes into payloads. It does no IO: the caller fills [`space`](Self::space), says how much of
/// it by [`advance`](Self::advance), and takes the payloads out.
///
/// ```
/// use rpyc_core::wire::{FrameDecoder, Limits};
///
/// let mut decoder = FrameDecoder::new(Limits::default());
/// let stream = b"\x00\x00\x00\x02\x00hi\n";
/// decoder.space()[..stream.len()].copy_from_slice(stream);
/// decoder.advance(stream.len());
/// assert_eq!(decoder.next_frame().unwrap().unwrap(), "hi");
/// assert_eq!(decoder.next_frame().unwrap(), None);
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    limits: Limits,
    /// What was given out (the first `start` bytes), what was received behind it (up to `filled`), then room whose
    /// contents mean nothing.
    buffer: BytesMut,
    start: usize,
    filled: usize,
    /// How large the buffer is while no large frame is being received.
    small: usize,
    /// Where in the stream the received bytes begin.
    offset: u64,
    /// How long the frame is that begins there, once its header is there.
    frame_end: Option<usize>,
    /// The error that ended the stream.
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            start: 0,
            filled: 0,
            small: SMALLEST,
            offset: 0,
            frame_end: None,
            failed: None,
        }
    }

    /// Changes [`max_frame`](Limits#structfield.max_frame) for the frames whose header has not been read yet.
    ///
    /// A server keeps it small until the peer has shown that it belongs here.
    pub fn set_max_frame(&mut self, bytes: usize) {
        self.limits.max_frame = bytes;
    }

    /// Changes [`max_inflated`](Limits#structfield.max_inflated) for the frames not given out yet.
    pub fn set_max_inflated(&mut self, bytes: usize) {
        self.limits.max_inflated = bytes;
    }

    /// Room for bytes of the stream: never empty.
    ///
    /// It is small while little is known, and ends with the frame if a large one is being received. It grows with
    /// the bytes that came, not with the length that the peer announced.
    pub fn space(&mut self) -> &mut [u8] {
        self.move_to_front();
        let end = match self.frame_end {
            Some(end) if end > SMALL => {
                let capacity = self.buffer.capacity();
                let full = capacity < end && capacity <= self.filled.saturating_add(GROWTH_SLACK);
                if full || capacity < end.min(LARGE_START) {
                    let target = self.filled.saturating_mul(2).max(LARGE_START).min(end);
                    self.buffer.truncate(self.filled);
                    self.buffer.reserve(target.saturating_sub(self.filled));
                }
                // It grows in steps small enough to be in the processor's cache still when they are filled.
                self.buffer
                    .capacity()
                    .min(end)
                    .min(self.filled.saturating_add(STEP))
            }
            _ if self.buffer.len().saturating_sub(self.filled) >= self.small / 4 => {
                self.buffer.len()
            }
            _ => {
                self.buffer.truncate(self.filled);
                let room = self.small.saturating_sub(self.filled);
                self.buffer.reserve(room.max(self.small / 4));
                self.buffer
                    .capacity()
                    .min(self.filled.saturating_add(self.small))
            }
        };
        // What has been cleared already stays as it is.
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.filled..end).unwrap_or_default()
    }

    /// Says that the first `count` bytes of [`space`](Self::space) were filled.
    pub fn advance(&mut self, count: usize) {
        debug_assert!(
            self.filled.saturating_add(count) <= self.buffer.len(),
            "advanced beyond the space given"
        );
        self.filled = self.filled.saturating_add(count).min(self.buffer.len());
        if self.filled == self.buffer.len() {
            // The read filled the buffer: the next ones get a larger one.
            self.small = SMALL;
        }
    }

    /// The next payload, inflated if it came compressed; `None` if more bytes are needed first.
    ///
    /// Call it until there is none before receiving more. An empty frame gives an empty payload. A small payload is
    /// copied, a large one shares the receive buffer.
    ///
    /// # Errors
    ///
    /// The stream is not RPyC's, or a frame is beyond the limits. The stream is over: every later call returns the
    /// same error.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        Ok(self.next_payload()?.map(Payload::into_bytes))
    }

    /// The same; a small payload stays where it was received until more is.
    pub(crate) fn next_payload(&mut self) -> Result<Option<Payload<'_>>, FrameError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.frame() {
            Ok(None) => Ok(None),
            Ok(Some(Cut::Part(range))) => {
                let part = self.buffer.get(range).unwrap_or_default();
                Ok(Some(Payload::Part(part)))
            }
            Ok(Some(Cut::Whole(payload))) => Ok(Some(Payload::Whole(payload))),
            Err(error) => {
                self.failed = Some(error.clone());
                self.buffer = BytesMut::new();
                (self.start, self.filled) = (0, 0);
                Err(error)
            }
        }
    }

    /// Whether a frame has begun and not ended, after [`next_frame`](Self::next_frame) has returned `None`.
    pub fn is_mid_frame(&self) -> bool {
        self.filled > self.start
    }

    /// How many bytes were received and not yet given out.
    pub fn buffered(&self) -> usize {
        self.filled.saturating_sub(self.start)
    }

    /// How many bytes of the stream were given out as frames.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn frame(&mut self) -> Result<Option<Cut>, FrameError> {
        let received = self.buffer.get(self.start..self.filled).unwrap_or_default();
        if self.offset == 0
            && let Some(looks_like) = other_protocol(received)
        {
            return Err(FrameError::NotRpyc { looks_like });
        }
        let Some(&[l0, l1, l2, l3, compressed]) = received.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        if self.frame_end.is_none() && length > self.limits.max_frame {
            return Err(FrameError::TooLarge {
                length,
                limit: self.limits.max_frame,
                offset: self.offset,
            });
        }
        let end = length.saturating_add(HEADER + 1);
        let behind = self
            .offset
            .saturating_add(u64::try_from(end).unwrap_or(u64::MAX));
        self.frame_end = Some(end);
        if received.len() < end {
            return Ok(None);
        }
        if let Some(&found) = received.get(end.saturating_sub(1))
            && found != b'\n'
        {
            return Err(FrameError::BadTerminator {
                found,
                offset: self.offset,
            });
        }
        if compressed == 0 && end <= SMALL {
            let begin = self.start.saturating_add(HEADER);
            self.start = self.start.saturating_add(end);
            self.frame_end = None;
            self.offset = behind;
            return Ok(Some(Cut::Part(begin..begin.saturating_add(length))));
        }
        let mut payload = self.cut(end).freeze();
        payload.advance(HEADER);
        payload.truncate(length);
        if compressed != 0 {
            let inflated =
                deflate::inflate(&payload, &self.limits).map_err(|source| FrameError::Inflate {
                    offset: self.offset,
                    source,
                })?;
            payload = inflated.into();
        }
        self.offset = behind;
        Ok(Some(Cut::Whole(payload)))
    }

    /// Moves what was received to where what was given out lies.
    fn move_to_front(&mut self) {
        if self.start > 0 {
            if self.filled > self.start {
                self.buffer.copy_within(self.start..self.filled, 0);
            }
            self.filled = self.filled.saturating_sub(self.start);
            self.start = 0;
        }
    }

    /// Takes the frame of `end` bytes out of the buffer.
    fn cut(&mut self, end: usize) -> BytesMut {
        self.move_to_front();
        let frame = self.buffer.split_to(end.min(self.buffer.len()));
        self.filled = self.filled.saturating_sub(end);
        self.frame_end = None;
        if end > SMALL {
            // What came after a large frame must not keep its buffer alive, nor an idle connection a large one.
            let mut small = BytesMut::with_capacity(self.small.max(self.filled));
            small.extend_from_slice(self.buffer.get(..self.filled).unwrap_or_default());
            self.buffer = small;
        }
        frame
    }
}

/// A payload that has been received.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    /// A small one, where it was received. Nothing shares that buffer.
    Part(&'a [u8]),
    /// One with a buffer of its own.
    Whole(Bytes),
}

impl Payload<'_> {
    /// As a buffer that can be shared.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Part(part) => Bytes::copy_from_slice(part),
            Self::Whole(whole) => whole,
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Part(part) => part,
            Self::Whole(whole) => whole,
        }
    }
}

/// Where a payload is.
enum Cut {
    Part(Range<usize>),
    Whole(Bytes),
}

/// The protocol that a stream with this start speaks, if it is a known other one.
fn other_protocol(start: &[u8]) -> Option<&'static str> {
    // As frame headers these would announce 352 MB and more. An alert is what a TLS server answers to a frame.
    match start {
        [0x15 | 0x16, 0x03, ..] => Some("TLS"),
        [b'G', b'E', b'T', b' ', ..]
        | [b'H', b'T', b'T', b'P', ..]
        | [b'P', b'O', b'S', b'T', ..]
        | [b'H', b'E', b'A', b'D', ..] => Some("HTTP"),
        [b'S', b'S', b'H', b'-', ..] => Some("SSH"),
        _ => None,
    }
}

/// The bytes before the payload.
pub(super) const HEADER: usize = 5;
/// The buffer of a connection on which one small message at a time comes: most are idle most of the time.
const SMALLEST: usize = 1 << 10;
/// The buffer once a read has filled that one, while no large frame is being received. A quarter of it is the least
/// room that is worth a read of its own.
const SMALL: usize = 4 << 10;
/// The first buffer of a large frame: room for 64 KiB of data and what is around it.
const LARGE_START: usize = 68 << 10;
/// How full the buffer of a large frame is before it grows.
const GROWTH_SLACK: usize = 1 << 10;
/// The most of a large frame that is received at a time.
const STEP: usize = 256 << 10;
