//! Lists, dicts and sets of this side as Python's pickles, with all that they hold.

use bytes::Bytes;

use super::{Any, Context, ObjectRef, ObjectResult};
use super::{Dict, List, Set};
use crate::exception::Exception;
use crate::wire::{PlainType, Value};

/// Pickles one of our own lists, dicts and sets; `None` where the object is something else.
/// The pickle takes `limit` bytes at the most.
pub(crate) fn pickled(
    cx: &Context<'_>,
    object: &ObjectRef,
    limit: usize,
) -> Option<ObjectResult<Bytes>> {
    let mut writer = Writer::begin(limit);
    let written = writer.container(cx, object)?;
    Some(written.map(|()| Bytes::from(writer.finish())))
}

/// No opcode here needs the memo, so that pickles of ours can stand within each other.
pub(crate) struct Writer {
    pub(crate) out: Vec<u8>,
    limit: usize,
    depth: usize,
}

impl Writer {
    /// Begins a pickle of that many bytes at the most.
    pub(crate) fn begin(limit: usize) -> Writer {
        Writer {
            out: vec![0x80, PROTOCOL],
            limit,
            depth: 0,
        }
    }

    /// Begins what stands within another pickle, behind a mark.
    pub(crate) fn within_another(mark: &[u8]) -> Writer {
        Writer {
            out: mark.to_vec(),
            limit: usize::MAX,
            depth: 0,
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'.');
        self.out
    }

    fn container(&mut self, cx: &Context<'_>, object: &ObjectRef) -> Option<ObjectResult<()>> {
        if let Some(list) = List::of_object(object) {
            return Some(self.nested(b"](", &list.items(), b"e", cx));
        }
        if let Some(set) = Set::of_object(object) {
            return Some(self.nested(b"\x8f(", &set.elements(), b"\x90", cx));
        }
        let dict = Dict::of_object(object)?;
        let entries = dict.items().into_iter();
        let entries: Vec<Any> = entries.flat_map(|(key, value)| [key, value]).collect();
        Some(self.nested(b"}(", &entries, b"u", cx))
    }

    fn nested(
        &mut self,
        begin: &[u8],
        items: &[Any],
        end: &[u8],
        cx: &Context<'_>,
    ) -> ObjectResult<()> {
        self.within(begin, items, end, |writer, item| writer.any(cx, item))
    }

    fn within<T>(
        &mut self,
        begin: &[u8],
        items: &[T],
        end: &[u8],
        mut write: impl FnMut(&mut Writer, &T) -> ObjectResult<()>,
    ) -> ObjectResult<()> {
        if self.depth == MAX_DEPTH {
            let error = Exception::builtin("RecursionError");
            return Err(error.with_arg(format!(
                "cannot be copied: nested more than {MAX_DEPTH} deep, or in itself"
            )));
        }
        self.depth += 1;
        self.put(begin)?;
        for item in items {
            write(self, item)?;
        }
        self.put(end)?;
        self.depth -= 1;
        Ok(())
    }

    fn any(&mut self, cx: &Context<'_>, any: &Any) -> ObjectResult<()> {
        match any {
            Any::Value(value) => self.value(value),
            Any::Tuple(items) => self.nested(b"(", items, b"t", cx),
            Any::Local(object) => match self.container(cx, object) {
                Some(written) => written,
                None => {
                    let pickle = object.pickle(cx, PLAIN_PICKLE)?;
                    match pickle.strip_prefix(&PLAIN_MARK) {
                        Some(plain) => self.put(plain),
                        None => self.loads(&pickle),
                    }
                }
            },
            Any::Netref(netref) => {
                let pickle = netref.pickle(PROTOCOL.into())?;
                self.loads(&pickle)
            }
        }
    }

    /// A pickle that somebody else has written, as Python nests them: the reader loads it.
    fn loads(&mut self, pickle: &[u8]) -> ObjectResult<()> {
        self.put(b"cpickle\nloads\n")?;
        self.sized(b'B', pickle)?;
        self.put(b"\x85R")
    }

    pub(crate) fn value(&mut self, value: &Value) -> ObjectResult<()> {
        match value {
            Value::None => self.put(b"N"),
            Value::NotImplemented => self.put(b"cbuiltins\nNotImplemented\n"),
            Value::Ellipsis => self.put(b"cbuiltins\nEllipsis\n"),
            Value::Bool(flag) => self.put(if *flag { b"\x88" } else { b"\x89" }),
            Value::Int(int) => {
                if let Some(small) = int.to_i64().and_then(|int| i32::try_from(int).ok()) {
                    self.put(b"J")?;
                    return self.put(&small.to_le_bytes());
                }
                let digits = int.to_bigint().to_signed_bytes_le();
                let length = u32::try_from(digits.len()).map_err(|_| too_much())?;
                self.put(b"\x8b")?;
                self.put(&length.to_le_bytes())?;
                self.put(&digits)
            }
            Value::Float(float) => self.float(*float),
            Value::Complex(real, imaginary) => {
                self.put(b"cbuiltins\ncomplex\n")?;
                self.float(*real)?;
                self.float(*imaginary)?;
                self.put(b"\x86R")
            }
            Value::Bytes(bytes) => self.sized(b'B', bytes),
            Value::Str(text) => self.sized(b'X', text.as_bytes()),
            Value::Tuple(items) => self.within(b"(", items, b"t", Writer::value),
            Value::FrozenSet(items) => self.within(b"(", items, b"\x91", Writer::value),
            Value::Slice(parts) => {
                self.within(b"cbuiltins\nslice\n(", &**parts, b"tR", Writer::value)
            }
            // What has no name among the builtins.
            Value::Type(PlainType::None) => self.type_of(&Value::None),
            Value::Type(PlainType::NotImplemented) => self.type_of(&Value::NotImplemented),
            Value::Type(PlainType::Ellipsis) => self.type_of(&Value::Ellipsis),
            Value::Type(plain) => self.put(format!("cbuiltins\n{}\n", plain.name()).as_bytes()),
        }
    }

    fn type_of(&mut self, value: &Value) -> ObjectResult<()> {
        self.put(b"cbuiltins\ntype\n")?;
        self.value(value)?;
        self.put(b"\x85R")
    }

    fn float(&mut self, float: f64) -> ObjectResult<()> {
        self.put(b"G")?;
        self.put(&float.to_be_bytes())
    }

    fn sized(&mut self, opcode: u8, bytes: &[u8]) -> ObjectResult<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| too_much())?;
        self.put(&[opcode])?;
        self.put(&length.to_le_bytes())?;
        self.put(bytes)
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> ObjectResult<()> {
        if self.limit.saturating_sub(self.out.len()) < bytes.len() {
            return Err(too_much());
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

fn too_much() -> Exception {
    let error = Exception::builtin("MemoryError");
    error.with_arg("cannot be copied: larger than a frame may be")
}

/// Every Python from 3.4 on reads it.
const PROTOCOL: u8 = 4;

/// Asks an object of ours for a pickle that can stand within another. What can't give one answers as
/// with any negative number: in the highest protocol.
pub(crate) const PLAIN_PICKLE: i64 = -0x706c;

/// Begins such a pickle, which has neither its header nor its end. No pickle begins with it.
pub(crate) const PLAIN_MARK: [u8; 2] = [0xc1, 0xc1];

/// A list that is in itself ends here; writing and reading recurse.
const MAX_DEPTH: usize = 100;
