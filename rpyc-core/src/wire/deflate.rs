//! Compressed payloads: the only file that knows the zlib crate.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

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
    let mut zlib = Decompress::new(true);
    let mut rest = compressed;
    let mut inflated = Vec::new();
    loop {
        if inflated.len() == inflated.capacity() {
            // One byte over the limit tells a result that just fits from one that doesn't.
            let room = limit.saturating_add(1).saturating_sub(inflated.len());
            if room == 0 {
                return Err(InflateError::TooLarge {
                    compressed: compressed.len(),
                    limit,
                });
            }
            // Memory grows with the bytes that have come out, not with a length that was announced.
            let more = inflated
                .len()
                .max(compressed.len().saturating_mul(2))
                .max(INFLATE_MIN)
                .min(room);
            inflated
                .try_reserve_exact(more)
                .map_err(|_| InflateError::OutOfMemory {
                    compressed: compressed.len(),
                })?;
        }
        let (taken_before, given_before) = (zlib.total_in(), zlib.total_out());
        let status = zlib
            .decompress_vec(rest, &mut inflated, FlushDecompress::None)
            .map_err(|_| InflateError::Corrupt)?;
        let taken =
            usize::try_from(zlib.total_in().saturating_sub(taken_before)).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        if status == Status::StreamEnd {
            break;
        }
        let stuck = taken == 0 && zlib.total_out() == given_before;
        if stuck && inflated.len() < inflated.capacity() {
            return Err(InflateError::Truncated);
        }
    }
    if inflated.len() > limit {
        return Err(InflateError::TooLarge {
            compressed: compressed.len(),
            limit,
        });
    }
    // A value that shares the buffer keeps all of it.
    inflated.shrink_to_fit();
    Ok(inflated)
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
    let mut zlib = Compress::new(Compression::fast(), true);
    // The room is smaller than the input: when it is used up, compressing doesn't pay.
    let mut deflated = Vec::with_capacity(DEFLATE_MIN.min(length.saturating_sub(1)));
    for mut part in parts {
        while !part.is_empty() {
            grow(&mut deflated, length)?;
            let before = zlib.total_in();
            zlib.compress_vec(part, &mut deflated, FlushCompress::None)
                .ok()?;
            let taken = usize::try_from(zlib.total_in().saturating_sub(before)).ok()?;
            part = part.get(taken..)?;
        }
    }
    loop {
        grow(&mut deflated, length)?;
        if zlib
            .compress_vec(&[], &mut deflated, FlushCompress::Finish)
            .ok()?
            == Status::StreamEnd
        {
            break;
        }
    }
    (length <= inflated_limit(deflated.len(), limits)).then_some(deflated)
}

/// Makes room for more output, unless that would make it as long as the input.
fn grow(deflated: &mut Vec<u8>, length: usize) -> Option<()> {
    if deflated.len() == deflated.capacity() {
        let room = length.saturating_sub(1).saturating_sub(deflated.len());
        if room == 0 {
            return None;
        }
        deflated
            .try_reserve_exact(deflated.len().max(DEFLATE_MIN).min(room))
            .ok()?;
    }
    Some(())
}

/// The most that `compressed` bytes may inflate to.
fn inflated_limit(compressed: usize, limits: &Limits) -> usize {
    compressed
        .saturating_mul(limits.max_inflate_ratio)
        .max(Limits::RATIO_FREE)
        .min(limits.max_inflated)
}

/// The least that is reserved for inflated bytes at a time.
const INFLATE_MIN: usize = 4 << 10;
/// The least that is reserved for deflated bytes at a time.
const DEFLATE_MIN: usize = 1 << 10;
