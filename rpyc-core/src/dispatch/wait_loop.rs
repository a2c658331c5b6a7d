//! Threads that wait for a reply, or serve. Each of them may become the reader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dispatch::blocked_threads::Waiting;
use crate::dispatch::calls::Reply;
use crate::dispatch::current::Current;
use crate::dispatch::running::Locked;
use crate::dispatch::scheduler::{Requester, ThreadState, WaiterId};
use crate::dispatch::shared::{Core, Reader, Shared, Sleeper};
use crate::dispatch::slot::Slot;
use crate::error::{CloseReason, Timeout};
use crate::session::background::{BackgroundState, REST};
use crate::sync::{Condvar, left, wait};
use crate::wire::Handler;

/// What a thread waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WaitFor<'a> {
    /// The reply to a request of ours.
    Reply(u64),
    /// The reply to one of several asynchronous requests.
    OneOf(&'a [(u64, &'a Slot)]),
    /// One message of the peer's.
    Message,
    /// The end of the connection.
    Closed,
    /// The end of a background thread's work.
    Over(&'a BackgroundState),
}

impl WaitFor<'_> {
    /// Whether it is a wait for a reply; else the thread serves.
    fn is_wait(self) -> bool {
        matches!(self, WaitFor::Reply(_) | WaitFor::OneOf(_))
    }
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum WaitOutcome {
    Answered(Reply),
    Served,
    Closed(CloseReason),
    TimedOut,
}

/// A waiter that was added early; it is removed when this is dropped.
pub(crate) struct ReservedWaiter<'a> {
    shared: &'a Shared,
    waiter: Option<WaiterId>,
}

impl ReservedWaiter<'_> {
    /// The waiter, for the wait that takes it over.
    pub(crate) fn into_waiter(mut self) -> Option<WaiterId> {
        self.waiter.take()
    }
}

impl Drop for ReservedWaiter<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            let mut core = self.shared.core.lock();
            core.scheduler.leave(waiter);
            self.shared.pass_on_reading(&mut core);
        }
    }
}

impl Shared {
    /// Serves until what is waited for has come, the deadline has passed or the connection has
    /// closed. Runs requests, reads and sleeps meanwhile, whatever the scheduler allows.
    pub(crate) fn run_until(
        self: &Arc<Self>,
        wait_for: WaitFor<'_>,
        deadline: Option<Instant>,
    ) -> WaitOutcome {
        self.run_until_at(None, wait_for, deadline)
    }

