//! Copies instead of references: serde types as plain values, and whole structures in one round trip.
//!
//! | what | how | needs |
//! |---|---|---|
//! | numbers, text, bytes, tuples of them | [`to_value`], [`from_value`] | nothing: they cross by value anyway |
//! | a serde type as an argument or a result | [`Serde`] | nothing |
//! | a serde type as the dict that it would be in Python, by reference | [`AsDict`] | nothing |
//! | a remote list, dict, ..., or a tuple of them | [`Any::obtain`](crate::object::Any::obtain) | `allow_pickle` at the side that gives |
//! | a [`List`](crate::object::List), [`Dict`](crate::object::Dict), [`Set`](crate::object::Set) or map of this program, for the peer to obtain | as they are | `allow_pickle` at this side |
//! | a Rust structure, for the peer to obtain | [`ByValue`] | `allow_pickle` at this side |
//! | a Rust structure into a Python peer | [`deliver`] | a classic peer |
//!
//! Python's pickles are read as data: nothing in them names a class that would be made or a
//! function that would be called.

mod pickle_read;
mod pickle_write;
mod serde_type;
mod source;
mod transfer;
mod tuple_read;
mod value_read;
mod value_write;

pub use self::serde_type::{AsDict, Serde};
pub use self::transfer::{ByValue, deliver};
pub use self::value_read::from_value;
pub use self::value_write::to_value;
pub use crate::error::CopyError;
