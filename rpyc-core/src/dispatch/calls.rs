//! Requests of this side that aren't answered yet.

use std::collections::{HashMap, hash_map};
use std::sync::Arc;
use std::time::Instant;

use super::asked::Asked;
use super::current::Current;
use super::dispatcher::{Dispatcher, Protocol};
use super::held_answers::{Charge, HeldAnswers};
use super::scheduler::WaiterId;
use super::slot::{Reply, Slot};
use crate::counter_hash::CounterState;
use crate::error::Error;

/// What runs when the answer to an asynchronous request is in.
pub(crate) type OnReply<T> = Box<dyn FnOnce(Reply<T>) + Send>;

/// A callback with the answer that it is to be called with.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// What is left of a request that is over.
pub(crate) type Leftover<T> = (Asked, Option<Reply<T>>, Vec<OnReply<T>>);

/// The table of unanswered requests, by seq; `T` is what they are answered with.
///
/// The answer to a synchronous request stays here until its thread takes it. An asynchronous one
/// leaves the table with its answer, which goes into its slot.
pub(crate) struct Calls<T> {
    entries: HashMap<u64, Entry<T>, CounterState>,
    // How many requests are asynchronous and unanswered.
    detached: usize,
    // How many answers are here, for their threads to take.
    answered: usize,
    // How many waits for replies have begun.
    waits: u64,
    held: HeldAnswers,
}

struct Entry<T> {
    asked: Asked,
    since: Instant,
    reply: Option<Reply<T>>,
    charge: Option<Arc<Charge>>,
    // The waits that it ends: one, as a rule.
    waiter: Option<WaiterId>,
    // Of an asynchronous request.
    slot: Option<Arc<Slot<T>>>,
    // Boxed, because a call has none: the less there is to be moved.
    more: Option<Box<More<T>>>,
}

/// Who else is told of an answer.
struct More<T> {
    waiters: Vec<WaiterId>,
    callbacks: Vec<OnReply<T>>,
}

impl<T> Default for Effects<T> {
    fn default() -> Effects<T> {
        Effects {
            waiters: Vec::new(),
            calls: Vec::new(),
            late: None,
        }
    }
}

impl<T> Default for More<T> {
    fn default() -> More<T> {
        More {
            waiters: Vec::new(),
            callbacks: Vec::new(),
        }
    }
}

/// What an answer sets off.
pub(crate) struct Answered<T> {
    /// Whose wait it ends.
    pub(crate) waiter: Option<WaiterId>,
    /// Boxed, because most answers have none.
    pub(crate) more: Option<Box<Effects<T>>>,
}

/// What else an answer sets off.
pub(crate) struct Effects<T> {
    pub(crate) waiters: Vec<WaiterId>,
    /// What is to be called.
    pub(crate) calls: Vec<Call>,
    /// The answer itself, where it came after the time was over, or was one too many to be held.
    pub(crate) late: Option<Reply<T>>,
}

