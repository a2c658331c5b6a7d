//! The session as its dispatcher sees it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::request::Request;
use super::session::{Link, Session};
use crate::dispatch::scheduler::ThreadPair;
use crate::dispatch::slot::Slot;
use crate::dispatch::{Arrival, Decoded, Posted, Protocol, Refusal, ReplyTo};
use crate::error::CloseReason;
use crate::exception::Exception;
use crate::executor::Executor;
use crate::object::Any;
use crate::wire::{Boxed, Handler, Payload, Value};

impl Protocol for Session {
    type Payload = Any;
    type Request = Request;

    fn decode(
        link: &Link,
        payload: Payload<'_>,
        is_first: bool,
        into: &mut Vec<Arrival<Session>>,
    ) -> Result<Decoded, CloseReason> {
        link.decode_frame(payload, is_first, into)
    }

    fn foreign_parts(request: Request) -> impl Iterator<Item = Any> {
        let is_foreign = |arg: &Any| !Session::is_plain(arg);
        request.args.into_iter().filter(is_foreign)
    }

    fn is_plain(payload: &Any) -> bool {
        matches!(payload, Any::Value(_))
    }

    fn execute(link: &Arc<Link>, request: Request) {
        link.execute_and_answer(request);
    }

    fn refuse(link: &Link, request: &Request, why: &Refusal) {
        let exception = match why {
            Refusal::TooDeep => {
                let limit = link.session.config().max_nested;
                Exception::recursion_error(format!(
                    "{limit} requests of this peer are nested, the most there may be (max_nested)"
                ))
            }
            Refusal::QueueFull => Exception::runtime_error(
                "too many requests are queued here, while this side waits for an answer (max_queued)",
            ),
            Refusal::NoThread(error) => {
                Exception::runtime_error(format!("no thread can be had to run this: {error}"))
            }
        };
        let what = request.handler.name();
        let refused = format_args!("refused {what}: {exception}");
        link.session.log(log::Level::Debug, refused);
        link.reply_exception(&request.to, &exception);
    }

    fn answer_close(link: &Link, to: &ReplyTo) {
        link.reply(to, Any::NONE);
    }

    fn queue_posted(link: &Link, seq: u64, what: Posted, pair: ThreadPair) -> bool {
        let (handler, args): (_, &[Boxed]) = match what {
            Posted::Close => (Handler::Close, &[]),
            Posted::Probe => (Handler::Ping, &[Boxed::Value(Value::None)]),
        };
        let slot = Some(Arc::new(Slot::new(handler)));
        let registered = link.register_call(seq, handler.into(), Instant::now(), slot, usize::MAX);
        let envelope = link.session.encoding.between(|| pair);
        registered.is_ok() && link.append_plain(seq, envelope, handler, args)
    }

    fn ended(link: &Arc<Link>) {
        link.tell_service_of_end();
    }

    fn release_all(&self) -> Vec<Any> {
        let mut all: Vec<Any> = self
            .exports
            .lock()
            .clear()
            .into_iter()
            .map(Any::Local)
            .collect();
        all.extend(self.root.lock().take().map(Any::Local));
        all.extend(self.peers_root.lock().take());
        all
    }

    fn take_seq(&self) -> u64 {
        self.counts.take_seq()
    }

    fn executor(&self) -> Arc<dyn Executor> {
        self.config().executor.clone()
    }

    fn run_here(&self, request: &mut (dyn FnMut() + Send)) {
        self.config().executor.run(request);
    }

    fn max_answers(&self) -> usize {
        // Each request that runs may have one answer of any size.
        let answers = self.config().concurrency.saturating_add(1);
        self.encoding.limits.max_frame.saturating_mul(answers)
    }

    fn max_held(&self) -> (usize, &'static str) {
        let four_frames = self.encoding.limits.max_frame.saturating_mul(4);
        (four_frames, "four times limits.max_frame")
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.config().write_timeout
    }

    fn name(&self) -> &str {
        &self.connid
    }

    fn is_debug(&self) -> bool {
        self.config().debug
    }

    fn log(&self, level: log::Level, text: fmt::Arguments<'_>) {
        if level <= log::max_level() {
            let config = self.config();
            log::log!(target: &config.logger, level, "{}: {text}", self.connid);
        }
    }
}