    /// Takes the place of a wait before what it is for is sent.
    pub(crate) fn reserve_waiter(&self) -> ReservedWaiter<'_> {
        let (task, pair) = (Current::task(self.number), Current::pair(self.number));
        let mut core = self.core.lock();
        let waiter = core.scheduler.begin_wait(task, pair);
        core.scheduler.set_state(waiter, ThreadState::Busy);
        ReservedWaiter {
            shared: self,
            waiter: Some(waiter),
        }
    }

    /// Does as [`run_until`](Shared::run_until) does, as the waiter that was reserved, if one was.
    pub(crate) fn run_until_at(
        self: &Arc<Self>,
        waiter: Option<WaiterId>,
        wait_for: WaitFor<'_>,
        deadline: Option<Instant>,
    ) -> WaitOutcome {
        let _waiting = wait_for.is_wait().then(Waiting::begin);
        let (task, pair) = (Current::task(self.number), Current::pair(self.number));
        let mut core = self.core.lock();
        let waiter = match waiter {
            Some(waiter) => waiter,
            None if wait_for.is_wait() => core.scheduler.begin_wait(task, pair),
            None => core.scheduler.begin_serving(task, pair),
        };
        core.scheduler.set_state(waiter, ThreadState::Awake);
        match wait_for {
            WaitFor::Reply(seq) => core.pending.add_waiter(seq, waiter),
            WaitFor::OneOf(slots) => {
                for (seq, _) in slots {
                    core.pending.add_waiter(*seq, waiter);
                }
            }
            WaitFor::Message | WaitFor::Closed | WaitFor::Over(_) => {}
        }
        core.waits += u64::from(wait_for.is_wait());
        let before = core.messages;
        let (mut late, mut late_reads) = (false, 0);
        let outcome = loop {
            let (locked, job) = self.give_out(core, Requester::Waiter(waiter));
            core = locked;
            // What was given to this thread is run before anything else: nobody else will.
            if let Some((task, request)) = job.or_else(|| core.scheduler.take_assigned(waiter)) {
                self.pass_on_reading(&mut core);
                drop(core);
                core = self.run_task(task, request);
                core.scheduler.end_nested(waiter);
                if matches!(wait_for, WaitFor::Message) {
                    break WaitOutcome::Served;
                }
                continue;
            }
            let come = match wait_for {
                WaitFor::Reply(seq) => core.pending.take(seq).map(WaitOutcome::Answered),
                WaitFor::OneOf(slots) => {
                    let filled = slots.iter().any(|(_, slot)| slot.is_filled());
                    filled.then_some(WaitOutcome::Served)
                }
                WaitFor::Message => (core.messages > before).then_some(WaitOutcome::Served),
                WaitFor::Closed => None,
                WaitFor::Over(state) => state.is_over().then_some(WaitOutcome::Served),
            };
            if let Some(outcome) = come {
                break outcome;
            }
            if let Some(reason) = &core.closing.reason {
                break WaitOutcome::Closed(reason.clone());
            }
            // Who looks for a message without any time to wait takes what is there.
            let limit = deadline.map(left);
            let passed = limit.is_some_and(|left| left.is_zero());
            if passed && (late || !matches!(wait_for, WaitFor::Message)) {
                break WaitOutcome::TimedOut;
            }
            let (locked, more) = self.read_or_sleep(core, waiter, wait_for, limit);
            core = locked;
            late_reads += u32::from(passed);
            late = passed && (!more || late_reads >= MAX_LATE_READS);
        };
        match wait_for {
            WaitFor::Reply(seq) => core.pending.remove_waiter(seq, waiter),
            WaitFor::OneOf(slots) => {
                for (seq, _) in slots {
                    core.pending.remove_waiter(*seq, waiter);
                }
            }
            WaitFor::Message | WaitFor::Closed | WaitFor::Over(_) => {}
        }
        core.scheduler.leave(waiter);
        if matches!(wait_for, WaitFor::Message) && core.scheduler.has_waiters() {
            // One request was run here; the next ones are for those who are still here.
            (core, _) = self.give_out(core, Requester::Nobody);
        }
        self.pass_on_reading(&mut core);
        drop(core);
        self.log_notes();
        // What was answered on top of this wait shouldn't wait for what comes next here.
        self.flush_soon();
        outcome
    }

    /// Does the next useful thing that such a thread can do without anything to run; says
    /// whether input may be there still.
    fn read_or_sleep<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a>,
        waiter: WaiterId,
        wait_for: WaitFor<'_>,
        limit: Option<Duration>,
    ) -> (Locked<'a>, bool) {
        let garbage = !wait_for.is_wait() && !core.garbage.is_empty();
        if garbage || self.outbox.needs_writer() {
            core.scheduler.set_state(waiter, ThreadState::Busy);
            drop(core);
            // It may have a deadline, and the peer may not read.
            self.flush_soon();
            if garbage {
                self.drop_garbage();
            }
            core = self.core.lock();
            core.scheduler.set_state(waiter, ThreadState::Awake);
            return (core, true);
        }
        let yields = matches!(wait_for, WaitFor::Over(state) if state.yields_reading(core.waits));
        if yields {
            let rest = limit.map_or(REST, |limit| limit.min(REST));
            return (
                self.sleep(core, waiter, ThreadState::Resting, Some(rest)),
                false,
            );
        }
        if core.scheduler.wants_input()
            && let Some(mut half) = core.read_half.take()
        {
            core.scheduler.set_state(waiter, ThreadState::Reading);
            core.reader = Some(Reader::Waiter(waiter));
            let expects_more = self.expects_more(core.pending.len());
            let room = std::mem::take(&mut core.room);
            drop(core);
            self.log_notes();
            let input = half.read(limit, expects_more);
            let arrivals = self.interpret(&mut half, input, room);
            core = self.core.lock();
            let more = half.more_is_there();
            core.read_half = Some(half);
            core.reader = None;
            core.scheduler.set_state(waiter, ThreadState::Awake);
            return (self.take_in(core, arrivals), more);
        }
        let core = self.sleep(core, waiter, ThreadState::Asleep, limit);
        (core, false)
    }

    fn sleep<'a>(
        &'a self,
        mut core: Locked<'a>,
        waiter: WaiterId,
        how: ThreadState,
        limit: Option<Duration>,
    ) -> Locked<'a> {
        let sleeper = Arc::new(Condvar::new());
        core.sleepers.insert(waiter, Sleeper::Here(sleeper.clone()));
        core.scheduler.set_state(waiter, how);
        core = wait(&sleeper, core, limit);
        core.sleepers.remove(&waiter);
        core.scheduler.set_state(waiter, ThreadState::Awake);
        core
    }

    /// Tells a sleeping thread that it should read, if nobody does.
    pub(crate) fn pass_on_reading(&self, core: &mut Core) {
        if core.read_half.is_none() || !core.scheduler.wants_input() {
            return;
        }
        if let Some(next_reader) = core.scheduler.next_reader() {
            self.note(core, |core| {
                format!("the reading goes to {}", core.whose(next_reader))
            });
            Shared::wake(core, next_reader);
            return;
        }
        // Who waits at several connections sees to it that a helper reads.
        let several = |sleeper: &&Sleeper| matches!(sleeper, Sleeper::Several(_));
        if let Some(sleeper) = core.sleepers.values().find(several) {
            sleeper.notify_one();
        }
        Shared::notify_unread(core);
    }

    /// Reads as nobody's thread, because requests run and all who could read are busy. Gives the
    /// role back as soon as somebody else can take it.
    pub(crate) fn help(self: &Arc<Self>) {
        let mut core = self.core.lock();
        core.health.woke = false;
        loop {
            let (locked, _) = self.give_out(core, Requester::Nobody);
            core = locked;
            if self.outbox.needs_writer() {
                // Who reads because nobody else does must not block in a write.
                drop(core);
                let shared = self.clone();
                self.send_helper(move || shared.flush());
                core = self.core.lock();
            }
            let somebody_else = core.health.woke || core.scheduler.next_reader().is_some();
            if core.closing.reason.is_some() || somebody_else || !self.needs_help(&core) {
                break;
            }
            // Answers of the reader's own pile up where the peer doesn't read them.
            let congested = self.outbox.backlog() > MAX_UNREAD && !core.scheduler.somebody_waits();
            if congested || !core.scheduler.wants_input() {
                break;
            }
            let Some(mut half) = core.read_half.take() else {
                break;
            };
            core.reader = Some(Reader::Helper);
            self.note(&mut core, |_| {
                "a helper reads: all others are busy".to_owned()
            });
            let expects_more = self.expects_more(core.pending.len());
            let room = std::mem::take(&mut core.room);
            drop(core);
            self.log_notes();
            let input = half.read(None, expects_more);
            let arrivals = self.interpret(&mut half, input, room);
            core = self.core.lock();
            core.read_half = Some(half);
            core.reader = None;
            core = self.take_in(core, arrivals);
        }
        core.health.helping = false;
        self.pass_on_reading(&mut core);
        drop(core);
        self.log_notes();
        self.flush();
    }

    /// What a wait ran out of time for, and what else was going on.
    pub(crate) fn timeout(&self, what: String, after: Duration) -> Timeout {
        let core = self.core.lock();
        let reader = match core.reader {
            None => "nobody".to_owned(),
            Some(Reader::Helper) => "a helper".to_owned(),
            Some(Reader::Waiter(waiter)) => core.whose(waiter),
        };
        let ran = names(core.scheduler.running());
        let queued = names(core.scheduler.waiting());
        let detail = format!(
            " ({}: {reader} was reading, {ran} of the peer ran here, {queued} were queued, {} of ours were unanswered{})",
            self.connid,
            core.pending.len(),
            match core.pending.oldest() {
                Some((seq, handler, since)) => {
                    format!(", {handler} (seq {seq}) for {:.1?}", since.elapsed())
                }
                None => String::new(),
            }
        );
        Timeout {
            what,
            after,
            detail,
        }
    }
}