impl<T: Clone + Send + 'static> Calls<T> {
    /// Answers that nobody has taken may need `max_held` bytes, which the config calls so.
    pub(crate) fn new(max_held: usize, as_configured: &'static str) -> Calls<T> {
        Calls {
            entries: HashMap::default(),
            detached: 0,
            answered: 0,
            waits: 0,
            held: HeldAnswers::new(max_held, as_configured),
        }
    }

    /// A request is about to be sent. With a slot, its sender goes on without waiting.
    pub(crate) fn register(
        &mut self,
        seq: u64,
        asked: Asked,
        since: Instant,
        slot: Option<Arc<Slot<T>>>,
    ) {
        self.detached += usize::from(slot.is_some());
        let entry = Entry {
            asked,
            since,
            reply: None,
            charge: None,
            waiter: None,
            slot,
            more: None,
        };
        self.entries.insert(seq, entry);
    }

    /// A wait begins, for replies or for something else.
    pub(crate) fn count_wait(&mut self, is_for_replies: bool) {
        self.waits += u64::from(is_for_replies);
    }

    /// How many waits for replies have begun.
    pub(crate) fn waits(&self) -> u64 {
        self.waits
    }

    /// It waits for the reply from now on.
    pub(crate) fn add_waiter(&mut self, seq: u64, waiter: WaiterId) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            match entry.waiter {
                None => entry.waiter = Some(waiter),
                Some(_) => entry.more_mut().waiters.push(waiter),
            }
        }
    }

    /// It doesn't wait for the reply any more.
    pub(crate) fn remove_waiter(&mut self, seq: u64, waiter: WaiterId) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            if let Some(more) = &mut entry.more {
                more.waiters.retain(|other| *other != waiter);
            }
            if entry.waiter == Some(waiter) {
                entry.waiter = entry.more.as_mut().and_then(|more| more.waiters.pop());
            }
        }
    }

    /// A reply has come, which takes so many bytes: gives back who waits for it, and what is to be
    /// called. A reply that nobody expects (any more), or a second one, comes back as the error.
    pub(crate) fn answer(
        &mut self,
        seq: u64,
        reply: Reply<T>,
        bytes: usize,
    ) -> Result<Answered<T>, Reply<T>> {
        let Some(entry) = self.entries.get_mut(&seq) else {
            return Err(reply);
        };
        if entry.reply.is_some() {
            return Err(reply);
        }
        let (reply, refused) = match self.held.charge(bytes) {
            Ok(charge) => {
                entry.charge = charge;
                (reply, None)
            }
            Err(full) => (Err(full), Some(reply)),
        };
        let mut answered = if entry.slot.is_none() {
            self.answered += 1;
            entry.reply = Some(reply);
            Answered {
                waiter: entry.waiter,
                more: None,
            }
        } else {
            self.detached -= 1;
            let answered = entry.answer(seq, reply);
            self.entries.remove(&seq);
            answered
        };
        if refused.is_some() {
            let effects = answered.more.get_or_insert_default();
            effects.late = effects.late.take().or(refused);
        }
        Ok(answered)
    }

    /// The reply to a synchronous request, if it is in; the request is done with then.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Reply<T>> {
        if self.answered == 0 {
            return None;
        }
        match self.entries.entry(seq) {
            hash_map::Entry::Occupied(entry) if entry.get().reply.is_some() => {
                self.answered -= 1;
                entry.remove().reply
            }
            _ => None,
        }
    }

    /// Adds a callback to an unanswered request; gives it back if it is answered already.
    pub(crate) fn add_callback(&mut self, seq: u64, callback: OnReply<T>) -> Option<OnReply<T>> {
        match self.entries.get_mut(&seq) {
            Some(entry) => {
                entry.more_mut().callbacks.push(callback);
                None
            }
            None => Some(callback),
        }
    }

    /// Nobody wants the reply any more, unless callbacks do. What is left of the request is
    /// dropped by the caller, outside of the lock.
    pub(crate) fn abandon(&mut self, seq: u64) -> Option<Reply<T>> {
        let entry = self.entries.get(&seq)?;
        let more = entry.more.as_ref();
        if more.is_none_or(|more| more.callbacks.is_empty()) {
            self.forget(seq).and_then(|(_, reply, _)| reply)
        } else {
            None
        }
    }

    /// The request is over. What is left of it is dropped by the caller, outside of the lock.
    pub(crate) fn forget(&mut self, seq: u64) -> Option<Leftover<T>> {
        let entry = self.entries.remove(&seq)?;
        self.detached -= usize::from(entry.slot.is_some());
        self.answered -= usize::from(entry.reply.is_some());
        let callbacks = entry.more.map(|more| more.callbacks);
        Some((entry.asked, entry.reply, callbacks.unwrap_or_default()))
    }

    /// Answers everything that is unanswered; gives back what is to be called.
    pub(crate) fn fail_all(&mut self, error: &Error) -> Vec<Call> {
        self.fail(error, |_| true)
    }

    /// The same for what this waiter waits for.
    pub(crate) fn fail_awaited(&mut self, waiter: WaiterId, error: &Error) -> Vec<Call> {
        self.fail(error, |entry| entry.is_awaited_at(waiter))
    }

    fn fail(&mut self, error: &Error, is_meant: impl Fn(&Entry<T>) -> bool) -> Vec<Call> {
        let mut calls = Vec::new();
        self.entries.retain(|seq, entry| {
            if !is_meant(entry) {
                return true;
            }
            if entry.slot.is_none() {
                self.answered += usize::from(entry.reply.is_none());
                entry.reply.get_or_insert_with(|| Err(error.clone()));
                return true;
            }
            self.detached -= 1;
            if let Some(mut effects) = entry.answer(*seq, Err(error.clone())).more {
                calls.append(&mut effects.calls);
            }
            false
        });
        calls
    }

    /// The request whose answer this one waits for.
    pub(crate) fn awaited_at(&self, waiter: WaiterId) -> Option<(u64, &Asked)> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| entry.is_awaited_at(waiter));
        found.map(|(seq, entry)| (*seq, &entry.asked))
    }

    /// The request that has been unanswered for the longest time, and since when.
    pub(crate) fn oldest(&self) -> Option<(u64, &Asked, Instant)> {
        let unanswered = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.reply.is_none());
        let (seq, entry) = unanswered.min_by_key(|(_, entry)| entry.since)?;
        Some((*seq, &entry.asked, entry.since))
    }

    /// Whether the request is in the table.
    pub(crate) fn is_unanswered(&self, seq: u64) -> bool {
        self.entries.contains_key(&seq)
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

impl<T: Clone + Send + 'static> Entry<T> {
    fn is_awaited_at(&self, waiter: WaiterId) -> bool {
        let more = self.more.as_ref();
        self.waiter == Some(waiter) || more.is_some_and(|more| more.waiters.contains(&waiter))
    }

    fn more_mut(&mut self) -> &mut More<T> {
        self.more.get_or_insert_default()
    }

    /// Puts the reply into the slot and binds the callbacks to it; where it comes too late, to
    /// the error that says so.
    fn answer(&mut self, seq: u64, reply: Reply<T>) -> Answered<T> {
        let (outcome, late) = match &self.slot {
            None => (reply, None),
            Some(slot) => match slot.fill(reply.clone(), self.charge.clone()) {
                Ok(()) => (reply, None),
                Err(late) => (Err(slot.timeout(seq).into()), Some(late)),
            },
        };
        if late.is_none() && self.more.is_none() {
            return Answered {
                waiter: self.waiter,
                more: None,
            };
        }
        let bind = |callback: OnReply<T>| {
            let (outcome, charge) = (outcome.clone(), self.charge.clone());
            let call = move || {
                let _held = charge;
                callback(outcome);
            };
            Box::new(call) as Call
        };
        let more = self.more.take().unwrap_or_default();
        Answered {
            waiter: self.waiter,
            more: Some(Box::new(Effects {
                waiters: more.waiters,
                calls: more.callbacks.into_iter().map(bind).collect(),
                late,
            })),
        }
    }
}

