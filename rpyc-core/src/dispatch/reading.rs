//! [`Reading`]: who reads, and what one read brings.

use std::sync::Arc;
use std::time::Duration;

use super::dispatcher::{Arrival, Core, Dispatcher, Locked, Protocol};
use super::readiness::ReadinessObserver;
use super::scheduler::{TaskId, ThreadState, WaiterId};
use crate::error::CloseReason;
use crate::transport::{Input, Phase, ReadHalf};

/// The read half, which whoever reads takes out, and who is told that nobody does.
pub(crate) struct Reading<P: Protocol> {
    half: Option<Box<ReadHalf>>, // boxed: every read moves it
    reader: Option<Reader>,
    // An empty vector with room for what the next read brings: an allocation less, which is a fiftieth of what
    // a null call costs.
    room: Vec<Arrival<P>>,
    // How many messages have come.
    messages: u64,
    // Told when nobody reads, where no thread of the connection's own does.
    observer: Option<Arc<dyn ReadinessObserver>>,
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reader {
    /// This waiter's thread.
    Waiter(WaiterId),
    /// Nobody's thread: all others are busy, or nobody waits.
    Helper,
}

/// A thread that reads, and serves for as long as it takes.
pub(super) struct Server<'a, P: Protocol> {
    pub(super) waiter: WaiterId,
    /// Where a request goes that has started here.
    pub(super) started: &'a mut Option<(TaskId, P::Request)>,
}

/// How long a read may take.
#[derive(Clone, Copy, Debug)]
pub(super) enum ReadMode {
    /// Until something comes, or this has passed.
    Within(Option<Duration>),
    /// It takes what is there.
    Ready,
}

/// What came of an attempt to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    /// Somebody else reads, or nothing may come now.
    NotRead,
    /// Nothing came.
    Quiet,
    /// Something came; `more` may be there.
    Came { more: bool },
}

/// What one read has brought, in order.
pub(super) struct Arrivals<P: Protocol> {
    pub(super) items: Vec<Arrival<P>>,
    // The peer has been silent for so long; that ends the connection if there is nothing to do.
    pub(super) idle: Option<Duration>,
    pub(super) end: Option<CloseReason>,
}

impl<P: Protocol> Reading<P> {
    pub(super) fn new(half: Box<ReadHalf>) -> Reading<P> {
        Reading {
            half: Some(half),
            reader: None,
            // Most connections never need more, and most are idle most of the time.
            room: Vec::with_capacity(1),
            messages: 0,
            observer: None,
        }
    }

    /// Whether nobody reads, and somebody could.
    pub(super) fn is_free(&self) -> bool {
        self.half.is_some()
    }

    /// Who reads, if somebody does.
    pub(super) fn reader(&self) -> Option<Reader> {
        self.reader
    }

    /// Nobody reads any more.
    pub(super) fn end(&mut self) {
        self.half = None;
    }

    /// How many messages have come.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Replaces the observer; returns the previous one.
    pub(super) fn set_observer(
        &mut self,
        observer: Option<Arc<dyn ReadinessObserver>>,
    ) -> Option<Arc<dyn ReadinessObserver>> {
        std::mem::replace(&mut self.observer, observer)
    }

    /// Whether somebody is told when nobody reads.
    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Tells the observer, if there is one, that nobody reads from now on, and how long the peer may be
    /// silent: no time at all where something has come that the stream's descriptor doesn't show.
    pub(super) fn notify_unread(&mut self) {
        if let (Some(observer), Some(half)) = (&self.observer, &mut self.half) {
            let within = half.park();
            observer.on_unread(match half.has_buffered() {
                true => Some(Duration::ZERO),
                false => within,
            });
        }
    }

    /// Tells the observer of the end: a stream that isn't watched any more doesn't show it.
    pub(super) fn notify_end(&self) {
        if let Some(observer) = &self.observer {
            observer.on_unread(Some(Duration::ZERO));
        }
    }

    fn take(&mut self, reader: Reader) -> Option<(Box<ReadHalf>, Vec<Arrival<P>>)> {
        let half = self.half.take()?;
        self.reader = Some(reader);
        Some((half, std::mem::take(&mut self.room)))
    }

