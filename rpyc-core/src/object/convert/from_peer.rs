//! Fetching what a container of the peer's holds.

use super::ConversionError;
use crate::error::Error;
use crate::exception::Exception;
use crate::object::{Any, Args, Dict, List, Netref, RemoteIter, Set};
use crate::wire::Value;

/// The items of a tuple, of a frozenset, or of any iterable of the peer's.
///
/// An iterable of the peer's is fetched in batches, not item by item.
///
/// # Errors
/// It isn't iterable, or its iterator raised.
pub fn items(any: Any) -> Result<Vec<Any>, ConversionError> {
    match any {
        Any::Netref(netref) => fetch_items(&netref),
        other => items_here(other)
            .map_err(|other| ConversionError::mismatch("iterable", other.type_name())),
    }
}

/// The items of a tuple, a frozenset, or one of our own lists, sets or dicts; the thing itself where it is
/// something else.
pub(in crate::object) fn items_here(any: Any) -> Result<Vec<Any>, Any> {
    let any = match any {
        Any::Value(Value::FrozenSet(items)) => {
            return Ok(items.into_iter().map(Any::Value).collect());
        }
        Any::Local(object) => {
            let list = List::of_object(&object).map(|list| list.items());
            let set = || Set::of_object(&object).map(|set| set.elements());
            let keys = |dict: Dict| dict.items().into_iter().map(|(key, _)| key).collect();
            let dict = || Dict::of_object(&object).map(keys);
            return list.or_else(set).or_else(dict).ok_or(Any::Local(object));
        }
        any => any,
    };
    any.into_items()
}

/// The keys and values of a dict of the peer's, or of a tuple of pairs.
pub(in crate::object) fn pairs(any: Any) -> Result<Vec<(Any, Any)>, ConversionError> {
    if let Any::Local(object) = &any
        && let Some(dict) = Dict::of_object(object)
    {
        return Ok(dict.items());
    }
    let Any::Netref(netref) = any else {
        return Err(ConversionError::mismatch("dict", any.type_name()));
    };
    // One round trip for all, where the peer lets us; a stock peer's policy doesn't by default.
    let items = netref.call_method("items", Args::new());
    match items {
        Ok(items) => {
            let items = self::items(items)?;
            items.into_iter().map(pair).collect()
        }
        Err(Error::Remote(exception)) if exception.is("AttributeError") => {
            let keys = fetch_items(&netref)?;
            let value = |key: Any| {
                let value = netref.call_method("__getitem__", Args::from([key.clone()]));
                Ok((key, value.map_err(ConversionError::raised)?))
            };
            keys.into_iter().map(value).collect()
        }
        Err(error) => Err(ConversionError::raised(error)),
    }
}

/// Fetches containers, and what they hold, as a plain value; a dict becomes a tuple of pairs.
pub(crate) fn plain(any: Any) -> Result<Value, ConversionError> {
    plain_within(any, MAX_DEPTH)
}

fn plain_within(any: Any, depth: usize) -> Result<Value, ConversionError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(ConversionError::other("containers are nested too deep"));
    };
    let items: Result<Vec<Value>, ConversionError> = match any {
        Any::Value(value) => return Ok(value),
        any if &*any.type_name() == "builtins.dict" => {
            let pair = |(key, value)| {
                let pair = [plain_within(key, depth)?, plain_within(value, depth)?];
                Ok(Value::tuple(pair))
            };
            pairs(any)?.into_iter().map(pair).collect()
        }
        any => {
            let item = |(index, item)| {
                plain_within(item, depth).map_err(|error: ConversionError| error.of_item(index))
            };
            items(any)?.into_iter().enumerate().map(item).collect()
        }
    };
    items.map(Value::Tuple)
}

fn pair(item: Any) -> Result<(Any, Any), ConversionError> {
    let items = item
        .into_items()
        .map_err(|other| ConversionError::mismatch("a pair", other.type_name()))?;
    let [key, value] = <[Any; 2]>::try_from(items)
        .map_err(|_| ConversionError::invalid("be pairs of a key and a value"))?;
    Ok((key, value))
}

fn fetch_items(netref: &Netref) -> Result<Vec<Any>, ConversionError> {
    let items = RemoteIter::over(netref).map_err(|error| match error {
        Error::Remote(exception) if exception.is("AttributeError") => {
            ConversionError::mismatch("iterable", netref.id_pack().name.clone())
        }
        error => ConversionError::raised(error),
    })?;
    let mut all = Vec::new();
    for item in items.batch(BATCH) {
        all.push(item.map_err(ConversionError::raised)?);
        if all.len() > MAX_FETCHED {
            return Err(ConversionError::raised(Exception::memory_error(format!(
                "the iterable has more than {MAX_FETCHED} items, the most that are fetched"
            ))));
        }
    }
    Ok(all)
}

/// A peer's iterator may have no end; it must not fill the memory here.
const MAX_FETCHED: usize = 1_000_000;
/// How many items travel at once: enough to hide the round trip, small enough for a frame.
const BATCH: usize = 1000;
/// A peer's list may hold itself.
const MAX_DEPTH: usize = 64;
