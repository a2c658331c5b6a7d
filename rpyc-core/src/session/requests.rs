//! Requests of this side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::boxing::BoxedArgs;
use super::session::Link;
use crate::config::Config;
use crate::dispatch::asked::Asked;
use crate::dispatch::outbox::CONGESTED;
use crate::dispatch::scheduler::WaiterId;
use crate::dispatch::slot::{Reply, Slot};
use crate::dispatch::waits::ForReply;
use crate::dispatch::{NotRegistered, Protocol as _};
use crate::error::Error;
use crate::object::{Any, Args};
use crate::sync::passed;
use crate::wire::{
    Arguments, Body, Boxed, Callee, EncodeError, Envelope, Handler, IdPack, Int, Message, Seq,
    Value,
};

impl Link {
    /// Sends a request and waits for its answer, within the config's time.
    pub(crate) fn sync_request(
        self: &Arc<Self>,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
    ) -> Result<Any, Error> {
        let config = self.session.config();
        let message = self.box_args(args)?;
        self.request_under(&config, handler, message, config.sync_request_timeout)
    }

    pub(super) fn request_within(
        self: &Arc<Self>,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
        timeout: Option<Duration>,
    ) -> Result<Any, Error> {
        let message = self.box_args(args)?;
        self.request_under(&self.session.config(), handler, message, timeout)
    }

    /// Calls an object of the peer's, or its method, within the config's time.
    pub(crate) fn call(self: &Arc<Self>, callee: Callee<'_>, args: Args) -> Result<Any, Error> {
        let config = self.session.config();
        let message = self.box_call(callee, args)?;
        let handler = handler_of(callee);
        self.request_under(&config, handler, message, config.sync_request_timeout)
    }

    fn request_under(
        self: &Arc<Self>,
        config: &Config,
        handler: Handler,
        message: BoxedArgs<'_>,
        timeout: Option<Duration>,
    ) -> Result<Any, Error> {
        let began = Instant::now();
        let deadline = timeout.and_then(|timeout| began.checked_add(timeout));
        // Where the peer names threads, it may name this one as soon as the request is out.
        let names_threads = self.session.encoding.dialect().has_threads();
        let waiter = names_threads.then(|| self.reserve_waiter());
        let asked = message.asked(handler);
        let seq = self.send_request(config, asked, message, began, None)?;
        let waiter: Option<WaiterId> = waiter.and_then(|waiter| waiter.into_waiter());
        // With a long timeout the clock needn't be asked: sending took less than SENDING.
        let long = timeout.filter(|timeout| *timeout >= 10 * SENDING);
        let at_least = long.map(|timeout| timeout.saturating_sub(SENDING));
        let waited = self.wait_as(waiter, ForReply::new(seq), deadline, at_least);
        waited.unwrap_or_else(|| {
            let asked = self.forget_call(seq).unwrap_or_else(|| handler.into());
            let what = asked.at(seq).to_string();
            Err(Error::from(self.timeout(what, timeout.unwrap_or_default())))
        })
    }