    fn give_back(&mut self, half: Box<ReadHalf>) {
        self.half = Some(half);
        self.reader = None;
    }

    /// What a read had brought is where it belongs: so many messages.
    pub(super) fn delivered(&mut self, messages: usize, room: Vec<Arrival<P>>) {
        self.messages += messages as u64;
        if room.capacity() <= MAX_ROOM {
            self.room = room;
        }
    }
}

impl<P: Protocol> Dispatcher<P> {
    /// Reads once, unless somebody else does or the queue is full, and takes in what has come. Of a `server`'s thread
    /// gives what it is to run at once.
    pub(super) fn read_once<'a>(
        &'a self,
        mut core: Locked<'a, P>,
        reader: Reader,
        mode: ReadMode,
        server: Option<Server<'_, P>>,
    ) -> (Locked<'a, P>, ReadOutcome) {
        if !core.scheduler.wants_input() {
            return (core, ReadOutcome::NotRead);
        }
        let Some((mut half, room)) = core.reading.take(reader) else {
            return (core, ReadOutcome::NotRead);
        };
        if let Reader::Waiter(waiter) = reader {
            core.scheduler.set_state(waiter, ThreadState::Reading);
        }
        let expects_more = self.expects_more(core.calls.len());
        drop(core);
        self.log_notes();
        let input = match mode {
            ReadMode::Within(limit) => half.read(limit, expects_more),
            ReadMode::Ready => half.read_ready(expects_more),
        };
        let is_quiet = matches!(input, Input::Quiet);
        let arrivals = self.interpret(&mut half, input, room);
        let more = half.more_is_there();
        let mut core = self.core.lock();
        core.reading.give_back(half);
        if let Reader::Waiter(waiter) = reader {
            core.scheduler.set_state(waiter, ThreadState::Awake);
        }
        let outcome = match is_quiet {
            true => ReadOutcome::Quiet,
            false => ReadOutcome::Came { more },
        };
        (self.deliver(core, arrivals, server), outcome)
    }

    /// Decodes and resolves what the input has completed, up to so much that it can be taken in;
    /// `room` is the core's, to be filled.
    fn interpret(&self, half: &mut ReadHalf, input: Input, room: Vec<Arrival<P>>) -> Arrivals<P> {
        if self.stream.has_unsent() {
            self.outbox.request_flush();
        }
        let mut arrivals = Arrivals {
            items: room,
            idle: None,
            end: None,
        };
        match input {
            Input::Bytes => {
                if let Err(reason) = self.interpret_frames(half, &mut arrivals.items) {
                    arrivals.end = Some(reason);
                }
            }
            Input::Quiet => {}
            Input::Overdue(Phase::Between, limit) => arrivals.idle = Some(limit),
            other => arrivals.end = Some(end_of_input(half, other)),
        }
        arrivals
    }

    fn interpret_frames(
        &self,
        half: &mut ReadHalf,
        items: &mut Vec<Arrival<P>>,
    ) -> Result<(), CloseReason> {
        let mut memory = 0_usize;
        loop {
            self.check_unread()?;
            if memory > MAX_AT_A_TIME {
                // The queue may be full, of which a few bytes of compressed frames would know nothing.
                half.leave_frames();
                return Ok(());
            }
            let is_first = half.is_at_start();
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
            let decoded = P::decode(self, payload, is_first, items)?;
            if decoded.is_valid {
                half.trust();
            }
            memory += decoded.memory;
            if half.is_drained() {
                return Ok(());
            }
        }
    }

    /// Stops a peer that leaves its answers unread and goes on asking.
    fn check_unread(&self) -> Result<(), CloseReason> {
        if !self.outbox.is_congested() {
            return Ok(());
        }
        let limit = self.session.max_answers().saturating_add(MAX_UNREAD);
        if self.outbox.backlog() > limit {
            let what = "it sends requests and doesn't read the answers";
            return Err(CloseReason::Conduct(what.to_owned()));
        }
        Ok(())
    }

    /// Tells a sleeping thread that it should read, if nobody does; else the observer, if there is
    /// one.
    pub(super) fn pass_on_reading(&self, core: &mut Core<P>) {
        if !core.reading.is_free() || !core.scheduler.wants_input() {
            return;
        }
        if !core.sleepers.is_empty() {
            if let Some(next_reader) = core.scheduler.next_reader() {
                self.note(core, |core| {
                    format!("the reading goes to {}", core.who(next_reader))
                });
                core.wake(next_reader);
                return;
            }
            // Who waits at several connections sees to it that a helper reads.
            core.sleepers.wake_one_of_several();
        }
        // Of an end it has been told, and nothing that comes later may take that back.
        if core.lifecycle.reason().is_none() {
            core.reading.notify_unread();
        }
    }

    /// Sends a helper to read, which [`take_helper`](super::dispatcher::Core::take_helper) has said is needed.
    pub(super) fn send_reader(self: &Arc<Self>) {
        let link = self.clone();
        if !self.send_helper(move || link.help()) {
            // The watchdog tries again.
            self.core.lock().health.helping = false;
        }
    }

    /// Reads on a helper's thread, because requests run and all who could read are busy. Gives the
    /// role back as soon as somebody else can take it.
    pub(super) fn help(self: &Arc<Self>) {
        let mut core = self.core.lock();
        core.health.woke = false;
        loop {
            let (locked, _) = self.give_out(core, super::scheduler::Requester::Nobody);
            core = locked;
            if self.outbox.needs_writer() {
                // Who reads because nobody else does must not block in a write.
                drop(core);
                let link = self.clone();
                self.send_helper(move || link.flush());
                core = self.core.lock();
            }
            let somebody_else = core.health.woke || core.scheduler.next_reader().is_some();
            let has_ended = core.lifecycle.reason().is_some();
            if has_ended || somebody_else || !self.needs_help(&core) {
                break;
            }
            // Answers of the reader's own pile up where the peer doesn't read them.
            let congested = self.outbox.backlog() > MAX_UNREAD && !core.scheduler.somebody_waits();
            if congested || !core.scheduler.wants_input() || !core.reading.is_free() {
                break;
            }
            self.note(&core, |_| "a helper reads: all others are busy".to_owned());
            (core, _) = self.read_once(core, Reader::Helper, ReadMode::Within(None), None);
        }
        core.health.helping = false;
        self.pass_on_reading(&mut core);
        drop(core);
        self.log_notes();
        self.flush();
    }
}

