//! Requests of this side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::dispatch::calls::Reply;
use crate::dispatch::current::Current;
use crate::dispatch::outbox::{CONGESTED, Rest};
use crate::dispatch::scheduler::WaiterId;
use crate::dispatch::shared::{LeavingState, Shared};
use crate::dispatch::slot::Slot;
use crate::dispatch::wait_loop::{ReservedWaiter, WaitFor, WaitOutcome};
use crate::error::{Error, Timeout};
use crate::object::Any;
use crate::sync::atomic::Ordering;
use crate::sync::{Mutex, passed};
use crate::wire::{Boxed, Handler, IdPack, Int, Message, Seq, Value, boxed, encode_request};

impl Shared {
    /// Sends a request and waits for its answer, within the config's time.
    pub(crate) fn sync_request(
        self: &Arc<Self>,
        handler: Handler,
        args: Vec<Any>,
    ) -> Result<Any, Error> {
        let config = self.config();
        self.request_under(&config, handler, args, config.sync_request_timeout)
    }

    pub(crate) fn request_within(
        self: &Arc<Self>,
        handler: Handler,
        args: Vec<Any>,
        timeout: Option<Duration>,
    ) -> Result<Any, Error> {
        self.request_under(&self.config(), handler, args, timeout)
    }

    fn request_under(
        self: &Arc<Self>,
        config: &Config,
        handler: Handler,
        args: Vec<Any>,
        timeout: Option<Duration>,
    ) -> Result<Any, Error> {
        let began = Instant::now();
        let deadline = timeout.and_then(|timeout| began.checked_add(timeout));
        // Where the peer names threads, it may name this one as soon as the request is out.
        let waiter = self
            .wire
            .dialect()
            .has_threads()
            .then(|| self.reserve_waiter());
        let seq = self.send_request(config, handler, args, began, None)?;
        let waited = self.wait_for(seq, waiter.and_then(ReservedWaiter::into_waiter), deadline);
        waited.unwrap_or_else(|()| {
            let forgotten = self.core.lock().pending.forget(seq);
            drop(forgotten);
            let what = format!("{} (seq {seq})", handler.name());
            Err(Error::from(self.timeout(what, timeout.unwrap_or_default())))
        })
    }

    /// Waits for the answer to `seq`, as this waiter if there is one already; an error means that the
    /// deadline has passed.
    pub(crate) fn wait_for(
        self: &Arc<Self>,
        seq: u64,
        waiter: Option<WaiterId>,
        deadline: Option<Instant>,
    ) -> Result<Result<Any, Error>, ()> {
        match self.run_until_at(waiter, WaitFor::Reply(seq), deadline) {
            WaitOutcome::Answered(reply) => Ok(reply),
            WaitOutcome::Closed(reason) => Ok(Err(Error::Closed(reason))),
            WaitOutcome::TimedOut | WaitOutcome::Served => Err(()),
        }
    }

    /// Waits until one of the slots is filled; says whether one was, before the deadline.
    pub(crate) fn wait_for_slots(
        self: &Arc<Self>,
        slots: &[(u64, &Slot)],
        deadline: Option<Instant>,
    ) -> bool {
        let filled = || slots.iter().any(|(_, slot)| slot.is_filled());
        // A connection that closes fills them all.
        filled()
            || matches!(
                self.run_until(WaitFor::OneOf(slots), deadline),
                WaitOutcome::Served
            )
            || filled()
    }

    /// Sends a request; its answer will be in the slot or, where a thread is going to wait for it
    /// at once, in the table of pending ones under the seq.
    pub(crate) fn send_request(
        self: &Arc<Self>,
        config: &Config,
        handler: Handler,
        args: Vec<Any>,
        now: Instant,
        slot: Option<Arc<Slot>>,
    ) -> Result<u64, Error> {
        let detached = slot.is_some();
        let limit = config.max_pending;
        let (seq, others) = self.queue_request(config, handler, args, now, slot, limit)?;
        if detached && self.may_pile_up(now, others) {
            return Ok(seq);
        }
        self.flush_soon();
        if detached {
            // Slowed down by the peer, but no longer than a call would be.
            let deadline = config
                .sync_request_timeout
                .and_then(|limit| now.checked_add(limit));
            self.outbox.wait_below(CONGESTED, deadline);
        }
        Ok(seq)
    }

