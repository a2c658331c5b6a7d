//! Requests of this side that aren't answered yet.

use std::collections::{HashMap, hash_map};
use std::sync::Arc;
use std::time::Instant;

use crate::counter_hash::CounterState;
use crate::dispatch::scheduler::WaiterId;
use crate::dispatch::slot::Slot;
use crate::error::Error;
use crate::object::Any;
use crate::wire::Handler;

/// What a request was answered with.
pub(crate) type Reply = Result<Any, Error>;

/// What runs when the answer to an asynchronous request is in.
pub(crate) type Callback = Box<dyn FnOnce(Reply) + Send>;

/// A callback with the answer that it is to be called with.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// The table of unanswered requests, by seq.
///
/// The answer to a synchronous request stays here until its thread takes it. An asynchronous one
/// leaves the table with its answer, which goes into its slot.
#[derive(Default)]
pub(crate) struct Pending {
    entries: HashMap<u64, Entry, CounterState>,
    // How many requests are asynchronous and unanswered.
    detached: usize,
}

struct Entry {
    handler: Handler,
    since: Instant,
    reply: Option<Reply>,
    // The waits that it ends: one, as a rule.
    waiter: Option<WaiterId>,
    more_waiters: Vec<WaiterId>,
    // Of an asynchronous request.
    slot: Option<Arc<Slot>>,
    callbacks: Vec<Callback>,
}

/// What an answer sets off.
#[derive(Default)]
pub(crate) struct Answered {
    /// Whose wait it ends.
    pub(crate) waiter: Option<WaiterId>,
    pub(crate) more_waiters: Vec<WaiterId>,
    /// What is to be called.
    pub(crate) calls: Vec<Call>,
    /// The answer itself, where it came after the time was over.
    pub(crate) late: Option<Reply>,
}

impl Pending {
    /// A request is about to be sent. With a slot, its sender goes on without waiting.
    pub(crate) fn register(
        &mut self,
        seq: u64,
        handler: Handler,
        since: Instant,
        slot: Option<Arc<Slot>>,
    ) {
        self.detached += usize::from(slot.is_some());
        let entry = Entry {
            handler,
            since,
            reply: None,
            waiter: None,
            more_waiters: Vec::new(),
            slot,
            callbacks: Vec::new(),
        };
        self.entries.insert(seq, entry);
    }

    /// It waits for the reply from now on.
    pub(crate) fn add_waiter(&mut self, seq: u64, waiter: WaiterId) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            match entry.waiter {
                None => entry.waiter = Some(waiter),
                Some(_) => entry.more_waiters.push(waiter),
            }
        }
    }

    /// It doesn't wait for the reply any more.
    pub(crate) fn remove_waiter(&mut self, seq: u64, waiter: WaiterId) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.more_waiters.retain(|other| *other != waiter);
            if entry.waiter == Some(waiter) {
                entry.waiter = entry.more_waiters.pop();
            }
        }
    }

    /// A reply has come: gives back who waits for it, and what is to be called. A reply that
    /// nobody expects (any more), or a second one, comes back as the error.
    pub(crate) fn answer(&mut self, seq: u64, reply: Reply) -> Result<Answered, Reply> {
        let Some(entry) = self.entries.get_mut(&seq) else {
            return Err(reply);
        };
        if entry.slot.is_some() {
            return match self.entries.remove(&seq) {
                Some(mut entry) => {
                    self.detached -= 1;
                    Ok(entry.answer(seq, reply))
                }
                None => Err(reply),
            };
        }
        if entry.reply.is_some() {
            return Err(reply);
        }
        entry.reply = Some(reply);
        Ok(Answered {
            waiter: entry.waiter,
            ..Answered::default()
        })
    }

    /// The reply to a synchronous request, if it is in; the request is done with then.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Reply> {
        match self.entries.entry(seq) {
            hash_map::Entry::Occupied(entry) if entry.get().reply.is_some() => entry.remove().reply,
            _ => None,
        }
    }

    /// Adds a callback to an unanswered request; gives it back if it is answered already.
    pub(crate) fn add_callback(&mut self, seq: u64, callback: Callback) -> Option<Callback> {
        match self.entries.get_mut(&seq) {
            Some(entry) => {
                entry.callbacks.push(callback);
                None
            }
            None => Some(callback),
        }
    }

    /// Nobody wants the reply any more, unless callbacks do. What is left of the request is
    /// dropped by the caller, outside of the lock.
    pub(crate) fn abandon(&mut self, seq: u64) -> Option<Reply> {
        let entry = self.entries.get(&seq)?;
        if entry.callbacks.is_empty() {
            self.forget(seq).and_then(|(reply, _)| reply)
        } else {
            None
        }
    }

    /// The request is over. What is left of it is dropped by the caller, outside of the lock.
    pub(crate) fn forget(&mut self, seq: u64) -> Option<(Option<Reply>, Vec<Callback>)> {
        let entry = self.entries.remove(&seq)?;
        self.detached -= usize::from(entry.slot.is_some());
        Some((entry.reply, entry.callbacks))
    }

    /// Answers everything that is unanswered; gives back what is to be called.
    pub(crate) fn fail_all(&mut self, error: &Error) -> Vec<Call> {
        self.detached = 0;
        let mut calls = Vec::new();
        self.entries.retain(|seq, entry| {
            if entry.slot.is_none() {
                entry.reply.get_or_insert_with(|| Err(error.clone()));
                return true;
            }
            calls.append(&mut entry.answer(*seq, Err(error.clone())).calls);
            false
        });
        calls
    }

    /// The request whose answer this one waits for.
    pub(crate) fn awaited_at(&self, waiter: WaiterId) -> Option<(u64, Handler)> {
        let awaits =
            |entry: &Entry| entry.waiter == Some(waiter) || entry.more_waiters.contains(&waiter);
        let found = self.entries.iter().find(|(_, entry)| awaits(entry));
        found.map(|(seq, entry)| (*seq, entry.handler))
    }

    /// The request that has been unanswered for the longest time, and since when.
    pub(crate) fn oldest(&self) -> Option<(u64, Handler, Instant)> {
        let unanswered = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.reply.is_none());
        let (seq, entry) = unanswered.min_by_key(|(_, entry)| entry.since)?;
        Some((*seq, entry.handler, entry.since))
    }

    /// How many requests are in the table.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many asynchronous requests are unanswered.
    pub(crate) fn detached(&self) -> usize {
        self.detached
    }
}

