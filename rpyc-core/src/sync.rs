//! The locks and atomics of this crate, and what a panic under one of them means.
//!
//! Foreign code (handlers, destructors, callbacks) never runs while one of these locks is held, so a
//! panic inside the crate's own short critical sections is a bug of ours. The state that
//! it leaves is used on: a peer must not be able to turn one panic into a dead connection
//! table for everybody else.
//!
//! Under `--cfg shuttle` they are the model checker's (docs/testing.md), and whatever has a limit
//! in time may or may not run out of it.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

#[cfg(not(shuttle))]
use parking_lot as base;
#[cfg(shuttle)]
use shuttle::sync as base;

pub use base::Condvar;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic;
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic;

/// A lock that is counted: [`is_unlocked`](crate::executor::is_unlocked) knows of it.
#[derive(Debug, Default)]
pub struct Mutex<T>(base::Mutex<T>);

impl<T> Mutex<T> {
    /// A lock around the value.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(base::Mutex::new(value))
    }

    /// Waits until it is free, and takes it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(not(shuttle))]
        let guard = self.0.lock();
        #[cfg(shuttle)]
        let guard = model::healthy(self.0.lock());
        MutexGuard {
            guard,
            held: Held::new(),
        }
    }
}

/// A lock that this thread holds.
#[must_use]
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    guard: base::MutexGuard<'a, T>,
    #[cfg_attr(not(shuttle), expect(dead_code))] // its drop counts
    held: Held,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Whether this thread holds no lock. Builds without assertions, and the model checker, always say so.
pub(crate) fn holds_none() -> bool {
    HELD.get() == 0
}

/// One of the locks that this thread holds.
#[derive(Debug)]
struct Held(());

impl Held {
    fn new() -> Held {
        if IS_COUNTED {
            HELD.set(HELD.get() + 1);
        }
        Held(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if IS_COUNTED {
            HELD.set(HELD.get() - 1);
        }
    }
}

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// For assertions; the model checker's threads are one thread.
const IS_COUNTED: bool = cfg!(all(debug_assertions, not(shuttle)));

/// Waits for a notification; `None` waits without a limit.
#[cfg(not(shuttle))]
pub fn wait<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> MutexGuard<'a, T> {
    let mut guard = guard;
    match limit {
        None => condvar.wait(&mut guard.guard),
        Some(limit) => drop(condvar.wait_for(&mut guard.guard, limit)),
    }
    guard
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
pub use self::model::wait;
#[cfg(shuttle)]
pub(crate) use self::model::{left, stop_time};

#[cfg(shuttle)]
mod model {
    use std::cell::Cell;
    use std::sync::{LockResult, PoisonError};

    use super::{Condvar, Duration, Instant, MutexGuard};
    use shuttle::rand::{Rng, thread_rng};

    /// The guard, whatever a panic has left.
    pub(super) fn healthy<G>(locked: LockResult<G>) -> G {
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// A wait with a limit may end at once, or go on until it is notified.
    pub fn wait<'a, T>(
        condvar: &Condvar,
        guard: MutexGuard<'a, T>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, T> {
        if limit.is_some() && passes() {
            return guard;
        }
        let MutexGuard { guard, held } = guard;
        let guard = healthy(condvar.wait(guard));
        MutexGuard { guard, held }
    }

    /// A deadline may pass whenever somebody looks.
    pub(crate) fn left(_: Instant) -> Duration {
        match passes() {
            true => Duration::ZERO,
            false => Duration::from_secs(1),
        }
    }

    fn passes() -> bool {
        !STOPPED.get() && thread_rng().r#gen::<bool>()
    }

    // A model's threads are one thread.
    thread_local! {
        static STOPPED: Cell<bool> = const { Cell::new(false) };
    }

    /// No limit passes in the schedules that this thread runs.
    #[must_use]
    pub(crate) struct StoppedTime(());

    /// From now on, until the guard is dropped.
    #[cfg_attr(not(test), expect(dead_code))] // for scenarios
    pub(crate) fn stop_time() -> StoppedTime {
        STOPPED.set(true);
        StoppedTime(())
    }

    impl Drop for StoppedTime {
        fn drop(&mut self) {
            STOPPED.set(false);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    // In the profile `release`, too, in which the tests with Python run.
    #[test]
    fn a_thread_that_holds_a_lock_is_known() {
        let (outer, inner) = (Mutex::new(()), Mutex::new(()));
        assert!(holds_none());
        let first = outer.lock();
        let second = inner.lock();
        assert!(!holds_none());
        drop(first);
        assert!(!holds_none());
        drop(second);
        assert!(holds_none());
    }
}