    /// Queues a request whose answer matters to nobody; what goes wrong is logged. It is sent as a
    /// release is. Never blocks.
    pub(crate) fn post_request(&self, handler: Handler, args: Vec<Any>, what: &'static str) {
        let config = self.config();
        let (connid, target) = (self.connid.clone(), config.logger.clone());
        let log = move |error: Error| log::warn!(target: &target, "{connid}: {what}: {error}");
        let slot = Some(Arc::new(Slot::new(handler)));
        // Its sender can't be told that there are too many.
        let limit = usize::MAX;
        match self.queue_request(&config, handler, args, Instant::now(), slot, limit) {
            Ok((seq, _)) => {
                let told = Box::new(move |reply: Reply| drop(reply.map_err(log)));
                // Where the answer has come already, the caller's thread needn't be told.
                let _ = self.core.lock().pending.add_callback(seq, told);
            }
            Err(error) => log(error),
        }
    }

    /// Queues a request, for [`flush`](Shared::flush) to send; says its seq, and whether other asynchronous
    /// requests are unanswered.
    pub(crate) fn queue_request(
        &self,
        config: &Config,
        handler: Handler,
        args: Vec<Any>,
        now: Instant,
        slot: Option<Arc<Slot>>,
        limit: usize,
    ) -> Result<(u64, bool), Error> {
        let message = self.box_args(args);
        let message = message.map_err(|refused| {
            // A closed connection hands nothing out.
            let closed = Shared::closed_error(&self.core.lock());
            closed.unwrap_or_else(|| Error::Misuse(refused.message()))
        })?;
        let seq = self.take_seq();
        let registered = self.register(seq, handler, now, slot, limit);
        let others = match registered {
            Ok(others) => others,
            Err(error) => {
                self.unbox_refs(&message.boxed);
                return Err(error);
            }
        };
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        self.trace_outgoing(config, || Message::Request {
            seq: Seq::new(seq),
            handler,
            args: message.boxed.clone(),
        });
        let encoded = self.outbox.append(|frames| {
            let (envelope, limits) = (self.wire.request(), &self.limits);
            let seq = Seq::new(seq);
            encode_request(
                frames,
                envelope,
                limits,
                config.compress,
                &seq,
                handler,
                &message.boxed,
            )
        });
        if let Err(error) = encoded {
            self.unanswered.fetch_sub(1, Ordering::Relaxed);
            self.unbox_refs(&message.boxed);
            boxed::dismantle(message.boxed);
            let forgotten = self.core.lock().pending.forget(seq);
            drop(forgotten);
            return Err(Error::Unsendable(error));
        }
        // Only now: the frame is queued, a release that this causes comes behind it.
        drop(message);
        self.wake_watchdog();
        Ok((seq, others))
    }

    /// Whether an asynchronous request may stay in the outbox for a moment, to share a write with
    /// those that follow.
    ///
    /// It may within a burst, while other answers are under way: their arrival, or whoever waits
    /// for one, brings it out; else the watchdog does, at its next look. A request that comes alone
    /// leaves at once.
    fn may_pile_up(&self, now: Instant, others_unanswered: bool) -> bool {
        let burst = {
            let mut last = self.last_detached.lock();
            last.replace(now).and_then(|last| last.checked_add(BURST))
        };
        let in_burst = burst.is_some_and(|end| !passed(end));
        in_burst && others_unanswered && self.outbox.backlog() < PILE
    }

    /// Says whether there are other asynchronous requests that are unanswered.
    fn register(
        &self,
        seq: u64,
        handler: Handler,
        now: Instant,
        slot: Option<Arc<Slot>>,
        limit: usize,
    ) -> Result<bool, Error> {
        let mut core = self.core.lock();
        if let Some(error) = Shared::closed_error(&core) {
            return Err(error);
        }
        if let Some(leaving) = &core.closing.leaving {
            // What the peer asks for in order to answer may still ask the peer.
            let answering = leaving.state == LeavingState::Answering;
            let in_task = answering && Current::task(self.number).is_some();
            if handler != Handler::Close && !in_task {
                return Err(Error::Closed(leaving.reason.clone()));
            }
        }
        if core.pending.len() >= limit {
            return Err(Error::Misuse(format!(
                "{limit} requests are unanswered, the most there may be (max_pending)"
            )));
        }
        let others = core.pending.detached() > 0;
        core.pending.register(seq, handler, now, slot);
        Ok(others)
    }

