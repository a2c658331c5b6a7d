//! The tag bytes of brine, the encoding of one immutable value.

pub(super) const NONE: u8 = 0x00;
pub(super) const TRUE: u8 = 0x03;
pub(super) const FALSE: u8 = 0x04;
pub(super) const NOT_IMPLEMENTED: u8 = 0x05;
pub(super) const ELLIPSIS: u8 = 0x06;
/// Text: the tag, then a bytes value.
pub(super) const STR: u8 = 0x08;
/// An int of Python 2's long type: the tag, then an int value, or a bytes value with its decimal
/// text. Read, never written.
pub(super) const PY2_LONG: u8 = 0x09;
/// The tags of bytes values and of tuples: of the empty one, of one byte or item (those of two to four come behind
/// it), and of a length of one byte and of four.
#[derive(Clone, Copy)]
pub(super) struct Family {
    pub(super) empty: u8,
    pub(super) one: u8,
    pub(super) l1: u8,
    pub(super) l4: u8,
}
pub(super) const BYTES: Family = Family {
    empty: 0x01,
    one: 0x0a,
    l1: 0x0e,
    l4: 0x0f,
};
pub(super) const EMPTY_BYTES: u8 = BYTES.empty;
pub(super) const BYTES_1: u8 = BYTES.one;
pub(super) const BYTES_L4: u8 = BYTES.l4;
pub(super) const TUPLE: Family = Family {
    empty: 0x02,
    one: 0x10,
    l1: 0x14,
    l4: 0x15,
};
pub(super) const EMPTY_TUPLE: u8 = TUPLE.empty;
pub(super) const TUPLE_1: u8 = TUPLE.one;
pub(super) const TUPLE_2: u8 = 0x11;
pub(super) const TUPLE_3: u8 = 0x12;
pub(super) const TUPLE_L1: u8 = TUPLE.l1;
pub(super) const TUPLE_L4: u8 = TUPLE.l4;
/// An int as decimal text with a length of one byte.
pub(super) const INT_L1: u8 = 0x16;
/// An int as decimal text with a length of four bytes.
pub(super) const INT_L4: u8 = 0x17;
pub(super) const FLOAT: u8 = 0x18;
/// A slice: the tag, then a tuple of start, stop and step.
pub(super) const SLICE: u8 = 0x19;
/// A frozenset: the tag, then a tuple of its items.
pub(super) const FROZENSET: u8 = 0x1a;
pub(super) const COMPLEX: u8 = 0x1b;

/// What a small int's tag exceeds its value by.
const SMALL_INT_BIAS: i64 = 0x50;

/// The tag that an int is by itself, if it has one.
pub(super) fn of_small_int(int: i64) -> Option<u8> {
    let tag = u8::try_from(int.saturating_add(SMALL_INT_BIAS)).ok()?;
    small_int(tag).map(|_| tag)
}

/// The int that a tag is by itself, if it is one.
pub(super) fn small_int(tag: u8) -> Option<i64> {
    matches!(tag, 0x20..=0xef).then(|| i64::from(tag) - SMALL_INT_BIAS)
}