/// Why a request can't be sent.
#[derive(Debug)]
pub(crate) enum NotRegistered {
    /// The connection has ended, or is about to.
    Closed(Error),
    /// Too many are unanswered.
    TooMany,
}

impl<P: Protocol> Dispatcher<P> {
    /// A request is about to be sent; `limit` is how many may be unanswered. Says whether others are
    /// that nobody waits for.
    ///
    /// # Errors
    /// It mustn't be sent.
    pub(crate) fn register_call(
        &self,
        seq: u64,
        asked: Asked,
        now: Instant,
        slot: Option<Arc<Slot<P::Payload>>>,
        limit: usize,
    ) -> Result<bool, NotRegistered> {
        let mut core = self.core.lock();
        if let Some(error) = core.lifecycle.refuses_request(|is_waiting| {
            // What the peer asks for in order to answer may still ask the peer.
            asked.is_close() || (is_waiting && Current::task(self.number).is_some())
        }) {
            return Err(NotRegistered::Closed(error));
        }
        if core.calls.len() >= limit {
            return Err(NotRegistered::TooMany);
        }
        let others = core.calls.detached() > 0;
        core.calls.register(seq, asked, now, slot);
        Ok(others)
    }

    /// The request is over, whatever comes. Says what it asked for.
    pub(crate) fn forget_call(&self, seq: u64) -> Option<Asked> {
        let forgotten = self.core.lock().calls.forget(seq);
        // What is left of it goes here, outside of the lock.
        forgotten.map(|(asked, _, _)| asked)
    }

    /// Nobody wants the reply any more, unless callbacks do.
    pub(crate) fn abandon_call(&self, seq: u64) {
        let left = self.core.lock().calls.abandon(seq);
        drop(left);
    }

    /// Adds a callback to an unanswered request; gives it back if it is answered already.
    pub(crate) fn add_callback(
        &self,
        seq: u64,
        callback: OnReply<P::Payload>,
    ) -> Option<OnReply<P::Payload>> {
        self.core.lock().calls.add_callback(seq, callback)
    }

    /// Why nothing can be sent any more, if nothing can.
    pub(crate) fn send_error(&self) -> Option<Error> {
        self.core.lock().lifecycle.refuses_request(|_| true)
    }

    /// How many of our requests are unanswered, releases not counted.
    pub(crate) fn pending_calls(&self) -> usize {
        self.core.lock().calls.len()
    }

