//! Requests of this side that aren't answered yet.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::turns::PlaceId;
use crate::error::Error;
use crate::object::Any;

/// What a request was answered with.
pub(crate) type Reply = Result<Any, Error>;

/// What runs when the answer to an asynchronous request is in.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// The table of unanswered requests, by seq.
#[derive(Default)]
pub(crate) struct Pending {
    entries: HashMap<u64, Entry, BuildHasherDefault<SeqHasher>>,
    // How many requests are asynchronous and unanswered.
    detached: usize,
}

#[derive(Default)]
struct Entry {
    reply: Option<Reply>,
    // The wait that it ends.
    waiter: Option<PlaceId>,
    detached: bool,
    callbacks: Vec<Callback>,
}

impl Pending {
    /// A request is about to be sent. `detached`: its sender goes on without waiting.
    pub(crate) fn register(&mut self, seq: u64, detached: bool) {
        self.detached += usize::from(detached);
        let entry = Entry {
            detached,
            ..Entry::default()
        };
        self.entries.insert(seq, entry);
    }

    /// The place waits for the reply from now on; `None`: nobody does.
    pub(crate) fn set_waiter(&mut self, seq: u64, waiter: Option<PlaceId>) {
        if let Some(entry) = self.entries.get_mut(&seq) {
            entry.waiter = waiter;
        }
    }

    /// A reply has come: gives back who waits for it, and what is to be called. A reply that
    /// nobody expects (any more), or a second one, comes back as the error.
    pub(crate) fn answer(
        &mut self,
        seq: u64,
        reply: Reply,
    ) -> Result<(Option<PlaceId>, Vec<Callback>), Reply> {
        match self.entries.get_mut(&seq) {
            Some(entry) if entry.reply.is_none() => {
                entry.reply = Some(reply);
                self.detached -= usize::from(entry.detached);
                Ok((entry.waiter, std::mem::take(&mut entry.callbacks)))
            }
            _ => Err(reply),
        }
    }

    /// The reply, if it is in; the request is done with then.
    pub(crate) fn take(&mut self, seq: u64) -> Option<Reply> {
        if !self.is_answered(seq) {
            return None;
        }
        self.entries.remove(&seq).and_then(|entry| entry.reply)
    }

    /// Whether the reply is in.
    pub(crate) fn is_answered(&self, seq: u64) -> bool {
        self.entries
            .get(&seq)
            .is_some_and(|entry| entry.reply.is_some())
    }

    /// Adds a callback to an unanswered request; gives it back if it is answered already.
    pub(crate) fn add_callback(&mut self, seq: u64, callback: Callback) -> Option<Callback> {
        match self.entries.get_mut(&seq) {
            Some(entry) if entry.reply.is_none() => {
                entry.callbacks.push(callback);
                None
            }
            _ => Some(callback),
        }
    }

    /// Nobody wants the reply any more. What is left of the request is dropped by the caller,
    /// outside of the lock.
    pub(crate) fn forget(&mut self, seq: u64) -> Option<(Option<Reply>, Vec<Callback>)> {
        let entry = self.entries.remove(&seq)?;
        self.detached -= usize::from(entry.detached && entry.reply.is_none());
        Some((entry.reply, entry.callbacks))
    }

    /// Answers everything that is unanswered; gives back what is to be called.
    pub(crate) fn fail_all(&mut self, error: &Error) -> Vec<Callback> {
        self.detached = 0;
        let mut callbacks = Vec::new();
        for entry in self
            .entries
            .values_mut()
            .filter(|entry| entry.reply.is_none())
        {
            entry.reply = Some(Err(error.clone()));
            callbacks.append(&mut entry.callbacks);
        }
        callbacks
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

/// Seqs are counters of our own making: no peer chooses them, so mixing them a little is enough.
#[derive(Default)]
struct SeqHasher(u64);

impl Hasher for SeqHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_nobody_expects_and_a_second_reply_are_given_back() {
        let mut pending = Pending::default();
        assert!(pending.answer(7, Ok(Any::NONE)).is_err());
        pending.register(7, false);
        assert!(pending.answer(7, Ok(Any::NONE)).is_ok());
        assert!(pending.answer(7, Ok(Any::NONE)).is_err());
        assert!(pending.take(7).is_some());
        assert!(pending.take(7).is_none());
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn detached_requests_are_counted_until_answered_or_forgotten() {
        let mut pending = Pending::default();
        for seq in 0..3 {
            pending.register(seq, true);
        }
        assert!(pending.answer(0, Ok(Any::NONE)).is_ok());
        assert_eq!(pending.detached(), 2);
        assert!(pending.forget(0).is_some());
        assert!(pending.forget(1).is_some());
        assert_eq!(pending.detached(), 1);
        assert!(pending.fail_all(&Error::Misuse(String::new())).is_empty());
        assert_eq!(pending.detached(), 0);
        assert!(pending.is_answered(2));
    }

    #[test]
    fn callbacks_are_given_out_once_with_the_answer() {
        let mut pending = Pending::default();
        pending.register(1, true);
        assert!(pending.add_callback(1, Box::new(|| ())).is_none());
        let answered = pending.answer(1, Ok(Any::NONE));
        assert!(matches!(answered, Ok((None, callbacks)) if callbacks.len() == 1));
        assert!(pending.add_callback(1, Box::new(|| ())).is_some());
    }
}
