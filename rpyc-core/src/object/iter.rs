//! [`RemoteIter`]: iteration over a remote object, in batches.

use std::vec;

use super::netref::unexpected;
use super::{Any, Args, Netref};
use crate::error::Error;
use crate::wire::Handler;

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
            // A peer may answer with the items themselves.
            other => match other.into_items() {
                Ok(items) => (None, items),
                Err(other) => return Err(unexpected("__iter__", "an iterator", &other)),
            },
        };
        Ok(RemoteIter {
            source,
            batch: FIRST_BATCH,
            grows: true,
            here: here.into_iter(),
        })
    }

    pub(super) fn over_items(items: Vec<Any>) -> RemoteIter {
        RemoteIter {
            source: None,
            batch: FIRST_BATCH,
            grows: false,
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
        let Some(source) = &self.source else {
            return Ok(());
        };
        let count = i64::try_from(self.batch).unwrap_or(i64::MAX);
        let answer = source.request(Handler::BuffIter, [Any::from(count)]);
        let items = answer.and_then(|answer| {
            let items = answer.into_items();
            items.map_err(|other| unexpected("BUFFITER", "a tuple", &other))
        });
        let items = match items {
            Ok(items) => items,
            Err(error) => {
                self.source = None;
                return Err(error);
            }
        };
        // Only nothing is the end: a peer may have a bound of its own on what it gives at a time.
        if items.is_empty() {
            self.source = None;
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

const FIRST_BATCH: usize = 16;
const LAST_BATCH: usize = 1024;
