//! What the reader makes of the bytes: messages with their references resolved.
//!
//! Only one thread reads a connection at a time, so this runs in the order of arrival without the
//! core's lock. It runs no foreign code: what is to be dropped is handed on.

use std::time::Duration;

use crate::dispatch::calls::Reply;
use crate::dispatch::running::Locked;
use crate::dispatch::scheduler::ThreadState;
use crate::dispatch::shared::{Core, Garbage, LeavingState, Request, Shared};
use crate::dispatch::wait_loop::MAX_UNREAD;
use crate::error::{CloseReason, Error};
use crate::exception::Exception;
use crate::object::Any;
use crate::session::boxing::unknown_object;
use crate::session::dialect::ReplyTo;
use crate::session::exports::ReleaseError;
use crate::sync::atomic::Ordering;
use crate::transport::{Input, Phase, ReadHalf};
use crate::wire::{Boxed, Envelope, Handler, Message, MessageError, Seq, Threads, Value};

/// What one read has brought, in order.
pub(crate) struct Arrivals {
    items: Vec<Arrival>,
    // The peer has been silent for so long; that ends the connection if there is nothing to do.
    idle: Option<Duration>,
    end: Option<CloseReason>,
}

/// One of them.
pub(crate) enum Arrival {
    Request { request: Request, bytes: usize },
    Close(ReplyTo),
    Reply { seq: Seq, reply: Reply },
    Garbage(Garbage),
}

impl Shared {
    /// Decodes and resolves what the input has completed, up to so much that it can be taken in;
    /// `room` is the core's, to be filled.
    pub(crate) fn interpret(
        &self,
        half: &mut ReadHalf,
        input: Input,
        room: Vec<Arrival>,
    ) -> Arrivals {
        if self.stream.has_unsent() {
            self.outbox.request_flush();
        }
        let mut arrivals = Arrivals {
            items: room,
            idle: None,
            end: None,
        };
        arrivals.end = match input {
            Input::Quiet => None,
            Input::Overdue(Phase::Between, limit) => {
                arrivals.idle = Some(limit);
                None
            }
            Input::Overdue(phase, limit) => Some(CloseReason::TooSlow {
                what: match phase {
                    Phase::First => "sent no message",
                    _ => "didn't end a frame that it had begun",
                },
                limit,
            }),
            Input::Bytes => self.interpret_frames(half, &mut arrivals.items).err(),
            Input::Failed(error) => Some(CloseReason::Io(error.into())),
            Input::Eof => Some(match half.position() {
                (_, false) => CloseReason::Eof,
                (offset, true) => CloseReason::Truncated { offset },
            }),
        };
        arrivals
    }

    fn interpret_frames(
        &self,
        half: &mut ReadHalf,
        items: &mut Vec<Arrival>,
    ) -> Result<(), CloseReason> {
        let limits = &self.limits;
        let mut memory = 0_usize;
        loop {
            self.check_unread()?;
            if memory > MAX_AT_A_TIME {
                // The queue may be full, of which a few bytes of compressed frames would know nothing.
                half.leave_frames();
                return Ok(());
            }
            let payload = match half.next_frame() {
                Ok(Some(payload)) => payload,
                Ok(None) => return Ok(()),
                Err(error) => return Err(CloseReason::Frame(error)),
            };
            if payload.is_empty() {
                // A stock peer ignores it, too.
                if half.empty_frames() > MAX_EMPTY_FRAMES {
                    let what = format!("more than {MAX_EMPTY_FRAMES} empty frames on end");
                    return Err(CloseReason::Conduct(what));
                }
                continue;
            }
            if half.is_first_frame() {
                let spoken = self.next_seq.load(Ordering::Relaxed) > 0;
                self.wire.meet(&payload, spoken)?;
            }
            let known = self.wire.dialect();
            let opened = Envelope::open(known, payload);
            let (threads, payload) = opened.map_err(CloseReason::Wire)?;
            let dialect = self.wire.learn(known, &payload, limits);
            match Message::decode(&payload, dialect, limits) {
                Ok(message) => {
                    half.trust();
                    self.trace_incoming(&message);
                    memory += self.interpret_message(message, threads, items);
                }
                Err(MessageError::Fatal(error)) => return Err(CloseReason::Wire(error)),
                Err(MessageError::BadRequest { seq, class, reason }) => {
                    let to = ReplyTo { seq, threads };
                    self.reply_exception(&to, &Exception::builtin(class).with_arg(reason));
                }
                Err(MessageError::BadReply { seq, reason }) => {
                    let reply = Err(Error::Protocol(reason));
                    items.push(Arrival::Reply { seq, reply });
                }
            }
        }
    }

