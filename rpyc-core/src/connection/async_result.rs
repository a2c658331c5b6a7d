//! [`AsyncResult`]: the answer to a request that nobody waits for yet.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pending::Reply;
use super::shared::Shared;
use crate::codec::Handler;
use crate::error::{Error, Timeout};
use crate::object::Any;
use crate::sync::Mutex;

/// The answer to an asynchronous request, now or later.
///
/// Dropped before the answer has come, it drops the answer too when that comes.
pub struct AsyncResult {
    shared: Arc<Shared>,
    handler: Handler,
    seq: u64,
    state: Mutex<State>,
}

struct State {
    sent: Instant,
    deadline: Option<Instant>,
    reply: Option<Reply>,
}

impl AsyncResult {
    pub(super) fn send(
        shared: &Arc<Shared>,
        handler: Handler,
        args: Vec<Any>,
    ) -> Result<AsyncResult, Error> {
        let seq = shared.send_request(handler, args, true)?;
        Ok(AsyncResult {
            shared: shared.clone(),
            handler,
            seq,
            state: Mutex::new(State {
                sent: Instant::now(),
                deadline: None,
                reply: None,
            }),
        })
    }

    /// From now on the result expires after `timeout`; `None`: never.
    pub fn set_expiry(&self, timeout: Option<Duration>) {
        let mut state = self.state.lock();
        state.sent = Instant::now();
        state.deadline = timeout.and_then(|timeout| state.sent.checked_add(timeout));
    }

    /// Whether the answer is in.
    pub fn ready(&self) -> bool {
        self.state.lock().reply.is_some() || self.shared.core.lock().pending.is_answered(self.seq)
    }

    /// Whether the time is over and the answer isn't in.
    pub fn expired(&self) -> bool {
        let deadline = self.state.lock().deadline;
        deadline.is_some_and(|deadline| deadline <= Instant::now()) && !self.ready()
    }

    /// Whether the answer is in and is an error.
    pub fn error(&self) -> bool {
        self.ready() && self.wait().is_ok() && matches!(&self.state.lock().reply, Some(Err(_)))
    }

    /// Waits for the answer, until the expiry at the latest. Requests of the peer are served
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the result has expired; the answer is dropped when it comes.
    pub fn wait(&self) -> Result<(), Error> {
        let (sent, deadline) = {
            let state = self.state.lock();
            if state.reply.is_some() {
                return Ok(());
            }
            (state.sent, state.deadline)
        };
        match self.shared.wait_for(self.seq, deadline) {
            Ok(reply) => {
                let mut state = self.state.lock();
                // Another thread that waited too may have got it.
                if state.reply.is_none() {
                    state.reply = Some(reply);
                }
                Ok(())
            }
            Err(()) => {
                let what = format!("{} (seq {})", self.handler.name(), self.seq);
                let after = deadline.map_or(Duration::ZERO, |deadline| deadline - sent);
                Err(self.shared.timeout(what, after).into())
            }
        }
    }

    /// Waits for the answer and gives it.
    ///
    /// # Errors
    /// What the peer raised, or as [`wait`](AsyncResult::wait).
    pub fn value(&self) -> Result<Any, Error> {
        self.wait()?;
        match &self.state.lock().reply {
            Some(reply) => reply.clone(),
            None => Err(Error::from(Timeout::of(
                self.handler.name().to_owned(),
                Duration::ZERO,
            ))),
        }
    }

    /// Calls back when the answer is in, on an executing thread; at once, on this thread, if it is
    /// in already.
    pub fn add_callback(&self, callback: impl FnOnce() + Send + 'static) {
        let refused = if self.state.lock().reply.is_some() {
            Some(Box::new(callback) as super::pending::Callback)
        } else {
            let mut core = self.shared.core.lock();
            core.pending.add_callback(self.seq, Box::new(callback))
        };
        if let Some(callback) = refused {
            callback();
        }
    }
}

impl Drop for AsyncResult {
    fn drop(&mut self) {
        let forgotten = self.shared.core.lock().pending.forget(self.seq);
        drop(forgotten);
    }
}

impl fmt::Debug for AsyncResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult")
            .field("handler", &self.handler)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}
