//! Why bytes could not be read, or a value not be written.

use super::deflate::InflateError;

/// The peer's bytes are not what the wire format allows.
///
/// The connection they came from can't be used any further, because nothing tells where its next value begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}, at byte {offset} of the payload")]
#[non_exhaustive]
pub struct DecodeError {
    /// Where in the payload the thing that could not be read begins.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// In a box, as the functions that read return it.
    #[cold]
    pub(crate) fn at(offset: usize, kind: DecodeErrorKind) -> Box<Self> {
        Box::new(Self { offset, kind })
    }
}

// The functions that read and write return errors in boxes: a result is moved at every step.
impl From<Box<DecodeError>> for DecodeError {
    fn from(error: Box<DecodeError>) -> Self {
        *error
    }
}

impl From<Box<EncodeError>> for EncodeError {
    fn from(error: Box<EncodeError>) -> Self {
        *error
    }
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The payload ends inside the thing being read.
    #[error("{reading} needs {needed} bytes and {left} are left")]
    Truncated {
        /// The thing being read.
        reading: &'static str,
        /// How many bytes it takes.
        needed: usize,
        /// How many there are.
        left: usize,
    },
    /// A tuple announces more items than bytes are left for.
    #[error("tuple of {count} items in front of {left} bytes")]
    CountExceedsInput {
        /// The announced count.
        count: usize,
        /// The bytes that could hold items, at one byte each.
        left: usize,
    },
    /// More items in one payload than [`max_items`](super::Limits#structfield.max_items).
    #[error("more than {0} items in one payload")]
    TooManyItems(usize),
    /// Deeper nesting than [`max_depth`](super::Limits#structfield.max_depth).
    #[error("value nested deeper than {0} levels")]
    TooDeep(usize),
    /// An unknown tag byte.
    #[error("unknown tag {0:#04x}")]
    UnknownTag(u8),
    /// A value of one kind where the format wants another.
    #[error("{reading} made of a value with tag {found:#04x}")]
    UnexpectedTag {
        /// The thing being read.
        reading: &'static str,
        /// The tag found.
        found: u8,
    },
    /// A fixed-size tuple of another size.
    #[error("{reading} of {found} parts instead of {expected}")]
    WrongCount {
        /// The thing being read.
        reading: &'static str,
        /// The parts it must have.
        expected: usize,
        /// The parts it has.
        found: usize,
    },
    /// Text that is not UTF-8.
    #[error("str that is not UTF-8")]
    InvalidUtf8,
    /// An int whose text is not `-?[0-9]+`.
    #[error("int that is not decimal digits")]
    InvalidInt,
    /// An int of more digits than [`max_int_digits`](super::Limits#structfield.max_int_digits).
    #[error("int of {digits} digits, more than {limit}")]
    IntTooLong {
        /// How many digits it has.
        digits: usize,
        /// The limit.
        limit: usize,
    },
    /// Bytes after the value, where the caller asked for none.
    #[error("{0} bytes after the value")]
    TrailingBytes(usize),
    /// A message type other than request, reply and exception.
    #[error("unknown message type {0}")]
    UnknownMessage(u8),
    /// A sequence number longer than [`max_seq`](super::Limits#structfield.max_seq).
    #[error("sequence number of {length} bytes, more than {limit}")]
    SeqTooLong {
        /// Its encoded length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The first payload is no message of any version of RPyC.
    #[error("first message starts with {first:#04x}, as none of RPyC does")]
    UnknownDialect {
        /// The message's first byte.
        first: u8,
    },
}

/// A value can't be written: it is our side that would break a rule of the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Deeper nesting than [`max_depth`](super::Limits#structfield.max_depth).
    #[error("value nested deeper than {0} levels")]
    TooDeep(usize),
    /// More items in one payload than [`max_items`](super::Limits#structfield.max_items).
    #[error("more than {0} items in one message")]
    TooManyItems(usize),
    /// An int of more digits than [`max_int_digits`](super::Limits#structfield.max_int_digits).
    #[error("int of more than {0} digits")]
    IntTooLong(usize),
    /// A payload longer than [`max_frame`](super::Limits#structfield.max_frame), or than a header can say.
    #[error("message of {length} bytes, more than {limit}")]
    TooLarge {
        /// The payload's length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A type by value, to a peer that can't read it: rpyc-ng alone can.
    #[error("the peer takes no type by value ('{name}')")]
    TypeByValue {
        /// The type's name.
        name: &'static str,
    },
    /// [`FrameBuf::finish`](super::FrameBuf::finish) without a frame begun: a mistake of the calling code.
    #[error("no frame was begun")]
    NoFrame,
}

/// A well-formed value that is not what its place in a message asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {found}")]
#[non_exhaustive]
pub struct ShapeError {
    /// What belongs there.
    pub expected: &'static str,
    /// What is there, by its Python type name.
    pub found: &'static str,
}

impl ShapeError {
    pub(crate) fn new(expected: &'static str, found: &'static str) -> Self {
        Self { expected, found }
    }
}

/// A stream of bytes that is not a sequence of frames. The stream can't be used any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream starts like another protocol.
    #[error("the peer speaks {looks_like}, not RPyC")]
    NotRpyc {
        /// `"TLS"`, `"HTTP"` or `"SSH"`.
        looks_like: &'static str,
    },
    /// A header announces more than [`max_frame`](super::Limits#structfield.max_frame).
    #[error("frame of {length} bytes at byte {offset} of the stream, more than {limit}")]
    TooLarge {
        /// The announced length.
        length: usize,
        /// The limit.
        limit: usize,
        /// Where the frame begins.
        offset: u64,
    },
    /// The byte after the payload is not a newline.
    #[error("frame at byte {offset} of the stream ends with {found:#04x} instead of a newline")]
    BadTerminator {
        /// The byte found.
        found: u8,
        /// Where the frame begins.
        offset: u64,
    },
    /// A compressed payload that can't be inflated.
    #[error("frame at byte {offset} of the stream can't be inflated")]
    Inflate {
        /// Where the frame begins.
        offset: u64,
        /// Why.
        source: InflateError,
    },
}