    /// Stops a peer that leaves its answers unread and goes on asking.
    fn check_unread(&self) -> Result<(), CloseReason> {
        if !self.outbox.is_congested() {
            return Ok(());
        }
        // Each request that runs may have one answer of any size.
        let answers = self.config().concurrency.saturating_add(1);
        let limit = self.limits.max_frame.saturating_mul(answers);
        if self.outbox.backlog() > limit.saturating_add(MAX_UNREAD) {
            let what = "it sends requests and doesn't read the answers";
            return Err(CloseReason::Conduct(what.to_owned()));
        }
        Ok(())
    }

    /// Adds what the message is to the arrivals; says how much memory it takes.
    fn interpret_message(
        &self,
        message: Message,
        threads: Threads,
        items: &mut Vec<Arrival>,
    ) -> usize {
        let mut memory = 0;
        match message {
            Message::Request {
                seq,
                handler: Handler::Del,
                args,
            } => {
                self.handle_del(&ReplyTo { seq, threads }, &args, items);
            }
            Message::Request {
                seq,
                handler: Handler::Close,
                ..
            } => {
                items.push(Arrival::Close(ReplyTo { seq, threads }));
            }
            Message::Request { seq, handler, args } => {
                let to = ReplyTo { seq, threads };
                match self.unbox_all(args, items) {
                    Ok(args) => {
                        let request = Request { to, handler, args };
                        memory = request.memory();
                        items.push(Arrival::Request {
                            request,
                            bytes: memory,
                        });
                    }
                    Err(exception) => self.reply_exception(&to, &exception),
                }
            }
            Message::Reply { seq, result } => {
                let reply = match self.unbox(result) {
                    Ok(result) => {
                        memory = result.heap_size();
                        Ok(result)
                    }
                    Err(exception) => Err(Error::Protocol(format!(
                        "the reply refers to what isn't there: {exception}"
                    ))),
                };
                items.push(Arrival::Reply { seq, reply });
            }
            Message::Exception { seq, exception } => {
                let config = self.config();
                let mut exception = Exception::load(exception);
                if config.instantiate_custom_exceptions {
                    exception = exception.known_by(&config.known_exceptions);
                }
                memory = exception.heap_size();
                let reply = Err(Error::Remote(exception));
                items.push(Arrival::Reply { seq, reply });
            }
        }
        memory
    }

    /// Resolves a request's arguments, each of them, so that every reference that came is
    /// counted; what was resolved beside a wrong one is handed on to be dropped.
    fn unbox_all(&self, args: Vec<Boxed>, items: &mut Vec<Arrival>) -> Result<Vec<Any>, Exception> {
        let mut resolved = Vec::with_capacity(args.len());
        let mut wrong = None;
        for arg in args {
            match arg {
                Boxed::Value(value) => resolved.push(Any::Value(value)),
                arg => match self.unbox(arg) {
                    Ok(arg) => resolved.push(arg),
                    Err(exception) => wrong = Some(exception),
                },
            }
        }
        match wrong {
            None => Ok(resolved),
            Some(exception) => {
                let garbage = resolved.into_iter().map(Garbage::Any);
                items.extend(garbage.map(Arrival::Garbage));
                Err(exception)
            }
        }
    }

    /// DEL: the peer gives references back.
    fn handle_del(&self, to: &ReplyTo, args: &[Boxed], items: &mut Vec<Arrival>) {
        match self.released(args) {
            Ok(object) => {
                items.extend(object.map(Garbage::Object).map(Arrival::Garbage));
                self.reply(to, Any::NONE);
            }
            Err(exception) => self.reply_exception(to, &exception),
        }
    }

    fn released(&self, args: &[Boxed]) -> Result<Option<crate::object::ObjectRef>, Exception> {
        let (id_pack, count) = match args {
            [Boxed::LocalRef(id_pack)] => (id_pack, Some(1)),
            [Boxed::LocalRef(id_pack), Boxed::Value(Value::Int(count))] => {
                (id_pack, count.to_u64())
            }
            _ => {
                return Err(Exception::type_error(
                    "DEL takes an object of the receiver's, and a count",
                ));
            }
        };
        let released = match count {
            Some(count) => self.exports.lock().release(id_pack, count),
            None => Err(ReleaseError::TooMany),
        };
        released.map_err(|error| match error {
            ReleaseError::Unknown => unknown_object(id_pack),
            ReleaseError::TooMany => Exception::value_error(
                "the count of DEL must be between 1 and the references that are out",
            ),
        })
    }

