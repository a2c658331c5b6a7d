//! Requests of the peer's: executed, and answered.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::connection::Connection;
use super::handlers;
use super::request::Request;
use super::session::Link;
use crate::config::Config;
use crate::dispatch::{Protocol as _, ReplyTo, panic_message};
use crate::error::CloseReason;
use crate::exception::Exception;
use crate::object::{Any, Context};
use crate::wire::{self, Body, Boxed, EncodeError, Envelope, FrameBuf, Message, Seq, boxed};

impl Link {
    /// Executes a request and queues the answer.
    pub(super) fn execute_and_answer(self: &Arc<Self>, request: Request) {
        let Request {
            to,
            handler,
            args,
            has_netrefs,
        } = request;
        let config = self.session.config();
        let connection = Connection::internal(self.clone());
        let context = Context::new(&connection);
        self.session.counts.count_served();
        // The netrefs among the arguments live until the answer is queued: the release of one of
        // them must not overtake it.
        let netrefs = match has_netrefs {
            true => netrefs(&args),
            false => Vec::new(),
        };
        let observer = config.observer.as_deref();
        let observed = observer.map(|observer| (observer, Instant::now()));
        let (handled, raised) = (Cell::new(false), Cell::new(true));
        let answer = || {
            let outcome = handlers::handle(&context, &config, handler, args);
            handled.set(true);
            raised.set(outcome.is_err());
            match outcome {
                Ok(result) => self.reply_under(&config, &to, result),
                Err(exception) => self.raised(&config, &to, &exception),
            }
        };
        // A panic of an object while it is boxed or dropped must not cost the task its end, either.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(answer)) {
            let (logged, told) = match handled.get() {
                true => ("a result".to_owned(), "result"),
                false => (handler.name().to_string(), "handler"),
            };
            let what = self.log_panic(&logged, &*panic);
            let exception = Exception::runtime_error(format!("the {told} panicked: {what}"));
            self.reply_exception(&to, &exception);
        }
        if let Some((observer, began)) = observed {
            // The answer is queued: its panic mustn't bring another one.
            let tell = || observer.request_ended(handler, began.elapsed(), raised.get());
            if let Err(panic) = catch_unwind(AssertUnwindSafe(tell)) {
                self.log_panic("the observer", &*panic);
            }
        }
        drop(netrefs);
    }

    fn raised(&self, config: &Config, to: &ReplyTo, exception: &Exception) {
        if config.log_exceptions && !exception.is("StopIteration") {
            let traceback = exception.traceback().map_or("", |text| text.trim_end());
            let session = &self.session;
            session.log(
                log::Level::Debug,
                format_args!("raised {exception}\n{traceback}"),
            );
        }
        let ends_here = (config.propagate_system_exit_locally && exception.is("SystemExit"))
            || (config.propagate_keyboard_interrupt_locally && exception.is("KeyboardInterrupt"));
        if ends_here {
            self.end(CloseReason::Raised(exception.clone()));
        } else {
            self.reply_exception(to, exception);
        }
    }

    /// Queues a reply; what can't be sent becomes an exception at the peer.
    pub(super) fn reply(&self, to: &ReplyTo, result: Any) {
        self.reply_under(&self.session.config(), to, result);
    }

    fn reply_under(&self, config: &Config, to: &ReplyTo, result: Any) {
        let mut keep_alive = Vec::new();
        let boxed = match result {
            Any::Value(value) => Boxed::Value(value),
            result => match self.box_any(result, &mut keep_alive) {
                Ok(boxed) => boxed,
                Err(exception) => return self.reply_exception(to, &exception),
            },
        };
        let envelope = self.session.encoding.answer(to);
        let encoded = self
            .outbox
            .append(|frames| self.encode(frames, config, envelope, &to.seq, Body::Reply(&boxed)));
        if let Err(error) = encoded {
            self.unbox_refs(std::slice::from_ref(&boxed));
            boxed::dismantle(vec![boxed]);
            let exception = Exception::value_error(format!("the result can't be sent: {error}"));
            self.reply_exception(to, &exception);
        } else {
            self.trace_outgoing(config, || Message::Reply {
                seq: to.seq.clone(),
                result: boxed,
            });
        }
        drop(keep_alive);
        self.wake_watchdog();
    }

    /// Queues an exception as the answer; a part that can't be sent is replaced.
    pub(super) fn reply_exception(&self, to: &ReplyTo, exception: &Exception) {
        let config = self.session.config();
        let dump = |exception: &Exception| {
            let dumped = exception.dump(config.include_local_traceback, config.version());
            self.trace_outgoing(&config, || Message::Exception {
                seq: to.seq.clone(),
                exception: dumped.clone(),
            });
            let envelope = self.session.encoding.answer(to);
            self.outbox.append(|frames| {
                let body = Body::Exception(&dumped);
                self.encode(frames, &config, envelope, &to.seq, body)
            })
        };
        if let Err(error) = dump(exception) {
            let plain = Exception::new(exception.module().clone(), exception.class().clone());
            let plain = plain.with_arg(format!("the exception can't be sent whole: {error}"));
            if let Err(error) = dump(&plain) {
                let session = &self.session;
                session.log(
                    log::Level::Warn,
                    format_args!("an exception can't be sent: {error}"),
                );
            }
        }
        self.wake_watchdog();
    }

    /// Writes a message, as a whole frame. Each kind has a closure of its own for the outbox, so that this knows which
    /// it is, as `wire::encode` asks.
    #[inline(always)]
    pub(super) fn encode(
        &self,
        frames: &mut FrameBuf,
        config: &Config,
        envelope: Envelope,
        seq: &Seq,
        body: Body<'_>,
    ) -> Result<(), EncodeError> {
        let limits = &self.session.encoding.limits;
        wire::encode(frames, envelope, limits, config.compress, seq, body)
    }

    /// Logs that foreign code has panicked; gives what the panic says.
    pub(super) fn log_panic<'a>(
        &self,
        who: &str,
        panic: &'a (dyn std::any::Any + Send),
    ) -> &'a str {
        let what = panic_message(panic);
        self.session
            .log(log::Level::Error, format_args!("{who} panicked: {what}"));
        what
    }

    /// Logs a message that goes; it is put together only where the config wants that.
    pub(super) fn trace_outgoing(&self, config: &Config, message: impl FnOnce() -> Message) {
        if config.debug {
            log::debug!(target: &config.logger, "{} -> {:?}", self.session.connid, message());
        }
    }
}

/// Handles on the netrefs among the arguments.
fn netrefs(args: &[Any]) -> Vec<Any> {
    fn collect(args: &[Any], into: &mut Vec<Any>) {
        for arg in args {
            match arg {
                Any::Value(_) | Any::Local(_) => {}
                Any::Tuple(items) => collect(items, into),
                Any::Netref(_) => into.push(arg.clone()),
            }
        }
    }
    let mut netrefs = Vec::new();
    collect(args, &mut netrefs);
    netrefs
}
