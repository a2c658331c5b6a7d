//! The cursor that all bytes are read through: it checks lengths and keeps the position for errors.

use bytes::Bytes;

use super::{
    dialect::Dialect,
    error::{DecodeError, DecodeErrorKind},
    frame::Payload,
    limits::Limits,
    string::SHARE_MIN,
    tag,
};

/// A cursor over one payload, with the budgets of that payload.
pub(super) struct Reader<'a> {
    payload: &'a [u8],
    /// The same, where values may share it.
    shared: Option<&'a Bytes>,
    rest: &'a [u8],
    /// Levels of nesting that may still be entered.
    levels: usize,
    /// Items that may still be begun.
    items: usize,
    /// Items of the containers entered that are still to be read; each takes at least one byte of the rest.
    owed: usize,
    limits: &'a Limits,
    dialect: Dialect,
}

impl<'a> Reader<'a> {
    pub(super) fn new(payload: &'a Bytes, limits: &'a Limits) -> Self {
        Self::over(payload, Some(payload), limits)
    }

    pub(super) fn of_payload(payload: &'a Payload<'_>, limits: &'a Limits) -> Self {
        match payload {
            Payload::Part(part) => Self::over(part, None, limits),
            Payload::Whole(whole) => Self::new(whole, limits),
        }
    }

    #[inline]
    fn over(payload: &'a [u8], shared: Option<&'a Bytes>, limits: &'a Limits) -> Self {
        Self {
            payload,
            shared,
            rest: payload,
            levels: limits.depth(),
            items: limits.max_items,
            owed: 0,
            limits,
            dialect: Dialect::V6,
        }
    }

    /// The same, over a message of the dialect.
    pub(super) fn of(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The same, to check only whether the payload is a value.
    ///
    /// A boxed tuple takes two levels on the wire for the one that it counts as, a message a few more; a boxed item
    /// is a pair with it.
    pub(super) fn lenient(mut self) -> Self {
        self.levels = self.levels.saturating_mul(2).saturating_add(8);
        self.items = self.items.saturating_mul(3).saturating_add(64);
        self
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where the next byte lies in the payload.
    pub(super) fn offset(&self) -> usize {
        self.payload.len().saturating_sub(self.rest.len())
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes, which are part of `reading`.
    pub(super) fn take(
        &mut self,
        reading: &'static str,
        count: usize,
    ) -> Result<&'a [u8], Box<DecodeError>> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.truncated(reading, count));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes, which are part of `reading`.
    pub(super) fn array<const N: usize>(
        &mut self,
        reading: &'static str,
    ) -> Result<[u8; N], Box<DecodeError>> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(reading, N));
        };
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self, reading: &'static str) -> Result<u8, Box<DecodeError>> {
        self.array(reading).map(|[byte]| byte)
    }

    /// Skips the next byte, if it is this tag; says whether it was.
    pub(super) fn skip(&mut self, tag: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == tag => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The next value, if it is an int as Python writes it, of up to 18 digits; else nothing is read.
    pub(super) fn short_int(&mut self) -> Option<i64> {
        let (first, rest) = self.rest.split_first()?;
        if let Some(int) = tag::small_int(*first) {
            self.rest = rest;
            return Some(int);
        }
        let (length, rest) = match *first {
            tag::INT_L1 => rest.split_first()?,
            _ => return None,
        };
        let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
        let int = match digits {
            [b'-', digits @ ..] => -decimal(digits)?,
            digits => decimal(digits)?,
        };
        self.rest = rest;
        Some(int)
    }

    /// The first of the pair that begins here, if it is an int of one byte; else nothing is read.
    pub(super) fn pair_of_small_int(&mut self) -> Option<i64> {
        let (head, rest) = self.rest.split_first_chunk()?;
        let int = match *head {
            [tag::TUPLE_2, first] => tag::small_int(first)?,
            _ => return None,
        };
        self.rest = rest;
        Some(int)
    }

    /// A length or a count of one byte.
    pub(super) fn short_length(
        &mut self,
        reading: &'static str,
    ) -> Result<usize, Box<DecodeError>> {
        self.u8(reading).map(usize::from)
    }

    /// A length or a count of four bytes.
    pub(super) fn long_length(&mut self, reading: &'static str) -> Result<usize, Box<DecodeError>> {
        // A length that is beyond usize is beyond the payload too.
        self.array(reading)
            .map(|bytes| usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX))
    }

    pub(super) fn f64(&mut self, reading: &'static str) -> Result<f64, Box<DecodeError>> {
        self.array(reading).map(f64::from_be_bytes)
    }

    /// The next `count` bytes as a buffer: shared with the payload where that wastes little, else a copy.
    ///
    /// A value that shares keeps the whole payload in memory, so it has to be a large part of it.
    pub(super) fn buffer(
        &mut self,
        reading: &'static str,
        count: usize,
    ) -> Result<Bytes, Box<DecodeError>> {
        let start = self.offset();
        let taken = self.take(reading, count)?;
        match self.shared {
            Some(payload) if self.shares(count) => {
                Ok(payload.slice(start..start.saturating_add(count)))
            }
            _ => Ok(Bytes::copy_from_slice(taken)),
        }
    }

    /// Whether something of `count` bytes shares the payload's buffer.
    pub(super) fn shares(&self, count: usize) -> bool {
        count >= SHARE_MIN && count >= self.payload.len() / 2 && self.shared.is_some()
    }

    /// Enters a container of `count` items, all of them still to be read. From now on memory for them may be
    /// reserved.
    pub(super) fn begin_items(&mut self, count: usize) -> Result<(), Box<DecodeError>> {
        let room = self.rest.len().saturating_sub(self.owed);
        if count > room {
            return Err(self.error(DecodeErrorKind::CountExceedsInput { count, left: room }));
        }
        let Some(items) = self.items.checked_sub(count) else {
            return Err(self.error(DecodeErrorKind::TooManyItems(self.limits.max_items)));
        };
        let Some(levels) = self.levels.checked_sub(1) else {
            return Err(self.error(DecodeErrorKind::TooDeep(self.limits.depth())));
        };
        self.levels = levels;
        self.items = items;
        self.owed = self.owed.saturating_add(count);
        Ok(())
    }

    /// Begins one of the items.
    pub(super) fn begin_item(&mut self) {
        self.owed = self.owed.saturating_sub(1);
    }

    /// Leaves the container.
    pub(super) fn end_items(&mut self) {
        self.levels = self.levels.saturating_add(1);
    }

    #[cold]
    pub(super) fn error(&self, kind: DecodeErrorKind) -> Box<DecodeError> {
        DecodeError::at(self.offset(), kind)
    }

    #[cold]
    fn truncated(&self, reading: &'static str, needed: usize) -> Box<DecodeError> {
        self.error(DecodeErrorKind::Truncated {
            reading,
            needed,
            left: self.rest.len(),
        })
    }
}

/// The number that these digits are, if they are some, and so few that it surely fits 64 bits.
pub(super) fn decimal(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > SHORT_DIGITS {
        return None;
    }
    digits.iter().try_fold(0, |number: i64, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    })
}

/// Decimal digits that surely fit 64 bits.
const SHORT_DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_and_other_bytes_are_none_however_many() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(
            decimal(&[b'9'; SHORT_DIGITS]),
            Some(999_999_999_999_999_999)
        );
        assert_eq!(decimal(&[b'9'; SHORT_DIGITS + 1]), None);
        assert_eq!(decimal(b""), None);
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
            for length in 1..=SHORT_DIGITS {
                assert_eq!(decimal(&vec![byte; length]), None);
            }
        }
    }
}
