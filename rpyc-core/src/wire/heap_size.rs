//! How much memory values hold, so that what a peer sends can be bounded by what it costs.
//!
//! A byte on the wire may become a hundred in memory. Each type counts its own parts, in matches that name every
//! variant, so that a new variant doesn't compile until its size is counted.

use super::{
    idpack::IdPack,
    int::Int,
    seq::Seq,
    string::{SHARE_MIN, Str},
    value::Value,
};

/// About how many bytes an allocation of this size takes, with the allocator's own part.
pub(crate) fn allocation(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => bytes.saturating_add(ALLOCATOR),
    }
}

/// How many bytes a buffer of this size takes. A large one may share a frame up to twice its size and keep all of
/// it in memory. That can't be seen from here, so half of the difference is counted.
pub(super) fn buffer(bytes: usize) -> usize {
    let shared = if bytes < SHARE_MIN { 0 } else { bytes / 2 };
    allocation(bytes).saturating_add(shared)
}

/// What a vector's allocation takes, and what its items hold.
#[allow(clippy::ptr_arg)] // a slice doesn't know the capacity
pub(crate) fn items<T>(items: &Vec<T>, heap_size: impl Fn(&T) -> usize) -> usize {
    let own = allocation(items.capacity().saturating_mul(size_of::<T>()));
    items.iter().map(heap_size).fold(own, usize::saturating_add)
}

impl Value {
    /// The bytes of memory that it holds beside itself.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        match self {
            Self::None
            | Self::NotImplemented
            | Self::Ellipsis
            | Self::Bool(_)
            | Self::Float(_)
            | Self::Type(_)
            | Self::Complex(..) => 0,
            Self::Int(int) => int.heap_size(),
            Self::Bytes(bytes) => buffer(bytes.len()),
            Self::Str(text) => text.heap_size(),
            Self::Tuple(values) | Self::FrozenSet(values) if values.capacity() == 0 => 0,
            Self::Tuple(_) | Self::FrozenSet(_) | Self::Slice(_) => self.heap_size_of_items(),
        }
    }

    #[inline(never)]
    fn heap_size_of_items(&self) -> usize {
        match self {
            Self::Tuple(values) | Self::FrozenSet(values) => items(values, Self::heap_size),
            Self::Slice(parts) => parts
                .iter()
                .map(Self::heap_size)
                .fold(allocation(size_of::<[Self; 3]>()), usize::saturating_add),
            other => other.heap_size(),
        }
    }
}

impl Int {
    /// The bytes of memory that it holds beside itself.
    pub(crate) fn heap_size(&self) -> usize {
        let bytes = self.big_bits().div_ceil(64).saturating_mul(8);
        allocation(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

impl Str {
    /// The bytes of memory that it holds beside itself; none where it lives in the program.
    pub(crate) fn heap_size(&self) -> usize {
        buffer(self.allocated())
    }
}

impl Seq {
    /// The bytes of memory that it holds beside itself.
    pub(crate) fn heap_size(&self) -> usize {
        match self.foreign() {
            Ok(_) => 0,
            Err(value) => allocation(size_of::<Value>()).saturating_add(value.heap_size()),
        }
    }
}

impl IdPack {
    /// The bytes of memory that it holds beside itself.
    pub(crate) fn heap_size(&self) -> usize {
        let Self {
            name,
            class: _,
            instance: _,
            kind: _,
        } = self;
        name.heap_size()
    }
}

/// What an allocator keeps beside each allocation, and rounds it up by.
const ALLOCATOR: usize = 16;
