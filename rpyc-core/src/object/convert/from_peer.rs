//! Fetching what a container of the peer's holds.

use super::FromAnyError;
use crate::codec::{Handler, Value};
use crate::error::Error;
use crate::object::{Any, Args, Netref};

/// The items of a tuple, of a frozenset, or of any iterable of the peer's.
///
/// An iterable of the peer's is fetched in batches, not item by item.
///
/// # Errors
/// It isn't iterable, or its iterator raised.
pub fn items(any: Any) -> Result<Vec<Any>, FromAnyError> {
    match any {
        Any::Tuple(items) => Ok(items),
        Any::Value(Value::Tuple(items) | Value::FrozenSet(items)) => {
            Ok(items.into_iter().map(Any::Value).collect())
        }
        Any::Netref(netref) => fetch_items(&netref).map_err(|error| not_iterable(error, &netref)),
        Any::Local(object) => match local_items(&object) {
            Some(items) => Ok(items),
            None => Err(FromAnyError::mismatch("iterable", &Any::Local(object))),
        },
        other => Err(FromAnyError::mismatch("iterable", &other)),
    }
}

/// The keys and values of a dict of the peer's, or of a tuple of pairs.
pub(in crate::object) fn pairs(any: Any) -> Result<Vec<(Any, Any)>, FromAnyError> {
    let netref = match any {
        Any::Netref(netref) => netref,
        Any::Local(object) => {
            let dict = super::super::builtins::dict_of(&object);
            return dict
                .map(|dict| dict.items())
                .ok_or_else(|| FromAnyError::mismatch("dict", &Any::Local(object)));
        }
        other => return Err(FromAnyError::mismatch("dict", &other)),
    };
    // One round trip for all, where the peer lets us; a stock peer's policy doesn't by default.
    let items = netref.call_method("items", Args::new());
    match items {
        Ok(items) => {
            let items = self::items(items)?;
            items.into_iter().map(pair).collect()
        }
        Err(Error::Remote(exception)) if exception.is("AttributeError") => {
            let keys = fetch_items(&netref).map_err(|error| not_iterable(error, &netref))?;
            let value = |key: Any| {
                let value = netref.call_method("__getitem__", Args::from([key.clone()]));
                Ok((key, value.map_err(FromAnyError::raised)?))
            };
            keys.into_iter().map(value).collect()
        }
        Err(error) => Err(FromAnyError::raised(error)),
    }
}

fn pair(item: Any) -> Result<(Any, Any), FromAnyError> {
    let items = item
        .into_items()
        .map_err(|other| FromAnyError::mismatch("a pair", &other))?;
    let [key, value] = <[Any; 2]>::try_from(items)
        .map_err(|_| FromAnyError::invalid("be pairs of a key and a value"))?;
    Ok((key, value))
}

fn fetch_items(netref: &Netref) -> Result<Vec<Any>, Error> {
    let iterator = match netref.call_method("__iter__", Args::new())? {
        Any::Netref(iterator) => iterator,
        // Our own object, behind the peer's.
        Any::Local(object) => return Ok(local_items(&object).unwrap_or_default()),
        other => return Ok(other.into_items().unwrap_or_default()),
    };
    let mut all = Vec::new();
    loop {
        let batch = iterator.request(Handler::BuffIter, [Any::from(BATCH)])?;
        let Ok(batch) = batch.into_items() else {
            return Err(Error::Protocol(
                "BUFFITER was answered with something else than a tuple".to_owned(),
            ));
        };
        if batch.is_empty() {
            return Ok(all);
        }
        all.extend(batch);
    }
}

/// What one of our own lists holds, when it comes back.
fn local_items(object: &crate::object::ObjectRef) -> Option<Vec<Any>> {
    super::super::builtins::list_of(object).map(|list| list.items())
}

fn not_iterable(error: Error, netref: &Netref) -> FromAnyError {
    match error {
        Error::Remote(exception) if exception.is("AttributeError") => {
            FromAnyError::mismatch("iterable", &Any::Netref(netref.clone()))
        }
        error => FromAnyError::raised(error),
    }
}

/// How many items travel at once: enough to hide the round trip, small enough for a frame.
const BATCH: i64 = 1000;
