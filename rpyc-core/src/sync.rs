//! The one mutex of this crate, and what poison means here.
//!
//! Foreign code (handlers, destructors, callbacks) never runs while one of these locks is held, so a
//! panic inside the crate's own short critical sections is a bug of ours. The state that
//! it leaves is used on: a peer must not be able to turn one panic into a dead connection
//! table for everybody else.

use std::sync::{Condvar, MutexGuard, PoisonError, WaitTimeoutResult};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a notification; `None` waits without a limit.
pub(crate) fn wait<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> MutexGuard<'a, T> {
    match limit {
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(limit) => {
            let waited: Result<(MutexGuard<'a, T>, WaitTimeoutResult), _> =
                condvar.wait_timeout(guard, limit);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}
