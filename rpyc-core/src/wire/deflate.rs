//! Compressed payloads: the only file that knows the zlib crate.

use std::io::{self, Write};

use flate2::Compression;
use flate2::bufread::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::limits::Limits;

/// Why a compressed payload can't be inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// The bytes are no zlib stream.
    #[error("not a zlib stream")]
    Corrupt,
    /// The zlib stream has no end.
    #[error("truncated zlib stream")]
    Truncated,
    /// The result is over [`max_inflated`](super::Limits#structfield.max_inflated), or over
    /// [`max_inflate_ratio`](super::Limits#structfield.max_inflate_ratio) times the size it came in.
    #[error("{compressed} bytes inflate to more than {limit}")]
    TooLarge {
        /// The bytes that came.
        compressed: usize,
        /// The most that they may become.
        limit: usize,
    },
    /// This machine has no memory for the result.
    #[error("no memory for what {compressed} bytes inflate to")]
    OutOfMemory {
        /// The bytes that came.
        compressed: usize,
    },
}

/// Inflates a zlib stream. What follows the stream is ignored, as Python does.
// Kept out of its callers: its state is large, and a stack that was once that deep stays in memory for as long
// as the connection does.
#[inline(never)]
pub(super) fn inflate(compressed: &[u8], limits: &Limits) -> Result<Vec<u8>, InflateError> {
    let limit = inflated_limit(compressed.len(), limits);
    let mut inflated = Bounded::new(limit);
    let outcome = io::copy(&mut ZlibDecoder::new(compressed), &mut inflated);
    let compressed = compressed.len();
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => InflateError::Truncated,
        io::ErrorKind::FileTooLarge => InflateError::TooLarge { compressed, limit },
        io::ErrorKind::OutOfMemory => InflateError::OutOfMemory { compressed },
        _ => InflateError::Corrupt,
    })?;
    // A value that shares the buffer keeps all of it.
    inflated.bytes.shrink_to_fit();
    Ok(inflated.bytes)
}

/// A zlib stream of the parts in a row, if that is shorter than they are and a receiver with equal limits inflates
/// it.
// As `inflate`.
#[inline(never)]
pub(super) fn deflate<'a>(
    parts: impl Iterator<Item = &'a [u8]>,
    length: usize,
    limits: &Limits,
) -> Option<Vec<u8>> {
    // When the room, which is smaller than the input, is used up, compressing doesn't pay.
    let out = Bounded::new(length.saturating_sub(1));
    let mut zlib = ZlibEncoder::new(out, Compression::fast());
    for part in parts {
        zlib.write_all(part).ok()?;
    }
    let deflated = zlib.finish().ok()?.bytes;
    (length <= inflated_limit(deflated.len(), limits)).then_some(deflated)
}

/// Bytes, as long as there is room for them. Their memory grows with them, and not beyond that room.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Bounded {
    fn new(room: usize) -> Self {
        let bytes = Vec::new();
        Self { bytes, room }
    }
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if more.len() > self.room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if more.len() > self.bytes.capacity().saturating_sub(self.bytes.len()) {
            let grown = self.bytes.len().max(more.len()).min(self.room);
            self.bytes.try_reserve_exact(grown)?;
        }
        self.bytes.extend_from_slice(more);
        self.room = self.room.saturating_sub(more.len());
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The most that `compressed` bytes may inflate to.
fn inflated_limit(compressed: usize, limits: &Limits) -> usize {
    compressed
        .saturating_mul(limits.max_inflate_ratio)
        .max(Limits::RATIO_FREE)
        .min(limits.max_inflated)
}
