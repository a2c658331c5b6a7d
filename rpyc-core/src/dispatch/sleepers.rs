//! [`Sleepers`] and [`TaskEnds`]: how to wake the threads that sleep.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::scheduler::WaiterId;
use crate::counter_hash::CounterState;
use crate::sync::{Condvar, Mutex, wait};

/// How to wake the waiters that sleep.
#[derive(Default)]
pub(crate) struct Sleepers(HashMap<WaiterId, Sleeper, CounterState>);

/// How to wake a thread that sleeps.
pub(super) enum Sleeper {
    /// As a waiter of this connection alone.
    Here(Arc<Condvar>),
    /// As one of several connections.
    Several(Arc<Bell>),
}

impl Sleepers {
    /// The waiter is about to sleep.
    pub(super) fn add(&mut self, waiter: WaiterId, sleeper: Sleeper) {
        self.0.insert(waiter, sleeper);
    }

    /// It sleeps no more.
    pub(super) fn remove(&mut self, waiter: WaiterId) {
        self.0.remove(&waiter);
    }

    /// Wakes the waiter, if it sleeps; says whether it does.
    pub(super) fn wake(&self, waiter: WaiterId) -> bool {
        let sleeper = self.0.get(&waiter);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
        sleeper.is_some()
    }

    /// Wakes all of them, each of which looks for itself.
    pub(super) fn wake_all(&self) {
        for sleeper in self.0.values() {
            sleeper.wake();
        }
    }

    /// Whether nobody sleeps.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the waiter sleeps as one of several connections.
    pub(super) fn is_of_several(&self, waiter: WaiterId) -> bool {
        matches!(self.0.get(&waiter), Some(Sleeper::Several(_)))
    }

    /// Wakes a waiter of several connections, if one sleeps.
    pub(super) fn wake_one_of_several(&self) {
        let is_one = |sleeper: &&Sleeper| matches!(sleeper, Sleeper::Several(_));
        if let Some(sleeper) = self.0.values().find(is_one) {
            sleeper.wake();
        }
    }
}

impl Sleeper {
    fn wake(&self) {
        match self {
            Sleeper::Here(condvar) => {
                condvar.notify_one();
            }
            Sleeper::Several(bell) => bell.ring(),
        }
    }
}

/// Who waits for tasks to end, and for the end of the connection.
#[derive(Default)]
pub(super) struct TaskEnds {
    told: Arc<Condvar>,
    waiting: usize,
}

impl TaskEnds {
    /// A task has ended, or the connection has, or the session has been told of that.
    pub(super) fn notify(&self) {
        if self.waiting > 0 {
            self.told.notify_all();
        }
    }

    /// A thread is about to wait for that, by what this gives.
    pub(super) fn begin_wait(&mut self) -> Arc<Condvar> {
        self.waiting += 1;
        self.told.clone()
    }

    /// It waits no more.
    pub(super) fn end_wait(&mut self) {
        self.waiting -= 1;
    }
}

/// Wakes a thread that sleeps as a waiter of several connections. A leaf among the locks.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }

    pub(super) fn reset(&self) {
        *self.rung.lock() = false;
    }

    pub(super) fn wait(&self, limit: Option<Duration>) {
        let rung = self.rung.lock();
        if !*rung {
            drop(wait(&self.changed, rung, limit));
        }
    }
}