    /// Sends a request; its answer will be in the slot or, where a thread is going to wait for it
    /// at once, in the table of pending ones under the seq.
    pub(super) fn send_request(
        self: &Arc<Self>,
        config: &Config,
        asked: Asked,
        message: BoxedArgs<'_>,
        now: Instant,
        slot: Option<Arc<Slot<Any>>>,
    ) -> Result<u64, Error> {
        let detached = slot.is_some();
        let limit = config.max_pending;
        let (seq, others) = self.queue_request(config, asked, message, now, slot, limit)?;
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
    pub(crate) fn post_request(
        &self,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
        what: &'static str,
    ) {
        let config = self.session.config();
        let (connid, target) = (self.session.connid.clone(), config.logger.clone());
        let log = move |error: Error| log::warn!(target: &target, "{connid}: {what}: {error}");
        // Its sender can't be told that there are too many.
        let (now, limit) = (Instant::now(), usize::MAX);
        let queued = self.box_args(args).and_then(|message| {
            let asked = message.asked(handler);
            let slot = Some(Arc::new(Slot::new(asked.clone())));
            self.queue_request(&config, asked, message, now, slot, limit)
        });
        match queued {
            Ok((seq, _)) => {
                let told = Box::new(move |reply: Reply<Any>| drop(reply.map_err(log)));
                // Where the answer has come already, the caller's thread needn't be told.
                let _ = self.add_callback(seq, told);
            }
            Err(error) => log(error),
        }
    }

    /// Queues a request, for [`flush`](Dispatcher::flush) to send; says its seq, and whether other asynchronous
    /// requests are unanswered.
    pub(super) fn queue_request(
        &self,
        config: &Config,
        asked: Asked,
        message: BoxedArgs<'_>,
        now: Instant,
        slot: Option<Arc<Slot<Any>>>,
        limit: usize,
    ) -> Result<(u64, bool), Error> {
        let handler = asked.handler();
        let seq = self.session.counts.take_seq();
        let others = match self.register_call(seq, asked, now, slot, limit) {
            Ok(others) => others,
            Err(refused) => {
                self.unsend(message);
                return Err(match refused {
                    NotRegistered::Closed(error) => error,
                    NotRegistered::TooMany => Error::Misuse(format!(
                        "{limit} requests are unanswered, the most there may be (max_pending)"
                    )),
                });
            }
        };
        let envelope = self.session.encoding.request();
        if let Err(error) = self.append_request(config, seq, envelope, handler, message.arguments())
        {
            self.unsend(message);
            self.forget_call(seq);
            return Err(Error::Unsendable(error));
        }
        // Only now: the frame is queued, a release that this causes comes behind it.
        drop(message);
        Ok((seq, others))
    }

    /// Whether an asynchronous request may stay in the outbox for a moment, to share a write with
    /// those that follow.
    ///
    /// It may within a burst, while other answers are under way: their arrival, or whoever waits
    /// for one, brings it out; else the watchdog does, at its next look. A request that comes alone
    /// leaves at once.
    fn may_pile_up(&self, now: Instant, others_unanswered: bool) -> bool {
        let last = self.session.counts.last_detached(now);
        let burst = last.and_then(|last| last.checked_add(BURST));
        let in_burst = burst.is_some_and(|end| !passed(end));
        in_burst && others_unanswered && self.outbox.backlog() < PILE
    }

    /// Queues the release of a netref that has died. It is sent with the next frame or, where none
    /// comes, a moment later: nobody waits for it, and nobody is told of its answer.
    pub(super) fn send_release(&self, id_pack: &IdPack, count: u64) {
        let args = [
            Boxed::LocalRef(id_pack.clone()),
            Boxed::Value(Value::Int(Int::from(count))),
        ];
        let seq = self.session.counts.take_seq();
        self.append_plain(seq, self.session.encoding.request(), Handler::Del, &args);
    }

    /// Appends a request whose arguments need no boxing; says whether it can be sent.
    pub(super) fn append_plain(
        &self,
        seq: u64,
        envelope: Envelope,
        handler: Handler,
        args: &[Boxed],
    ) -> bool {
        let config = self.session.config();
        let args = Arguments::Listed(args);
        let appended = self.append_request(&config, seq, envelope, handler, args);
        if let Err(error) = &appended {
            let (session, what) = (&self.session, handler.name());
            session.log(
                log::Level::Warn,
                format_args!("{what} can't be sent: {error}"),
            );
        }
        appended.is_ok()
    }

    fn append_request(
        &self,
        config: &Config,
        seq: u64,
        envelope: Envelope,
        handler: Handler,
        args: Arguments<'_>,
    ) -> Result<(), EncodeError> {
        let seq = Seq::new(seq);
        self.count_request();
        let body = Body::Request(handler, args);
        self.outbox
            .append(|frames| self.encode(frames, config, envelope, &seq, body))
            .inspect_err(|_| self.uncount_request())?;
        // Not before it is known to be no deeper than can be copied and printed.
        self.trace_outgoing(config, || Message::Request {
            seq,
            handler,
            args: args.to_vec(),
        });
        self.wake_watchdog();
        Ok(())
    }
}

/// What calls an object, or its method.
pub(super) fn handler_of(callee: Callee<'_>) -> Handler {
    match callee.method {
        Some(_) => Handler::CallAttr,
        None => Handler::Call,
    }
}

/// More than a thread with a deadline goes on writing.
const SENDING: Duration = Duration::from_millis(100);

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
        assert!(!here.link.lock().scheduler.somebody_waits());
    }
}
