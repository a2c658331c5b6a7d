//! [`Slot`]: where the answer to an asynchronous request is put.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::asked::Asked;
use super::held_answers::Charge;
use crate::error::{Error, Timeout};
use crate::sync::{Mutex, passed};

/// What a request was answered with.
pub(crate) type Reply<T> = Result<T, Error>;

/// Shared by the table of unanswered requests, which fills it, and by whoever asked.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    asked: Asked,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    since: Instant,
    deadline: Option<Instant>,
    reply: Option<Reply<T>>,
    charge: Option<Arc<Charge>>,
}

impl<T: Clone> Slot<T> {
    pub(crate) fn new(asked: impl Into<Asked>) -> Slot<T> {
        let state = Mutex::new(State {
            since: Instant::now(),
            deadline: None,
            reply: None,
            charge: None,
        });
        Slot {
            asked: asked.into(),
            state,
        }
    }

    /// What was asked for.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Puts the answer in; one that comes after the deadline, or a second one, is given back.
    pub(crate) fn fill(
        &self,
        reply: Reply<T>,
        charge: Option<Arc<Charge>>,
    ) -> Result<(), Reply<T>> {
        let mut state = self.state.lock();
        if state.reply.is_some() || state.is_over() {
            return Err(reply);
        }
        state.reply = Some(reply);
        state.charge = charge;
        Ok(())
    }

    /// The answer, if it is in.
    pub(crate) fn reply(&self) -> Option<Reply<T>> {
        self.state.lock().reply.clone()
    }

    /// Whether the answer is in.
    pub(crate) fn is_filled(&self) -> bool {
        self.state.lock().reply.is_some()
    }

    /// Whether the answer is in and is an error.
    pub(crate) fn is_error(&self) -> bool {
        matches!(self.state.lock().reply, Some(Err(_)))
    }

    /// Whether the time is over and no answer is in.
    pub(crate) fn is_expired(&self) -> bool {
        let state = self.state.lock();
        state.reply.is_none() && state.is_over()
    }

    /// Starts the time anew.
    pub(crate) fn set_expiry(&self, timeout: Option<Duration>) {
        let mut state = self.state.lock();
        state.since = Instant::now();
        state.deadline = timeout.and_then(|timeout| state.since.checked_add(timeout));
    }

    /// When the time is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state.lock().deadline
    }

    /// The error of a result whose time is over.
    pub(crate) fn timeout(&self, seq: u64) -> Timeout {
        let state = self.state.lock();
        let deadline = state.deadline.unwrap_or_else(Instant::now);
        let after = deadline.saturating_duration_since(state.since);
        Timeout::new(self.asked.at(seq).to_string(), after)
    }
}

impl<T> State<T> {
    fn is_over(&self) -> bool {
        self.deadline.is_some_and(passed)
    }
}
