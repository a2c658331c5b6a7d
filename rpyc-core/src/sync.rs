//! The locks and atomics of this crate, and what poison means here.
//!
//! Foreign code (handlers, destructors, callbacks) never runs while one of these locks is held, so a
//! panic inside the crate's own short critical sections is a bug of ours. The state that
//! it leaves is used on: a peer must not be able to turn one panic into a dead connection
//! table for everybody else.
//!
//! Under `--cfg shuttle` they are the model checker's (docs/testing.md), and whatever has a limit
//! in time may or may not run out of it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

#[cfg(shuttle)]
use shuttle::sync as base;
#[cfg(not(shuttle))]
use std::sync as base;

pub(crate) use base::{Condvar, MutexGuard, atomic};

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(base::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(base::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a notification; `None` waits without a limit.
#[cfg(not(shuttle))]
pub(crate) fn wait<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> MutexGuard<'a, T> {
    match limit {
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(limit) => {
            let waited = condvar.wait_timeout(guard, limit);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// Whether the deadline has passed.
pub(crate) fn passed(deadline: Instant) -> bool {
    left(deadline).is_zero()
}

/// How long it is until the deadline; nothing once it has passed.
#[cfg(not(shuttle))]
pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

#[cfg(shuttle)]
pub(crate) use self::model::{left, wait};

#[cfg(shuttle)]
mod model {
    use super::{Condvar, Duration, Instant, MutexGuard, PoisonError};
    use shuttle::rand::{Rng, thread_rng};

    /// A wait with a limit may end at once, or go on until it is notified.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        if limit.is_some() && thread_rng().r#gen::<bool>() {
            return guard;
        }
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// A deadline may pass whenever somebody looks.
    pub(crate) fn left(_: Instant) -> Duration {
        match thread_rng().r#gen::<bool>() {
            true => Duration::ZERO,
            false => Duration::from_secs(1),
        }
    }
}
