//! Values into bytes.

use super::{
    dialect::Dialect, error::EncodeError, framebuf::FrameBuf, int::Int, limits::Limits, tag,
    value::Value,
};

/// The bytes of `value`.
///
/// # Errors
///
/// The value is beyond `limits`.
pub fn encode_to_vec(value: &Value, limits: &Limits) -> Result<Vec<u8>, EncodeError> {
    let mut out = FrameBuf::new();
    Writer::new(&mut out, limits).value(value)?;
    Ok(out.into_bytes())
}

/// What writes one message, with the budgets of that message.
pub(super) struct Writer<'a> {
    out: &'a mut FrameBuf,
    /// Levels of nesting that may still be entered.
    levels: usize,
    /// Items that may still be written.
    items: usize,
    limits: &'a Limits,
    dialect: Dialect,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut FrameBuf, limits: &'a Limits) -> Self {
        Self {
            out,
            levels: limits.depth(),
            items: limits.max_items,
            limits,
            dialect: Dialect::V6,
        }
    }

    /// The same, for a message of the dialect.
    pub(super) fn of(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn value(&mut self, value: &Value) -> Result<(), Box<EncodeError>> {
        match value {
            Value::None => self.put(&[tag::NONE]),
            Value::NotImplemented => self.put(&[tag::NOT_IMPLEMENTED]),
            Value::Ellipsis => self.put(&[tag::ELLIPSIS]),
            Value::Bool(true) => self.put(&[tag::TRUE]),
            Value::Bool(false) => self.put(&[tag::FALSE]),
            Value::Int(int) => self.int(int)?,
            Value::Float(float) => {
                self.put(&[tag::FLOAT]);
                self.put(&float.to_be_bytes());
            }
            Value::Complex(real, imaginary) => {
                self.put(&[tag::COMPLEX]);
                self.put(&real.to_be_bytes());
                self.put(&imaginary.to_be_bytes());
            }
            Value::Bytes(bytes) => {
                self.header(tag::BYTES, bytes.len())?;
                self.out.put_shared(bytes);
            }
            Value::Str(text) => {
                self.text_header(text.len())?;
                match text.shared() {
                    Some(buffer) => self.out.put_shared(buffer),
                    None => self.put(text.as_bytes()),
                }
            }
            Value::Tuple(items) => self.items(items)?,
            Value::FrozenSet(items) => {
                self.put(&[tag::FROZENSET]);
                self.items(items)?;
            }
            Value::Slice(parts) => {
                self.put(&[tag::SLICE]);
                self.items(&parts[..])?;
            }
            Value::Type(plain) if self.dialect.writes_type(*plain) => self.put(&[plain.tag()]),
            Value::Type(plain) => {
                return Err(EncodeError::TypeByValue { name: plain.name() }.into());
            }
        }
        Ok(())
    }

    /// Writes the items as a tuple.
    pub(super) fn items(&mut self, items: &[Value]) -> Result<(), Box<EncodeError>> {
        self.begin_items(items.len())?;
        for item in items {
            self.value(item)?;
        }
        self.end_items(items.len());
        Ok(())
    }

    /// Begins a tuple of `count` items, which the caller writes, and then ends it.
    pub(super) fn begin_items(&mut self, count: usize) -> Result<(), Box<EncodeError>> {
        let Some(items) = self.items.checked_sub(count) else {
            return Err(self.too_many_items());
        };
        self.items = items;
        self.tuple_header(count)?;
        if count > 0 {
            self.levels = match self.levels.checked_sub(1) {
                Some(levels) => levels,
                None => return Err(self.too_deep()),
            };
        }
        Ok(())
    }

    /// Ends a tuple of `count` items.
    pub(super) fn end_items(&mut self, count: usize) {
        self.levels = self.levels.saturating_add(usize::from(count > 0));
    }

    #[inline(always)]
    pub(super) fn tuple_header(&mut self, count: usize) -> Result<(), Box<EncodeError>> {
        self.header(tag::TUPLE, count)
    }

    /// Writes an int that surely fits.
    pub(super) fn small_int(&mut self, int: i64) {
        match tag::of_small_int(int) {
            Some(tag) => self.put(&[tag]),
            None => self.decimal(itoa::Buffer::new().format(int)),
        }
    }

    /// Begins a pair whose first item is this int, which surely fits.
    pub(super) fn pair_of(&mut self, int: i64) {
        match tag::of_small_int(int) {
            Some(tag) => self.put(&[tag::TUPLE_2, tag]),
            None => {
                self.put(&[tag::TUPLE_2]);
                self.small_int(int);
            }
        }
    }

    pub(super) fn unsigned(&mut self, int: u64) {
        match i64::try_from(int) {
            Ok(int) => self.small_int(int),
            Err(_) => self.decimal(itoa::Buffer::new().format(int)),
        }
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Box<EncodeError>> {
        self.text_header(text.len())?;
        self.put(text.as_bytes());
        Ok(())
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    fn int(&mut self, int: &Int) -> Result<(), Box<EncodeError>> {
        if let Some(small) = int.to_i64() {
            self.small_int(small);
            return Ok(());
        }
        if int.exceeds_digits(self.limits.max_int_digits) {
            return Err(EncodeError::IntTooLong(self.limits.max_int_digits).into());
        }
        let text = int.to_string();
        match u8::try_from(text.len()) {
            Ok(short) => self.put(&[tag::INT_L1, short]),
            Err(_) => self.long_header(tag::INT_L4, text.len())?,
        }
        self.put(text.as_bytes());
        Ok(())
    }

    /// Writes an int of up to 64 bits, which is this text.
    fn decimal(&mut self, text: &str) {
        // There are 20 bytes at the most.
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.put(&[tag::INT_L1, length]);
        self.put(text.as_bytes());
    }

    fn text_header(&mut self, length: usize) -> Result<(), Box<EncodeError>> {
        self.put(&[tag::STR]);
        self.header(tag::BYTES, length)
    }

    /// Writes a tag of this family, and the length where the tag doesn't say it.
    #[inline(always)]
    fn header(&mut self, tags: tag::Family, length: usize) -> Result<(), Box<EncodeError>> {
        match (length, u8::try_from(length)) {
            (0, _) => self.put(&[tags.empty]),
            (_, Ok(short @ 1..=4)) => self.put(&[tags.one + (short - 1)]),
            (_, Ok(short)) => self.put(&[tags.l1, short]),
            (_, Err(_)) => self.long_header(tags.l4, length)?,
        }
        Ok(())
    }

    #[cold]
    fn long_header(&mut self, tag: u8, length: usize) -> Result<(), Box<EncodeError>> {
        let long = u32::try_from(length).map_err(|_| EncodeError::TooLarge {
            length,
            limit: usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        })?;
        self.put(&[tag]);
        self.put(&long.to_be_bytes());
        Ok(())
    }

    #[cold]
    fn too_many_items(&self) -> Box<EncodeError> {
        EncodeError::TooManyItems(self.limits.max_items).into()
    }

    #[cold]
    fn too_deep(&self) -> Box<EncodeError> {
        EncodeError::TooDeep(self.limits.depth()).into()
    }
}
