//! Fetching what a container of the peer's holds.

use super::ConversionError;
use crate::error::Error;
use crate::exception::Exception;
use crate::object::{Any, Args, Netref};
use crate::wire::{Handler, Value};

/// The items of a tuple, of a frozenset, or of any iterable of the peer's.
///
/// An iterable of the peer's is fetched in batches, not item by item.
///
/// # Errors
/// It isn't iterable, or its iterator raised.
pub fn items(any: Any) -> Result<Vec<Any>, ConversionError> {
    match any {
        Any::Tuple(items) => Ok(items),
        Any::Value(Value::Tuple(items) | Value::FrozenSet(items)) => {
            Ok(items.into_iter().map(Any::Value).collect())
        }
        Any::Netref(netref) => fetch_items(&netref).map_err(|error| not_iterable(error, &netref)),
        Any::Local(object) => match local_items(&object) {
            Some(items) => Ok(items),
            None => Err(ConversionError::mismatch(
                "iterable",
                Any::Local(object).type_name(),
            )),
        },
        other => Err(ConversionError::mismatch("iterable", other.type_name())),
    }
}

/// The keys and values of a dict of the peer's, or of a tuple of pairs.
pub(in crate::object) fn pairs(any: Any) -> Result<Vec<(Any, Any)>, ConversionError> {
    let netref = match any {
        Any::Netref(netref) => netref,
        Any::Local(object) => {
            let dict = crate::object::Dict::of_object(&object);
            return dict
                .map(|dict| dict.items())
                .ok_or_else(|| ConversionError::mismatch("dict", Any::Local(object).type_name()));
        }
        other => return Err(ConversionError::mismatch("dict", other.type_name())),
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
    match any {
        Any::Value(value) => Ok(value),
        any if &*any.type_name() == "builtins.dict" => {
            let pairs = pairs(any)?.into_iter();
            let pair = |(key, value)| {
                let pair = [plain_within(key, depth)?, plain_within(value, depth)?];
                Ok(Value::tuple(pair))
            };
            let pairs: Result<Vec<Value>, ConversionError> = pairs.map(pair).collect();
            pairs.map(Value::Tuple)
        }
        any => {
            let item = |(index, item)| {
                plain_within(item, depth).map_err(|error: ConversionError| error.of_item(index))
            };
            let items = items(any)?.into_iter().enumerate();
            let items: Result<Vec<Value>, ConversionError> = items.map(item).collect();
            items.map(Value::Tuple)
        }
    }
}

fn pair(item: Any) -> Result<(Any, Any), ConversionError> {
    let items = item
        .into_items()
        .map_err(|other| ConversionError::mismatch("a pair", other.type_name()))?;
    let [key, value] = <[Any; 2]>::try_from(items)
        .map_err(|_| ConversionError::invalid("be pairs of a key and a value"))?;
    Ok((key, value))
}

fn fetch_items(netref: &Netref) -> Result<Vec<Any>, Error> {
    let iterator = match netref.call_method("__iter__", Args::new())? {
        Any::Netref(iterator) => iterator,
        // Our own object, behind the peer's.
        Any::Local(object) => {
            return local_items(&object).ok_or_else(|| no_iterator(&Any::Local(object)));
        }
        other => return other.into_items().map_err(|other| no_iterator(&other)),
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
        if all.len() > MAX_FETCHED {
            return Err(Error::Remote(Exception::memory_error(format!(
                "the iterable has more than {MAX_FETCHED} items, the most that are fetched"
            ))));
        }
    }
}

/// What `__iter__` gave, where that can't be iterated, in Python's words.
fn no_iterator(given: &Any) -> Error {
    let name = given.type_name();
    let name = name.strip_prefix("builtins.").unwrap_or(&name);
    Error::Remote(Exception::type_error(format!(
        "iter() returned non-iterator of type '{name}'"
    )))
}

/// What one of our own lists, sets or dicts gives, when it comes back.
fn local_items(object: &crate::object::ObjectRef) -> Option<Vec<Any>> {
    use crate::object::{Dict, List, Set};
    let list = List::of_object(object).map(|list| list.items());
    let set = || Set::of_object(object).map(|set| set.elements());
    let keys = |dict: Dict| dict.items().into_iter().map(|(key, _)| key).collect();
    list.or_else(set)
        .or_else(|| Dict::of_object(object).map(keys))
}

fn not_iterable(error: Error, netref: &Netref) -> ConversionError {
    match error {
        Error::Remote(exception) if exception.is("AttributeError") => {
            ConversionError::mismatch("iterable", Any::Netref(netref.clone()).type_name())
        }
        error => ConversionError::raised(error),
    }
}

/// A peer's iterator may have no end; it must not fill the memory here.
const MAX_FETCHED: usize = 1_000_000;
/// How many items travel at once: enough to hide the round trip, small enough for a frame.
const BATCH: i64 = 1000;
/// A peer's list may hold itself.
const MAX_DEPTH: usize = 64;