impl<P: Protocol> Core<P> {
    /// Whether a helper is to be sent: nobody reads, and there was nobody to be told of that.
    pub(super) fn take_helper(&mut self) -> bool {
        self.reading.is_free()
            && self.scheduler.wants_input()
            && self.scheduler.next_reader().is_none()
            && !self.reading.is_observed()
            && !std::mem::replace(&mut self.health.helping, true)
    }
}

/// Why the connection ends with this input.
#[cold]
fn end_of_input(half: &ReadHalf, input: Input) -> CloseReason {
    match input {
        Input::Overdue(phase, limit) => CloseReason::TooSlow {
            what: match phase {
                Phase::First => "sent no message",
                _ => "didn't end a frame that it had begun",
            },
            limit,
        },
        Input::Failed(error) => CloseReason::Io(error.into()),
        Input::Eof | Input::Bytes | Input::Quiet => match half.position() {
            (_, false) => CloseReason::Eof,
            (offset, true) => CloseReason::Truncated { offset },
        },
    }
}

/// How many arrivals there is room for from one read to the next: idle connections hold little.
const MAX_ROOM: usize = 4;

/// How many bytes of answers a peer may leave unread before a helper stops reading for it.
const MAX_UNREAD: usize = 64 << 20;

/// The memory of what one reading hands on, one message more at the most.
const MAX_AT_A_TIME: usize = 1 << 20;

/// They cost the peer six bytes each, and mean nothing.
const MAX_EMPTY_FRAMES: u32 = 1_000;
