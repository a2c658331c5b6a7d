//! The versions of the wire.

use super::error::{DecodeError, DecodeErrorKind};

/// A version of the wire format, fixed for a connection by its first frames.
///
/// ```
/// use rpyc_core::codec::Dialect;
///
/// // A REQUEST of rpyc 6, and the same one with the ids of threads in front of it.
/// assert_eq!(Dialect::detect(b"\x01\x11\x50\x11\x53\x11\x51\x02")?, Dialect::V6);
/// let bound = [&[0; 16][..], b"\x01\x11\x50\x11\x53\x11\x51\x02"].concat();
/// assert_eq!(Dialect::detect(&bound)?, Dialect::V6.with_threads());
/// # Ok::<(), rpyc_core::codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dialect {
    threads: ThreadIds,
}

/// What stands in front of each message about threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum ThreadIds {
    /// Nothing.
    #[default]
    Absent,
    /// Two numbers of 32 bits: bind_threads of rpyc 5.3.0.
    Short,
    /// Two numbers of 64 bits: bind_threads of all later ones.
    Long,
}

impl Dialect {
    /// Python's rpyc 6.0 and later.
    pub const V6: Self = Self {
        threads: ThreadIds::Absent,
    };

    /// The same, of a peer that has `bind_threads` on: each message tells between which threads it goes.
    #[must_use]
    pub const fn with_threads(mut self) -> Self {
        self.threads = ThreadIds::Long;
        self
    }

    /// Whether each message tells between which threads it goes.
    #[must_use]
    pub const fn has_threads(self) -> bool {
        !matches!(self.threads, ThreadIds::Absent)
    }

    /// The dialect of a peer whose first payload (not an empty one) this is.
    ///
    /// # Errors
    ///
    /// No dialect spoken here starts so; the error says which program does.
    pub fn detect(first_payload: &[u8]) -> Result<Self, DecodeError> {
        // An id of a thread has a zero in its top byte wherever Python runs; no message begins so.
        let threads = match first_payload {
            [0, _, _, _, _, _, _, _, TUPLE_OF_3, ..] => ThreadIds::Short,
            [0, ..] => ThreadIds::Long,
            _ => ThreadIds::Absent,
        };
        let unknown = |first, looks_like| {
            DecodeError::new(0, DecodeErrorKind::UnknownDialect { first, looks_like })
        };
        match first_payload.get(threads.length()).copied() {
            None => Err(DecodeError::new(
                0,
                DecodeErrorKind::Truncated {
                    reading: "message type",
                    needed: threads.length().saturating_add(1),
                    left: first_payload.len(),
                },
            )),
            Some(1..=3) => Ok(Self { threads }),
            // A tuple of three: these versions put the message type into the value.
            Some(first @ (TUPLE_OF_3 | 0x14 | 0x15)) => {
                Err(unknown(first, "a peer with rpyc 5.3 or older"))
            }
            Some(first) => Err(unknown(first, "not a message of RPyC")),
        }
    }

    /// It, as a number for an atomic.
    pub(crate) const fn to_bits(self) -> u8 {
        match self.threads {
            ThreadIds::Absent => 0,
            ThreadIds::Short => 1,
            ThreadIds::Long => 2,
        }
    }

    /// What [`to_bits`](Self::to_bits) made the number of.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        let threads = match bits & 3 {
            0 => ThreadIds::Absent,
            1 => ThreadIds::Short,
            _ => ThreadIds::Long,
        };
        Self { threads }
    }

    pub(super) const fn threads(self) -> ThreadIds {
        self.threads
    }
}

impl ThreadIds {
    /// How many bytes they take.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Short => 8,
            Self::Long => 16,
        }
    }
}

const TUPLE_OF_3: u8 = 0x12;
