//! Waits for answers to asynchronous requests, over one connection or several at once.
//!
//! A thread that waits over several is a waiter of each of them: it makes room for requests and runs those that are nested on
//! its wait. It can't read several streams, so that helpers read those that nobody reads.

use std::sync::Arc;
use std::time::Instant;

use super::blocked_threads::Waiting;
use super::current::Current;
use super::dispatcher::{Core, Dispatcher, Protocol};
use super::scheduler::{ThreadState, WaiterId};
use super::sleepers::{Bell, Sleeper};
use super::slot::Slot;
use super::wait_loop::{Wait, WaitMode, until_look};
use crate::error::CloseReason;
use crate::executor::is_interrupted;
use crate::sync::left;

/// An answer that is waited for: its connection, its seq and where it is put.
pub(crate) type Awaited<'a, P> = (
    &'a Arc<Dispatcher<P>>,
    u64,
    &'a Slot<<P as Protocol>::Payload>,
);

/// Whether one of the answers is in.
fn is_one_in<P: Protocol>(awaited: &[Awaited<'_, P>]) -> bool {
    awaited.iter().any(|(_, _, slot)| slot.is_filled())
}

/// Waits until one of the answers is in, as a waiter of all the connections; says whether one is, by
/// the deadline.
pub(crate) fn wait_for_one<P: Protocol>(
    connections: &[&Arc<Dispatcher<P>>],
    awaited: &[Awaited<'_, P>],
    deadline: Option<Instant>,
) -> bool {
    let is_in = || is_one_in(awaited);
    if let [only] = connections {
        return is_in() || only.wait_for(ForAnyOf(awaited), deadline);
    }
    let _waiting = Waiting::begin();
    let mut several = WaiterOfSeveral {
        connections,
        awaited,
        bell: Arc::default(),
        waiters: vec![None; connections.len()],
    };
    loop {
        // What rings from here on is looked at once more.
        several.bell.reset();
        several.take();
        if is_in() {
            return true;
        }
        let has_run = several.run_one(deadline);
        let limit = deadline.map(left);
        let is_over = limit.is_some_and(|left| left.is_zero()) || is_interrupted();
        let are_closed = || connections.iter().all(|link| link.has_ended());
        if is_over || (!has_run && are_closed()) {
            return is_in();
        }
        if !has_run {
            several.bell.wait(until_look(limit));
        }
    }
}

/// The wait over one connection: whether one is in.
struct ForAnyOf<'a, P: Protocol>(&'a [Awaited<'a, P>]);

impl<P: Protocol> Wait<P> for ForAnyOf<'_, P> {
    type Outcome = bool;
    const MODE: WaitMode = WaitMode::ForReplies;

    fn begin(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        for (_, seq, _) in self.0 {
            core.calls.add_waiter(*seq, waiter);
        }
    }

    fn look(&mut self, _: &mut Core<P>) -> Option<bool> {
        is_one_in(self.0).then_some(true)
    }

    fn closed(&self, _: &CloseReason) -> bool {
        // A connection that closes fills them all.
        is_one_in(self.0)
    }

    fn timed_out(&self) -> bool {
        is_one_in(self.0)
    }

    fn end(&mut self, core: &mut Core<P>, waiter: WaiterId) {
        for (_, seq, _) in self.0 {
            core.calls.remove_waiter(*seq, waiter);
        }
    }
}

/// A thread's waiters, one for each connection, while it has them.
struct WaiterOfSeveral<'a, P: Protocol> {
    connections: &'a [&'a Arc<Dispatcher<P>>],
    awaited: &'a [Awaited<'a, P>],
    bell: Arc<Bell>,
    waiters: Vec<Option<WaiterId>>,
}

impl<P: Protocol> WaiterOfSeveral<'_, P> {
    /// Becomes a waiter wherever the thread isn't one.
    fn take(&mut self) {
        for (link, waits_as) in self.connections.iter().zip(&mut self.waiters) {
            if waits_as.is_some() {
                continue;
            }
            let (task, pair) = Current::of(link.number);
            let mut core = link.core.lock();
            let waiter = core.scheduler.begin_wait(task, pair);
            core.scheduler.set_state(waiter, ThreadState::Resting);
            // There may have been no need of input before this wait.
            link.pass_on_reading(&mut core);
            core.sleepers
                .add(waiter, Sleeper::Several(self.bell.clone()));
            for seq in seqs(self.awaited, link) {
                core.calls.add_waiter(seq, waiter);
            }
            *waits_as = Some(waiter);
        }
    }

    /// Runs a request that is this thread's to run, if there is one.
    fn run_one(&mut self, deadline: Option<Instant>) -> bool {
        let connections = self.connections;
        for (index, link) in connections.iter().enumerate() {
            let Some(waiter) = self.waiters.get(index).copied().flatten() else {
                continue;
            };
            // The other connections must not give this thread anything meanwhile.
            let leave_others = || self.leave_all_but(Some(index));
            let core = link.core.lock();
            let (mut core, has_run) =
                link.run_one(core, waiter, None, deadline, false, leave_others);
            if has_run {
                return true;
            }
            core.scheduler.set_state(waiter, ThreadState::Resting);
            let needs_helper = core.lifecycle.reason().is_none() && core.take_helper();
            drop(core);
            if needs_helper {
                link.send_reader();
            }
            link.flush_soon();
        }
        false
    }

    fn leave_all_but(&mut self, kept: Option<usize>) {
        for index in (0..self.connections.len()).filter(|index| Some(*index) != kept) {
            self.leave(index);
        }
    }

    fn leave(&mut self, index: usize) {
        let (Some(link), Some(waiter)) = (
            self.connections.get(index),
            self.waiters.get_mut(index).and_then(Option::take),
        ) else {
            return;
        };
        let mut core = link.core.lock();
        for seq in seqs(self.awaited, link) {
            core.calls.remove_waiter(seq, waiter);
        }
        core.sleepers.remove(waiter);
        link.leave_wait(core, waiter);
    }
}

impl<P: Protocol> Drop for WaiterOfSeveral<'_, P> {
    fn drop(&mut self) {
        self.leave_all_but(None);
        for link in self.connections {
            link.log_notes();
            link.flush_soon();
        }
    }
}

fn seqs<'a, P: Protocol>(
    awaited: &'a [Awaited<'a, P>],
    link: &'a Arc<Dispatcher<P>>,
) -> impl Iterator<Item = u64> + 'a {
    let here = move |(of, _, _): &&Awaited<'a, P>| Arc::ptr_eq(of, link);
    awaited.iter().filter(here).map(|(_, seq, _)| *seq)
}