    /// How many requests of the peer's run or are queued.
    pub(crate) fn running_requests(&self) -> usize {
        let core = self.core.lock();
        core.scheduler.tasks() + core.scheduler.queued()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Handler;

    fn register(calls: &mut Calls<()>, seq: u64, slot: Option<Arc<Slot<()>>>) {
        calls.register(seq, Handler::Ping.into(), Instant::now(), slot);
    }

    #[test]
    fn a_reply_nobody_expects_and_a_second_reply_are_given_back() {
        let mut calls = Calls::new(1000, "");
        assert!(calls.answer(7, Ok(()), 0).is_err());
        register(&mut calls, 7, None);
        assert!(calls.answer(7, Ok(()), 0).is_ok());
        assert!(calls.answer(7, Ok(()), 0).is_err());
        assert!(calls.take(7).is_some());
        assert!(calls.take(7).is_none());
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn asynchronous_requests_leave_the_table_with_their_answer() {
        let mut calls = Calls::new(1000, "");
        let slots: Vec<_> = (0..4).map(|_| Arc::new(Slot::new(Handler::Ping))).collect();
        for (seq, slot) in (0..).zip(&slots) {
            register(&mut calls, seq, Some(slot.clone()));
        }
        assert!(calls.answer(0, Ok(()), 0).is_ok());
        assert!(slots[0].is_filled());
        assert_eq!((calls.detached(), calls.len()), (3, 3));
        assert!(calls.forget(1).is_some());
        assert_eq!(calls.detached(), 2);
        assert!(calls.fail_all(&Error::Misuse(String::new())).is_empty());
        assert_eq!((calls.detached(), calls.len()), (0, 0));
        assert!(slots[2].is_error() && slots[3].is_error());
    }

    #[test]
    fn a_late_reply_is_given_back_and_leaves_nothing() {
        let mut calls = Calls::new(1000, "");
        let slot = Arc::new(Slot::new(Handler::Ping));
        slot.set_expiry(Some(std::time::Duration::ZERO));
        register(&mut calls, 1, Some(slot.clone()));
        let answered = calls.answer(1, Ok(()), 0);
        assert!(
            answered.is_ok_and(|answered| answered.more.is_some_and(|more| more.late.is_some()))
        );
        assert!(slot.is_expired());
        assert_eq!((calls.detached(), calls.len()), (0, 0));
    }

    #[test]
    fn callbacks_are_given_out_once_with_the_answer() {
        let mut calls = Calls::new(1000, "");
        register(&mut calls, 1, Some(Arc::new(Slot::new(Handler::Ping))));
        assert!(calls.add_callback(1, Box::new(|_| ())).is_none());
        // Nobody waits, but the callback does.
        assert!(calls.abandon(1).is_none());
        let answered = calls.answer(1, Ok(()), 0);
        assert!(
            answered.is_ok_and(|answered| answered.more.is_some_and(|more| more.calls.len() == 1))
        );
        assert!(calls.add_callback(1, Box::new(|_| ())).is_some());
    }

    #[test]
    fn answers_are_held_up_to_a_limit_and_charged_until_nobody_has_them() {
        let mut calls = Calls::new(1000, "");
        let slots: Vec<_> = (0..4).map(|_| Arc::new(Slot::new(Handler::Ping))).collect();
        for (seq, slot) in (0..).zip(&slots) {
            register(&mut calls, seq, Some(slot.clone()));
        }
        assert!(calls.add_callback(1, Box::new(|_| ())).is_none());
        register(&mut calls, 4, None);
        // One alone may be larger than all together.
        assert!(calls.answer(0, Ok(()), 2000).is_ok());
        assert!(slots[0].is_filled() && !slots[0].is_error());
        let refused = calls.answer(4, Ok(()), 1);
        assert!(refused.is_ok_and(|answered| {
            answered
                .more
                .is_some_and(|more| matches!(more.late, Some(Ok(()))))
        }));
        assert!(matches!(calls.take(4), Some(Err(Error::Misuse(_)))));
        let mut slots = slots.into_iter();
        drop(slots.next());
        assert_eq!(calls.held.bytes(), 0);
        // What a callback is to be given counts until it has been called.
        let called = calls.answer(1, Ok(()), 600);
        drop(slots.next());
        assert_eq!(calls.held.bytes(), 600);
        assert!(calls.answer(2, Ok(()), 600).is_ok());
        assert!(slots.next().is_some_and(|slot| slot.is_error()));
        for call in called
            .ok()
            .and_then(|answered| answered.more)
            .map(|more| more.calls)
            .unwrap_or_default()
        {
            call();
        }
        assert_eq!(calls.held.bytes(), 0);
        // An answer that nobody waits for any more isn't held.
        calls.forget(3);
        assert!(calls.answer(3, Ok(()), 600).is_err());
        assert_eq!(calls.held.bytes(), 0);
    }
}
