//! Whole structures across a connection, in one round trip.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CopyError;
use super::pickle_write::{to_part, to_pickle};
use super::tuple_read::{MESSAGE_PACK_MARK, Part};
use crate::error::Error;
use crate::exception::{ConversionError, Exception};
use crate::object::pickled::{PLAIN_MARK, PLAIN_PICKLE};
use crate::object::{Any, Context, IdParts, IntoAny, Netref, Object, ObjectResult};
use crate::session::Connection;

/// A structure of this program that the peer may copy: by reference it is an object without
/// attributes, `obtain` at the peer's side copies it whole.
///
/// A Rust peer gets MessagePack, a Python peer a pickle. Copying needs `allow_pickle` in this
/// side's config.
#[derive(Debug)]
pub struct ByValue<T>(pub T);

impl<T: Serialize + Send + Sync + 'static> Object for ByValue<T> {
    fn id_parts(&self) -> IdParts {
        // A value of no size has no address of its own. But `self` is in an `Arc`, whose allocation no
        // two objects share.
        IdParts::instance("rpyc_core.by_value.ByValue", self)
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        let pickled = match protocol {
            MESSAGE_PACK => {
                let mut bytes = vec![MESSAGE_PACK_MARK];
                let written = rmp_serde::encode::write_named(&mut bytes, &self.0);
                let written = written.map_err(|error| CopyError::new(error.to_string()));
                written.map(|()| bytes)
            }
            PLAIN_PICKLE => to_part(&self.0, &PLAIN_MARK),
            _ => to_pickle(&self.0),
        };
        match pickled {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            Err(error) => Err(Exception::type_error(format!("cannot be copied: {error}"))),
        }
    }
}

impl<T: Serialize + Send + Sync + 'static> IntoAny for ByValue<T> {
    fn into_any(self) -> ObjectResult {
        Ok(Any::object(self))
    }
}

impl Netref {
    /// Copies the object: the whole structure, in one round trip.
    ///
    /// A list of 100,000 dicts takes about a second, into a `Vec` of any serde type. The peer must
    /// allow it (`allow_pickle`; a classic peer does). A Python peer's pickle is read as data:
    /// numbers, text, bytes, None, tuples, lists, dicts and sets.
    ///
    /// # Errors
    /// [`Error::Remote`] with a ValueError where the peer doesn't allow it;
    /// [`Error::Copy`] where the object isn't made of such data, or not of the type.
    pub fn obtain<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(Part::Copied(self.pickle(MESSAGE_PACK)?).read()?)
    }
}

impl Any {
    /// Copies it into a serde type: a plain value as [`from_value`](crate::by_value::from_value)
    /// does, a remote object as [`Netref::obtain`] does, in one round trip; a tuple item by item.
    ///
    /// # Errors
    /// As these two.
    pub fn obtain<T: DeserializeOwned>(&self) -> Result<T, Error> {
        Ok(self.part()?.read()?)
    }

    fn part(&self) -> Result<Part, Error> {
        match self {
            Any::Netref(netref) => Ok(Part::Copied(netref.pickle(MESSAGE_PACK)?)),
            Any::Value(value) => Ok(Part::Value(value.clone())),
            Any::Tuple(items) => {
                let parts: Result<Vec<Part>, Error> = items.iter().map(Any::part).collect();
                Ok(Part::Tuple(parts?))
            }
            Any::Local(_) => {
                Err(ConversionError::mismatch("a plain value", self.type_name()).into())
            }
        }
    }
}

/// Copies a structure into a Python peer: the result stands for a list, a dict, ... over there.
///
/// The peer must be a classic one: its `pickle` module makes the copy. Into a Rust peer, hand a
/// [`ByValue`] that it obtains.
///
/// # Errors
/// [`Error::Copy`] where the structure can't be copied; else as
/// [`Netref::call`].
pub fn deliver<T: Serialize + ?Sized>(connection: &Connection, value: &T) -> Result<Any, Error> {
    let pickle = to_pickle(value)?;
    let root = connection.root()?;
    let module = root.call_method("getmodule", crate::args!["pickle"])?;
    module.call_method("loads", crate::args![pickle])
}

/// Asks for MessagePack. Python takes any negative number for its highest pickle protocol, so a
/// peer of either kind answers in its own way, and the answer's first byte tells which.
const MESSAGE_PACK: i64 = -0x6d70;