impl Core {
    /// Whether a call that began now would fail, as far as is known here.
    pub(crate) fn is_ending(&self) -> bool {
        let idle = self.scheduler.tasks() == 0 && self.scheduler.queued() == 0;
        let closing = &self.closing;
        closing.reason.is_some()
            || closing.half_closed
            || closing.leaving.is_some()
            || (closing.close_received && idle)
    }

    /// Which waiter it is, for people to read.
    pub(crate) fn whose(&self, waiter: WaiterId) -> String {
        match self.pending.awaited_at(waiter) {
            Some((seq, handler)) => format!("the thread that waits for {handler} (seq {seq})"),
            None => "a serving thread".to_owned(),
        }
    }
}

/// How many requests there are, and what the first of them ask for.
fn names(handlers: impl IntoIterator<Item = Handler>) -> String {
    let mut handlers = handlers.into_iter();
    let named: Vec<String> = handlers
        .by_ref()
        .take(3)
        .map(|one| one.to_string())
        .collect();
    let count = named.len() + handlers.count();
    match named.as_slice() {
        [] => "no requests".to_owned(),
        named => format!(
            "{count} requests ({}{})",
            named.join(", "),
            if count > named.len() { ", ..." } else { "" }
        ),
    }
}

/// How many bytes of answers a peer may leave unread before a helper stops reading for it.
pub(crate) const MAX_UNREAD: usize = 64 << 20;

/// Reads, of up to 256 KiB each, for who has no time to wait: more than a system keeps for a
/// stream. It stops a peer that sends a large frame faster than it is read.
const MAX_LATE_READS: u32 = 64;
