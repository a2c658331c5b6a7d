//! [`BlockedThreads`]: how many of some threads wait for peers.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
// Of the process, not of a model's schedule.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts those of a set of threads that wait for a peer: for an answer, or for it to read what is
/// sent. A thread that runs a request while it waits for an answer isn't one of them.
/// Cheap to clone; clones are the same.
///
/// Who has a fixed number of threads for many clients lets others run in place of those that
/// wait, whichever connection they wait for.
#[derive(Clone, Debug, Default)]
pub struct BlockedThreads(Arc<AtomicUsize>);

impl BlockedThreads {
    /// None yet.
    pub fn new() -> BlockedThreads {
        BlockedThreads::default()
    }

    /// How many of the threads wait now.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts the current thread, whenever it waits, until the guard is dropped. A thread is in one
    /// set at a time: the last one.
    pub fn register(&self) -> BlockedGuard {
        let local = Local {
            waiting: self.0.clone(),
            depth: 0,
        };
        let before = LOCAL.with(|registered| registered.borrow_mut().replace(local));
        BlockedGuard {
            before,
            of_this_thread: PhantomData,
        }
    }
}

/// Keeps a thread in the set of a [`BlockedThreads`].
pub struct BlockedGuard {
    before: Option<Local>,
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for BlockedGuard {
    fn drop(&mut self) {
        let before = self.before.take();
        drop(LOCAL.try_with(|registered| std::mem::replace(&mut *registered.borrow_mut(), before)));
    }
}

impl fmt::Debug for BlockedGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockedGuard").finish_non_exhaustive()
    }
}

/// The current thread waits until this is dropped.
pub(crate) struct Waiting(());

impl Waiting {
    pub(crate) fn begin() -> Waiting {
        change_depth(|depth| depth + 1);
        Waiting(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        change_depth(|depth| depth.saturating_sub(1));
    }
}

/// The current thread runs something, whatever waits it is nested on, until this is dropped.
pub(crate) struct Running(usize);

impl Running {
    pub(crate) fn begin() -> Running {
        let mut outer = 0;
        change_depth(|depth| {
            outer = depth;
            0
        });
        Running(outer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        change_depth(|_| self.0);
    }
}

struct Local {
    waiting: Arc<AtomicUsize>,
    // Waits nested on one another are one.
    depth: usize,
}

fn change_depth(change: impl FnOnce(usize) -> usize) {
    // A thread that ends isn't counted any more.
    let _ = LOCAL.try_with(|registered| {
        if let Some(local) = &mut *registered.borrow_mut() {
            let before = local.depth;
            local.depth = change(before);
            match (before, local.depth) {
                (0, 1..) => local.waiting.fetch_add(1, Ordering::Relaxed),
                (1.., 0) => local.waiting.fetch_sub(1, Ordering::Relaxed),
                _ => before,
            };
        }
    });
}

thread_local! {
    static LOCAL: RefCell<Option<Local>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_counts_once_however_many_waits_are_nested_and_not_while_it_runs() {
        let blocked = BlockedThreads::new();
        drop(Waiting::begin());
        let registered = blocked.register();
        assert_eq!(blocked.count(), 0);
        let outer = Waiting::begin();
        let inner = Waiting::begin();
        assert_eq!(blocked.count(), 1);
        drop(inner);
        assert_eq!(blocked.count(), 1);
        let running = Running::begin();
        assert_eq!(blocked.count(), 0);
        let nested = Waiting::begin();
        assert_eq!(blocked.count(), 1);
        drop(nested);
        assert_eq!(blocked.count(), 0);
        drop(running);
        assert_eq!(blocked.count(), 1);
        drop(outer);
        assert_eq!(blocked.count(), 0);
        drop(registered);
        let _waiting = Waiting::begin();
        assert_eq!(blocked.count(), 0);
    }
}
