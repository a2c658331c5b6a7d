//! [`AsyncResult`]: the answer to a request that nobody waits for yet.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::boxing::BoxedArgs;
use super::requests::handler_of;
use super::session::{Link, Session};
use crate::dispatch::slot::Slot;
use crate::dispatch::wait_several::{Awaited, wait_for_one};
use crate::error::{Error, Timeout};
use crate::object::{Any, Args};
use crate::wire::{Callee, Handler};

/// The answer to an asynchronous request, now or later.
///
/// Dropped before the answer has come, it drops the answer too when that comes, unless a callback
/// is to have it.
pub struct AsyncResult {
    link: Arc<Link>,
    seq: u64,
    slot: Arc<Slot<Any>>,
}

impl AsyncResult {
    /// The result expires `timeout` after now, however soon the answer comes.
    pub(crate) fn send_within(
        link: &Arc<Link>,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
        timeout: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        AsyncResult::send_boxed(link, handler, link.box_args(args)?, timeout)
    }

    /// Calls an object of the peer's, or its method; the limit is that of [`send_within`](AsyncResult::send_within).
    pub(crate) fn call_within(
        link: &Arc<Link>,
        callee: Callee<'_>,
        args: Args,
        timeout: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        let message = link.box_call(callee, args)?;
        AsyncResult::send_boxed(link, handler_of(callee), message, timeout)
    }

    fn send_boxed(
        link: &Arc<Link>,
        handler: Handler,
        message: BoxedArgs<'_>,
        timeout: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        let asked = message.asked(handler);
        let slot = Arc::new(Slot::new(asked.clone()));
        if timeout.is_some() {
            slot.set_expiry(timeout);
        }
        let now = Instant::now();
        let seq = link.send_request(
            &link.session.config(),
            asked,
            message,
            now,
            Some(slot.clone()),
        )?;
        Ok(AsyncResult {
            link: link.clone(),
            seq,
            slot,
        })
    }

    /// From now on the result expires after `timeout`; `None`: never. An answer that comes later
    /// than that is dropped.
    pub fn set_expiry(&self, timeout: Option<Duration>) {
        self.slot.set_expiry(timeout);
    }

    /// Whether the answer is in. It doesn't serve the connection: where nothing else does, the
    /// answer comes in by itself within some 20 ms.
    pub fn ready(&self) -> bool {
        let filled = self.slot.is_filled();
        if !filled {
            // There may have been no thread to bring it in.
            self.link.wake_watchdog();
        }
        filled
    }

    /// Whether the time is over and the answer isn't in.
    pub fn expired(&self) -> bool {
        self.slot.is_expired()
    }

    /// Whether the answer is in and is an error.
    pub fn error(&self) -> bool {
        self.slot.is_error()
    }

    /// Waits for the answer, until the expiry at the latest. Requests of the peer are served
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the result has expired; the answer is dropped when it comes.
    pub fn wait(&self) -> Result<(), Error> {
        let deadline = self.slot.deadline();
        if wait_for_one(&[&self.link], &[self.awaited()], deadline) {
            return Ok(());
        }
        Err(self.timeout().into())
    }

    /// Waits for the answer and gives it.
    ///
    /// # Errors
    /// What the peer raised, or as [`wait`](AsyncResult::wait).
    pub fn value(&self) -> Result<Any, Error> {
        self.wait()?;
        match self.slot.reply() {
            Some(reply) => reply,
            None => Err(self.timeout().into()),
        }
    }

    /// Calls back with the outcome when it is in, on an executing thread; at once, on this thread,
    /// if it is in already. The outcome of an expired result is [`Error::Timeout`], told when the
    /// late answer comes.
    pub fn add_callback(&self, callback: impl FnOnce(Result<Any, Error>) + Send + 'static) {
        let refused = self.link.add_callback(self.seq, Box::new(callback));
        if let Some(callback) = refused {
            callback(match self.slot.reply() {
                Some(reply) => reply,
                None => Err(self.timeout().into()),
            });
        }
    }

    /// Waits until one of the results is in, `timeout` at the most, and says which: the first one
    /// in the order given. `None` means that none came in time, or that all of them have
    /// expired.
    ///
    /// The results may belong to several connections: requests of all of them are served meanwhile.
    pub fn wait_any<'a>(
        results: impl IntoIterator<Item = &'a AsyncResult>,
        timeout: Option<Duration>,
    ) -> Option<usize> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let results: Vec<&AsyncResult> = results.into_iter().collect();
        // What has expired never comes in, so that there is nothing to wait for after the last one.
        let expiries: Option<Vec<Instant>> = results
            .iter()
            .map(|result| result.slot.deadline())
            .collect();
        let last_expiry = expiries.and_then(|expiries| expiries.into_iter().max());
        let deadline = [deadline, last_expiry].into_iter().flatten().min();
        let awaited: Vec<_> = results.iter().map(|result| result.awaited()).collect();
        wait_for_one(&connections(&results), &awaited, deadline);
        results.iter().position(|result| result.slot.is_filled())
    }

    /// Waits until all of the results are in, `timeout` at the most.
    ///
    /// # Errors
    /// [`Error::Timeout`], naming the first one that isn't in. What a result itself failed with is
    /// told by its [`value`](AsyncResult::value).
    pub fn wait_all<'a>(
        results: impl IntoIterator<Item = &'a AsyncResult>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let since = Instant::now();
        let deadline = timeout.and_then(|timeout| since.checked_add(timeout));
        let results: Vec<&AsyncResult> = results.into_iter().collect();
        let connections = connections(&results);
        for result in results {
            let own = result.slot.deadline();
            let earlier = [own, deadline].into_iter().flatten().min();
            let is_in =
                result.slot.is_filled() || wait_for_one(&connections, &[result.awaited()], earlier);
            if !is_in {
                return Err(match (timeout, own) {
                    (Some(timeout), own) if own.is_none_or(|own| Some(own) > deadline) => {
                        result.timeout_after(timeout)
                    }
                    _ => result.timeout(),
                }
                .into());
            }
        }
        Ok(())
    }

    fn awaited(&self) -> Awaited<'_, Session> {
        (&self.link, self.seq, &self.slot)
    }

    fn timeout(&self) -> Timeout {
        let named = self.slot.timeout(self.seq);
        self.link.timeout(named.what, named.after)
    }

    fn timeout_after(&self, after: Duration) -> Timeout {
        let what = self.slot.timeout(self.seq).what;
        self.link.timeout(what, after)
    }
}

/// The connections of the results, each once.
fn connections<'a>(results: &[&'a AsyncResult]) -> Vec<&'a Arc<Link>> {
    let mut seen = BTreeSet::new();
    let connections = results.iter().map(|result| &result.link);
    connections
        .filter(|link| seen.insert(link.number))
        .collect()
}

impl Drop for AsyncResult {
    fn drop(&mut self) {
        self.link.abandon_call(self.seq);
    }
}

impl fmt::Debug for AsyncResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncResult")
            .field("asked", &self.slot.asked())
            .field("seq", &self.seq)
            .field("ready", &self.ready())
            .finish_non_exhaustive()
    }
}
