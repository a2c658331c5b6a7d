//! Text that is cheap to clone.

use std::{borrow::Borrow, fmt, hash::Hash, hash::Hasher, ops::Deref, sync::Arc};

use bytes::Bytes;
use bytestring::ByteString;
use compact_str::CompactString;

/// Immutable text: a Python `str`.
///
/// A clone costs a count, not a copy. Long text that came over the wire may share the buffer of its frame.
#[derive(Clone)]
pub struct Str(Repr);

#[derive(Clone)]
enum Repr {
    /// Text of up to 24 bytes, in place: most names are that short. Or text of the program's.
    Short(CompactString),
    /// Other text that isn't long, in one allocation of its own.
    Owned(Arc<str>),
    /// Long text, in a buffer that a frame or a caller filled. Boxed, so that no text is larger than a short one.
    Shared(Box<ByteString>),
}

impl Str {
    /// Text that lives in the program itself: no allocation.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Short(CompactString::const_new(text)))
    }

    /// The two texts in a row.
    pub(crate) fn joined(first: &str, second: &str) -> Self {
        let length = first.len().saturating_add(second.len());
        if length > SHORT_MAX {
            return [first, second].concat().into();
        }
        let mut text = CompactString::from(first);
        text.push_str(second);
        Self(Repr::Short(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Short(text) => text,
            Repr::Owned(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// The path of a module or a class as Python writes it: `lab::errors` is `lab.errors`.
    pub(crate) fn dotted(self) -> Self {
        match self.contains("::") {
            true => Self::from(self.replace("::", ".")),
            false => self,
        }
    }

    /// How many bytes were allocated for it; where it shares a buffer, its own part.
    pub(super) fn allocated(&self) -> usize {
        match &self.0 {
            Repr::Short(text) if text.is_heap_allocated() => text.capacity(),
            Repr::Short(_) => 0,
            // The text stands behind its two counts.
            Repr::Owned(text) => text.len().saturating_add(2 * size_of::<usize>()),
            Repr::Shared(text) => text.len().saturating_add(size_of::<ByteString>()),
        }
    }

    /// Text of a buffer that is kept, not copied.
    pub(super) fn from_shared(buffer: Bytes) -> Result<Self, std::str::Utf8Error> {
        ByteString::try_from(buffer).map(|text| Self(Repr::Shared(Box::new(text))))
    }

    /// The buffer, where the text has one that can be shared.
    pub(super) fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Shared(text) => Some(text.as_bytes()),
            Repr::Short(_) | Repr::Owned(_) => None,
        }
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl Default for Str {
    fn default() -> Self {
        Self::from_static("")
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        if text.len() <= SHORT_MAX {
            Self(Repr::Short(text.into()))
        } else {
            Self(Repr::Owned(text.into()))
        }
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        if text.len() < SHARE_MIN {
            text.as_str().into()
        } else {
            Self(Repr::Shared(Box::new(text.into())))
        }
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Arc<str>> for Str {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Owned(text))
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Str {
    // The hash of a `str`: `Borrow<str>` requires it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Text that needs no allocation.
const SHORT_MAX: usize = size_of::<CompactString>();

/// Text from here on keeps its buffer instead of being copied.
pub(super) const SHARE_MIN: usize = 4 << 10;
