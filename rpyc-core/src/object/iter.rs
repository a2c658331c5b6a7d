//! [`RemoteIter`]: iteration over a remote object, in batches.

use std::vec;

use super::convert::items_here;
use super::{Any, Args, Netref};
use crate::error::Error;
use crate::exception::Exception;
use crate::wire::Value;

/// The items of a remote object; made by [`Netref::iter`].
///
/// After an error it is at its end.
#[derive(Debug)]
pub struct RemoteIter {
    // The iterator over there, until its end is known.
    source: Option<Netref>,
    batch: usize,
    grows: bool,
    here: vec::IntoIter<Any>,
}

impl RemoteIter {
    pub(super) fn over(netref: &Netref) -> Result<RemoteIter, Error> {
        let (source, here) = match netref.call_method("__iter__", Args::new())? {
            Any::Netref(source) => (Some(source), Vec::new()),
            set @ Any::Value(Value::FrozenSet(_)) => return Err(no_iterator(&set)),
            // The items themselves, or an object of this side.
            other => (
                None,
                items_here(other).map_err(|other| no_iterator(&other))?,
            ),
        };
        Ok(RemoteIter {
            source,
            ..RemoteIter::over_items(here)
        })
    }

    pub(super) fn over_items(items: Vec<Any>) -> RemoteIter {
        RemoteIter {
            source: None,
            batch: FIRST_BATCH,
            grows: true,
            here: items.into_iter(),
        }
    }

    /// Asks for `count` items at a time from now on, at least one. With 1, the iterator over there
    /// never runs ahead of the loop here.
    #[must_use]
    pub fn batch(mut self, count: usize) -> RemoteIter {
        self.batch = count.max(1);
        self.grows = false;
        self
    }

    fn fetch(&mut self) -> Result<(), Error> {
        let Some(source) = self.source.take() else {
            return Ok(());
        };
        let items = source.next_items(self.batch)?;
        // Only nothing is the end: a peer may have a bound of its own on what it gives at a time.
        if !items.is_empty() {
            self.source = Some(source);
        }
        if self.grows {
            self.batch = (self.batch * 2).min(LAST_BATCH);
        }
        self.here = items.into_iter();
        Ok(())
    }
}

impl Iterator for RemoteIter {
    type Item = Result<Any, Error>;

    fn next(&mut self) -> Option<Result<Any, Error>> {
        if self.here.as_slice().is_empty()
            && let Err(error) = self.fetch()
        {
            return Some(Err(error));
        }
        self.here.next().map(Ok)
    }
}

impl std::iter::FusedIterator for RemoteIter {}

/// What `__iter__` gave, where that can't be iterated, in Python's words.
fn no_iterator(given: &Any) -> Error {
    let name = given.type_name();
    let name = name.strip_prefix("builtins.").unwrap_or(&name);
    Error::Remote(Exception::type_error(format!(
        "iter() returned non-iterator of type '{name}'"
    )))
}

const FIRST_BATCH: usize = 16;
const LAST_BATCH: usize = 1024;