    /// Queues the release of a netref that has died. It is sent with the next frame or, where none
    /// comes, a moment later: nobody waits for it, and nobody is told of its answer.
    pub(crate) fn send_release(&self, id_pack: &IdPack, count: u64) {
        let seq = Seq::new(self.take_seq());
        let args = [
            Boxed::LocalRef(id_pack.clone()),
            Boxed::Value(Value::Int(Int::from(count))),
        ];
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        self.trace_outgoing(&self.config(), || Message::Request {
            seq: seq.clone(),
            handler: Handler::Del,
            args: args.to_vec(),
        });
        let encoded = self.outbox.append(|frames| {
            encode_request(
                frames,
                self.wire.request(),
                &self.limits,
                false,
                &seq,
                Handler::Del,
                &args,
            )
        });
        if let Err(error) = encoded {
            log::warn!(target: &self.config().logger, "{}: a release can't be sent: {error}", self.connid);
        }
        self.wake_watchdog();
    }

    /// Whether the peer may have more under way than one answer: another answer, or, behind the
    /// answer to a release, which it doesn't wait for us after, a request of its own. `pending`
    /// are the requests that wait for answers.
    pub(crate) fn expects_more(&self, pending: usize) -> bool {
        let unanswered = self.unanswered.load(Ordering::Relaxed);
        unanswered > 1 || usize::try_from(unanswered).is_ok_and(|unanswered| unanswered > pending)
    }

    /// Writes what is queued, unless somebody else does; a failure ends the connection.
    pub(crate) fn flush(&self) {
        if !self.outbox.needs_writer() {
            return;
        }
        self.wake_watchdog();
        self.fail_if_unwritten(self.outbox.flush(&*self.stream));
    }

    /// The same for a thread that has a deadline: what the peer doesn't read at once is left to
    /// another thread.
    pub(crate) fn flush_soon(self: &Arc<Self>) {
        if !self.outbox.needs_writer() {
            return;
        }
        self.wake_watchdog();
        match self.outbox.flush_unless_stalled(&*self.stream) {
            Ok(None) => {}
            Ok(Some(rest)) => self.write_elsewhere(rest),
            Err(error) => self.fail_if_unwritten(Err(error)),
        }
    }

    #[cold]
    fn write_elsewhere(self: &Arc<Self>, rest: Rest) {
        // The job holds it through a slot, so that it is still here if the job is refused.
        let slot = Arc::new(Mutex::new(Some(rest)));
        let write = {
            let (shared, slot) = (self.clone(), slot.clone());
            move || {
                let rest = slot.lock().take();
                if let Some(rest) = rest {
                    shared.fail_if_unwritten(shared.outbox.resume(&*shared.stream, rest));
                }
            }
        };
        if !self.send_helper(write.clone()) {
            write();
        }
    }

    /// Waits, where much is queued, until the peer has read most of it: a request that has piled
    /// it up doesn't end before, so that no other one takes its turn.
    pub(crate) fn wait_drained(&self) {
        if self.outbox.is_congested() {
            self.wake_watchdog();
            self.fail_if_unwritten(self.outbox.wait_drained(&*self.stream));
        }
    }

    fn fail_if_unwritten(&self, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            let reason = crate::error::CloseReason::Io(error.into());
            self.end(reason);
        }
    }
}

impl Timeout {
    /// Names what was waited for.
    pub(crate) fn of(what: String, after: Duration) -> Timeout {
        Timeout {
            what,
            after,
            detail: String::new(),
        }
    }
}

/// How close asynchronous requests follow one another in a burst.
const BURST: Duration = Duration::from_micros(200);

/// How many bytes of requests pile up at the most.
const PILE: usize = 16 << 10;

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::object::{IdParts, Object};
    use crate::service::VoidService;
    use crate::session::Connection;

    /// Can't be told from any other object, because it panics when it is asked.
    struct Nameless;

    impl Object for Nameless {
        fn id_parts(&self) -> IdParts {
            panic!("as asked")
        }
    }

    /// The waiter that was reserved for it already stayed.
    #[test]
    fn a_panic_of_an_argument_leaves_no_wait_behind() {
        let config = Config {
            bind_threads: true,
            ..Config::default()
        };
        let service = || Arc::new(VoidService);
        let pair = Connection::pair(service(), config.clone(), service(), config);
        let (here, _there) = pair.unwrap();
        let call = || here.sync_request(Handler::Call, vec![Any::object(Nameless)]);
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert!(!here.shared.core.lock().scheduler.somebody_waits());
    }
}