    /// Puts what arrived where it belongs, and ends the connection where the input ended.
    pub(crate) fn take_in<'a>(
        &'a self,
        mut core: Locked<'a>,
        mut arrivals: Arrivals,
    ) -> Locked<'a> {
        let mut refused: Vec<Request> = Vec::new();
        core.messages += arrivals.items.len() as u64;
        for arrival in arrivals.items.drain(..) {
            match arrival {
                Arrival::Request { request, bytes } => {
                    refused.extend(Shared::take_in_request(&mut core, request, bytes));
                }
                Arrival::Close(to) => self.ask_to_close(&mut core, to),
                Arrival::Reply { seq, reply } => self.take_in_reply(&mut core, &seq, reply),
                Arrival::Garbage(garbage) => core.garbage.push(garbage),
            }
        }
        if arrivals.items.capacity() <= MAX_ROOM {
            core.room = arrivals.items;
        }
        let idle =
            core.scheduler.tasks() == 0 && core.scheduler.queued() == 0 && core.pending.len() == 0;
        let idled = arrivals.idle.filter(|_| idle);
        let idled = idled.map(|limit| CloseReason::TooSlow {
            what: "was idle",
            limit,
        });
        match arrivals.end.or(idled) {
            // The requests ahead of the CLOSE run all the same.
            Some(CloseReason::Eof) if core.closing.is_asked() => self.hear_no_more(&mut core),
            Some(reason) => self.fail(&mut core, reason),
            None => {}
        }
        if !core.garbage.is_empty() {
            // A thread that only waits drops nothing.
            self.wake_watchdog();
        }
        if refused.is_empty() && !core.closing.shutdown_pending {
            return core;
        }
        drop(core);
        for Request { to, args, .. } in refused {
            let mut foreign = foreign(args).peekable();
            if foreign.peek().is_some() {
                self.core.lock().garbage.extend(foreign);
            }
            let busy = Exception::runtime_error(
                "too many requests are queued here, while this side waits for an answer (max_queued)",
            );
            self.reply_exception(&to, &busy);
        }
        self.cut_off();
        self.core.lock()
    }

    /// Queues a request; gives it back where it is refused.
    fn take_in_request(core: &mut Core, request: Request, bytes: usize) -> Option<Request> {
        if core.closing.close_received || core.closing.reason.is_some() {
            // Nothing behind a CLOSE is executed.
            core.garbage.extend(foreign(request.args));
            return None;
        }
        core.scheduler.arrive(request, bytes).err()
    }

    fn take_in_reply(&self, core: &mut Core, seq: &Seq, reply: Reply) {
        let known = seq.as_u64().ok_or(());
        let _ = self
            .unanswered
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                count.checked_sub(1)
            });
        let answered = match known {
            Ok(seq) => core.pending.answer(seq, reply),
            Err(()) => Err(reply),
        };
        match answered {
            Ok(answered) => {
                let calls = answered.calls.into_iter().map(Garbage::Call);
                core.garbage.extend(calls);
                if let Some(Ok(late)) = answered.late {
                    core.garbage.push(Garbage::Any(late));
                }
                for waiter in answered.waiter.into_iter().chain(answered.more_waiters) {
                    core.scheduler.answered(waiter);
                    Shared::wake(core, waiter);
                }
                self.end_if_left(core, seq);
            }
            // Late, or a release's, or nobody asked: there is nothing to be told. A plain value has
            // no destructor of anybody's.
            Err(Ok(Any::Value(_)) | Err(_)) => {}
            Err(Ok(result)) => core.garbage.push(Garbage::Any(result)),
        }
    }

    /// Ends the connection if that was the answer to this side's last word.
    fn end_if_left(&self, core: &mut Core, seq: &Seq) {
        if let Some(leaving) = &core.closing.leaving
            && let LeavingState::Said(close) = leaving.state
            && seq.as_u64() == Some(close)
        {
            let reason = leaving.reason.clone();
            self.fail(core, reason);
        }
    }

    /// Wakes the waiter, if it sleeps.
    pub(crate) fn wake(core: &mut Core, waiter: crate::dispatch::scheduler::WaiterId) {
        if let Some(sleeper) = core.sleepers.get(&waiter) {
            sleeper.notify_one();
            core.scheduler.set_state(waiter, ThreadState::Awake);
        }
    }
}

/// What only an executing thread may drop: a plain value has no destructor of anybody's.
fn foreign(args: Vec<Any>) -> impl Iterator<Item = Garbage> {
    let foreign = |arg: &Any| !matches!(arg, Any::Value(_));
    args.into_iter().filter(foreign).map(Garbage::Any)
}

/// The memory of what one reading hands on, one message more at the most.
const MAX_AT_A_TIME: usize = 1 << 20;

/// How many arrivals there is room for from one read to the next: idle connections hold little.
const MAX_ROOM: usize = 4;

/// They cost the peer six bytes each, and mean nothing.
const MAX_EMPTY_FRAMES: u32 = 1_000;
