//! Outgoing frames.

use bytes::Bytes;

use super::{deflate, error::EncodeError, frame::HEADER, limits::Limits};

/// One outgoing frame, or several in a row, as chunks ready to be written.
///
/// Large buffers are kept by reference, not copied. The buffer for all else is used again once it is cleared, so that
/// a frame of a small call needs no allocation of its own.
///
/// ```
/// use rpyc_core::wire::{FrameBuf, Limits};
///
/// let mut frames = FrameBuf::new();
/// frames.begin();
/// frames.put(b"hi");
/// frames.finish(false, &Limits::default()).unwrap();
/// assert_eq!(frames.slices().collect::<Vec<_>>(), [b"\x00\x00\x00\x02\x00hi\n"]);
/// ```
#[derive(Debug, Default)]
pub struct FrameBuf {
    /// All bytes that are not kept by reference.
    copied: Vec<u8>,
    /// The others, each with its place: the length of `copied` when it was put.
    shared: Vec<(usize, Bytes)>,
    /// The bytes of all `shared`.
    shared_length: usize,
    begun: Option<Begun>,
}

/// Where the frame begun starts.
#[derive(Debug, Clone, Copy)]
struct Begun {
    copied: usize,
    shared: usize,
    shared_length: usize,
}

impl FrameBuf {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a frame; one that was begun and not finished is dropped.
    pub fn begin(&mut self) {
        self.rollback();
        self.begun = Some(Begun {
            copied: self.copied.len(),
            shared: self.shared.len(),
            shared_length: self.shared_length,
        });
        self.copied.extend_from_slice(&[0; HEADER]);
    }

    /// Appends a copy of the bytes to the frame.
    pub fn put(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Appends the bytes to the frame: by reference if they are 16 KiB or more, else as a copy.
    pub fn put_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_MIN {
            self.put(bytes);
        } else {
            self.shared_length = self.shared_length.saturating_add(bytes.len());
            self.shared.push((self.copied.len(), bytes.clone()));
        }
    }

    /// Ends the frame: writes its header and the newline behind it.
    ///
    /// With `compress`, a payload over 3,000 bytes is deflated, unless that would not make it shorter.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLarge`] if the payload is over [`max_frame`](Limits#structfield.max_frame) or over the
    /// 4 GiB that a header can say; [`EncodeError::NoFrame`] if none was begun. The frame is dropped then.
    pub fn finish(&mut self, compress: bool, limits: &Limits) -> Result<(), EncodeError> {
        let Some(begun) = self.begun else {
            return Err(EncodeError::NoFrame);
        };
        let start = begun.copied.saturating_add(HEADER);
        let mut length = self
            .copied
            .len()
            .saturating_sub(start)
            .saturating_add(self.shared_length.saturating_sub(begun.shared_length));
        let mut compressed = 0;
        if compress && length > COMPRESS_MIN {
            let parts = slices(
                &self.copied,
                start,
                self.shared.get(begun.shared..).unwrap_or_default(),
            );
            if let Some(deflated) = deflate::deflate(parts, length, limits) {
                length = deflated.len();
                compressed = 1;
                self.copied.truncate(start);
                self.shared.truncate(begun.shared);
                self.shared_length = begun.shared_length;
                self.put_shared(&deflated.into());
            }
        }
        let header = match u32::try_from(length) {
            Ok(header) if length <= limits.max_frame => header,
            Ok(_) | Err(_) => {
                self.rollback();
                let limit = limits
                    .max_frame
                    .min(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
                return Err(EncodeError::TooLarge { length, limit });
            }
        };
        let [l0, l1, l2, l3] = header.to_be_bytes();
        if let Some(place) = self.copied.get_mut(begun.copied..start) {
            place.copy_from_slice(&[l0, l1, l2, l3, compressed]);
        }
        self.put(b"\n");
        self.begun = None;
        Ok(())
    }

    /// Drops the frame begun; finished ones stay.
    pub fn rollback(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.copied.truncate(begun.copied);
            self.shared.truncate(begun.shared);
            self.shared_length = begun.shared_length;
        }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.copied.len().saturating_add(self.shared_length)
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in order, to be written as they are. A frame begun counts too: finish it first.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        slices(&self.copied, 0, &self.shared)
    }

    /// All bytes, if they are in one piece.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        self.shared.is_empty().then_some(&self.copied)
    }

    /// All bytes, in one piece.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self.shared.is_empty() {
            true => self.copied,
            false => self.slices().collect::<Vec<_>>().concat(),
        }
    }

    /// Where the frame ends that begins at this byte of all: for streams that take frames one by
    /// one.
    pub(crate) fn end_of_frame(&self, begin: usize) -> usize {
        let mut skip = begin;
        for slice in self.slices() {
            if let Some([l0, l1, l2, l3, _]) = slice.get(skip..).and_then(<[u8]>::first_chunk) {
                // A header is never split: it is put at once.
                let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
                let payload = usize::try_from(length).unwrap_or(usize::MAX);
                let end = begin.saturating_add(payload).saturating_add(HEADER + 1);
                return end.min(self.len());
            }
            skip = skip.saturating_sub(slice.len());
        }
        self.len()
    }

    /// Drops everything, and keeps the buffer for the next frames unless it has grown large.
    pub fn clear(&mut self) {
        self.begun = None;
        self.shared.clear();
        self.shared_length = 0;
        self.copied.clear();
        if self.copied.capacity() > KEPT_MAX {
            self.copied = Vec::new();
        }
    }
}

/// The bytes of `copied` from `start` on, with the `shared` ones in their places.
fn slices<'a>(
    copied: &'a [u8],
    start: usize,
    shared: &'a [(usize, Bytes)],
) -> impl Iterator<Item = &'a [u8]> {
    let mut taken = start;
    let between = shared.iter().flat_map(move |(place, bytes)| {
        let before = copied.get(taken..*place).unwrap_or_default();
        taken = *place;
        [before, bytes.as_ref()]
    });
    let last = shared.last().map_or(start, |(place, _)| *place);
    between
        .chain(std::iter::once(copied.get(last..).unwrap_or_default()))
        .filter(|slice| !slice.is_empty())
}

/// Bytes from here on are kept by reference.
const SHARED_MIN: usize = 16 << 10;
/// Payloads over this are worth compressing; Python's rpyc draws the line here too.
const COMPRESS_MIN: usize = 3_000;
/// The largest buffer that is kept for later frames.
const KEPT_MAX: usize = 64 << 10;
