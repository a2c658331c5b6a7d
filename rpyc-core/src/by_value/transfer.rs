//! Whole structures across a connection, in one round trip.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CopyError;
use super::pickle_read::from_pickle;
use super::pickle_write::to_pickle;
use crate::args;
use crate::connection::Connection;
use crate::error::Error;
use crate::exception::Exception;
use crate::object::{Any, Context, IdParts, Netref, Object, ObjectResult};
use crate::wire::{Handler, Value};

/// A structure of this program that the peer may copy: by reference it is an object without
/// attributes, `obtain` at the peer's side copies it whole.
///
/// A Rust peer gets MessagePack, a Python peer a pickle. Copying needs `allow_pickle` in this
/// side's config.
#[derive(Debug)]
pub struct ByValue<T>(pub T);

impl<T: Serialize + Send + Sync + 'static> Object for ByValue<T> {
    fn id_parts(&self) -> IdParts {
        // The content may be as small as nothing, and then its address is no identity; but the
        // handle that counts it is an allocation of its own, so two of them never share one.
        IdParts::instance("rpyc_core.by_value.ByValue", self)
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        let pickled = if protocol == MESSAGE_PACK {
            let mut bytes = vec![MESSAGE_PACK_MARK];
            match rmp_serde::encode::write_named(&mut bytes, &self.0) {
                Ok(()) => Ok(bytes),
                Err(error) => Err(CopyError::new(error.to_string())),
            }
        } else {
            to_pickle(&self.0)
        };
        match pickled {
            Ok(bytes) => Ok(Bytes::from(bytes)),
            Err(error) => Err(Exception::type_error(format!("cannot be copied: {error}"))),
        }
    }
}

/// Copies a peer's object, whatever kind of peer it is, in one round trip.
pub(crate) fn obtain<T: DeserializeOwned>(netref: &Netref) -> Result<T, Error> {
    let answer = netref.request(Handler::Pickle, [Any::from(MESSAGE_PACK)])?;
    let Any::Value(Value::Bytes(bytes)) = answer else {
        return Err(Error::Protocol(format!(
            "PICKLE was answered with {} instead of bytes",
            answer.type_name()
        )));
    };
    let copy = match bytes.split_first() {
        Some((&MESSAGE_PACK_MARK, packed)) => {
            rmp_serde::from_slice(packed).map_err(|error| CopyError::new(error.to_string()))
        }
        _ => from_pickle(&bytes),
    };
    Ok(copy?)
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
    let module = root.call_method("getmodule", args!["pickle"])?;
    module.call_method("loads", args![pickle])
}

/// Asks for MessagePack. Python takes any negative number for its highest pickle protocol, so a
/// peer of either kind answers in its own way, and the answer's first byte tells which.
const MESSAGE_PACK: i64 = -0x6d70;

/// Begins an answer in MessagePack. No pickle and no MessagePack begin with it.
const MESSAGE_PACK_MARK: u8 = 0xc1;
