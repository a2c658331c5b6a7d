//! [`Timed`]: a netref whose calls have a time limit of their own.

use std::time::Duration;

use super::{Any, Args, Netref};
use crate::error::Error;

/// A remote object with a time limit for each call; made by [`Netref::timed`].
#[derive(Clone, Debug)]
pub struct Timed {
    netref: Netref,
    limit: Duration,
}

impl Timed {
    pub(super) fn new(netref: Netref, limit: Duration) -> Timed {
        Timed { netref, limit }
    }

    /// Calls the object.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the limit has passed, whatever the config says; else as
    /// [`Netref::call`].
    pub fn call(&self, args: Args) -> Result<Any, Error> {
        self.called(None, args)
    }

    /// Calls the method `name`.
    ///
    /// # Errors
    /// As [`call`](Timed::call).
    pub fn call_method(&self, name: &str, args: Args) -> Result<Any, Error> {
        self.called(Some(name), args)
    }

    fn called(&self, method: Option<&str>, args: Args) -> Result<Any, Error> {
        let limit = Some(self.limit);
        self.netref.async_called(method, args, limit)?.value()
    }
}
