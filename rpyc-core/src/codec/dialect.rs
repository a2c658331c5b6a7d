//! The versions of the wire.

use super::error::{DecodeError, DecodeErrorKind};

/// A version of the wire format, fixed for a connection by its first frames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Python's rpyc 6.0 and later.
    #[default]
    V6,
}

impl Dialect {
    /// The dialect of a peer whose first payload (not an empty one) this is.
    ///
    /// # Errors
    ///
    /// No dialect spoken here starts so; the error says which program does.
    pub fn detect(first_payload: &[u8]) -> Result<Self, DecodeError> {
        let unknown = |first, looks_like| {
            DecodeError::new(0, DecodeErrorKind::UnknownDialect { first, looks_like })
        };
        match first_payload.first().copied() {
            None => Err(DecodeError::new(
                0,
                DecodeErrorKind::Truncated {
                    reading: "message type",
                    needed: 1,
                    left: 0,
                },
            )),
            Some(1..=3) => Ok(Self::V6),
            // A tuple of three: these versions put the message type into the value.
            Some(first @ (0x12 | 0x14 | 0x15)) => {
                Err(unknown(first, "a peer with rpyc 5.3 or older"))
            }
            // The first byte of a thread id of 64 bits.
            Some(first @ 0) => Err(unknown(first, "a peer with bind_threads on")),
            Some(first) => Err(unknown(first, "not a message of RPyC")),
        }
    }
}