impl Entry {
    /// Puts the reply into the slot and binds the callbacks to it; where it comes too late, to
    /// the error that says so.
    fn answer(&mut self, seq: u64, reply: Reply) -> Answered {
        let (outcome, late) = match &self.slot {
            None => (reply, None),
            Some(slot) => match slot.fill(reply.clone()) {
                Ok(()) => (reply, None),
                Err(late) => (Err(slot.timeout(seq).into()), Some(late)),
            },
        };
        let bind = |callback: Callback| {
            let outcome = outcome.clone();
            Box::new(move || callback(outcome)) as Call
        };
        Answered {
            waiter: self.waiter,
            more_waiters: std::mem::take(&mut self.more_waiters),
            calls: self.callbacks.drain(..).map(bind).collect(),
            late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(pending: &mut Pending, seq: u64, slot: Option<Arc<Slot>>) {
        pending.register(seq, Handler::Ping, Instant::now(), slot);
    }

    #[test]
    fn a_reply_nobody_expects_and_a_second_reply_are_given_back() {
        let mut pending = Pending::default();
        assert!(pending.answer(7, Ok(Any::NONE)).is_err());
        register(&mut pending, 7, None);
        assert!(pending.answer(7, Ok(Any::NONE)).is_ok());
        assert!(pending.answer(7, Ok(Any::NONE)).is_err());
        assert!(pending.take(7).is_some());
        assert!(pending.take(7).is_none());
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn asynchronous_requests_leave_the_table_with_their_answer() {
        let mut pending = Pending::default();
        let slots: Vec<_> = (0..4).map(|_| Arc::new(Slot::new(Handler::Ping))).collect();
        for (seq, slot) in (0..).zip(&slots) {
            register(&mut pending, seq, Some(slot.clone()));
        }
        assert!(pending.answer(0, Ok(Any::NONE)).is_ok());
        assert!(slots[0].is_filled());
        assert_eq!((pending.detached(), pending.len()), (3, 3));
        assert!(pending.forget(1).is_some());
        assert_eq!(pending.detached(), 2);
        assert!(pending.fail_all(&Error::Misuse(String::new())).is_empty());
        assert_eq!((pending.detached(), pending.len()), (0, 0));
        assert!(slots[2].is_error() && slots[3].is_error());
    }

    #[test]
    fn a_late_reply_is_given_back_and_leaves_nothing() {
        let mut pending = Pending::default();
        let slot = Arc::new(Slot::new(Handler::Ping));
        slot.set_expiry(Some(std::time::Duration::ZERO));
        register(&mut pending, 1, Some(slot.clone()));
        let answered = pending.answer(1, Ok(Any::NONE));
        assert!(answered.is_ok_and(|answered| answered.late.is_some()));
        assert!(slot.is_expired());
        assert_eq!((pending.detached(), pending.len()), (0, 0));
    }

    #[test]
    fn callbacks_are_given_out_once_with_the_answer() {
        let mut pending = Pending::default();
        register(&mut pending, 1, Some(Arc::new(Slot::new(Handler::Ping))));
        assert!(pending.add_callback(1, Box::new(|_| ())).is_none());
        // Nobody waits, but the callback does.
        assert!(pending.abandon(1).is_none());
        let answered = pending.answer(1, Ok(Any::NONE));
        assert!(answered.is_ok_and(|answered| answered.calls.len() == 1));
        assert!(pending.add_callback(1, Box::new(|_| ())).is_some());
    }
}
