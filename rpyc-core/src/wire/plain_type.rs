//! The types that rpyc-ng sends by value.

use super::tag;

/// The type of a plain value. Only rpyc-ng sends and takes one by value; for every other peer a class is a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlainType {
    /// `type(None)`
    None,
    /// `int`
    Int,
    /// `bool`
    Bool,
    /// `float`
    Float,
    /// `bytes`
    Bytes,
    /// `str`
    Str,
    /// `complex`
    Complex,
    /// `type(NotImplemented)`
    NotImplemented,
    /// `type(...)`
    Ellipsis,
}

impl PlainType {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::Int,
        Self::Bool,
        Self::Float,
        Self::Bytes,
        Self::Str,
        Self::Complex,
        Self::NotImplemented,
        Self::Ellipsis,
    ];

    /// Its name, as `__name__` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Float => "float",
            Self::Bytes => "bytes",
            Self::Str => "str",
            Self::Complex => "complex",
            Self::NotImplemented => "NotImplementedType",
            Self::Ellipsis => "ellipsis",
        }
    }

    /// Whether rpyc-ng can read what it would be sent as: of two types it only writes the tags.
    #[must_use]
    pub const fn is_read_everywhere(self) -> bool {
        !matches!(self, Self::NotImplemented | Self::Ellipsis)
    }

    pub(super) const fn tag(self) -> u8 {
        match self {
            Self::None => tag::TYPE_NONE,
            Self::Int => tag::TYPE_INT,
            Self::Bool => tag::TYPE_BOOL,
            Self::Float => tag::TYPE_FLOAT,
            Self::Bytes => tag::TYPE_BYTES,
            Self::Str => tag::TYPE_STR,
            Self::Complex => tag::TYPE_COMPLEX,
            Self::NotImplemented => tag::TYPE_NOT_IMPLEMENTED,
            Self::Ellipsis => tag::TYPE_ELLIPSIS,
        }
    }

    pub(super) fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.tag() == tag)
    }
}
