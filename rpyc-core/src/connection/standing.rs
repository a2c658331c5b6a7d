//! Threads that stand: they wait for a reply, or serve. Whoever stands may become the reader.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::background::{Duty, REST};
use super::current::Current;
use super::pending::Reply;
use super::running::Locked;
use super::shared::{Core, Reader, Shared};
use super::slot::Slot;
use super::turns::{Asker, Doing, PlaceId};
use super::waiters::Waiting;
use crate::error::{CloseReason, Timeout};
use crate::sync::{Condvar, left, wait};
use crate::wire::Handler;

/// What a thread stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until<'a> {
    /// The reply to a request of ours.
    Reply(u64),
    /// The reply to one of several asynchronous requests.
    OneOf(&'a [(u64, &'a Slot)]),
    /// One message of the peer's.
    Message,
    /// The end of the connection.
    Closed,
    /// The end of a background thread's duty.
    Over(&'a Duty),
}

impl Until<'_> {
    /// Whether it is a wait for a reply; else the thread serves.
    fn is_wait(self) -> bool {
        matches!(self, Until::Reply(_) | Until::OneOf(_))
    }
}

/// How the standing ended.
#[derive(Debug)]
pub(super) enum Stood {
    Answered(Reply),
    Served,
    Closed(CloseReason),
    TimedOut,
}

/// A place that was taken early; it is left when this is dropped.
pub(super) struct Early<'a> {
    shared: &'a Shared,
    place: Option<PlaceId>,
}

impl Early<'_> {
    /// The place, for whoever stands at it now.
    pub(super) fn into_place(mut self) -> Option<PlaceId> {
        self.place.take()
    }
}

impl Drop for Early<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut core = self.shared.core.lock();
            core.turns.leave(place);
            self.shared.pass_on_reading(&mut core);
        }
    }
}

impl Shared {
    /// Stands until what is waited for has come, the deadline has passed or the connection has
    /// closed. Serves, reads and sleeps meanwhile, whatever the turns allow.
    pub(super) fn stand(self: &Arc<Self>, until: Until<'_>, deadline: Option<Instant>) -> Stood {
        self.stand_at(None, until, deadline)
    }

    /// Takes the place of a wait before what it is for is sent.
    pub(super) fn stand_early(&self) -> Early<'_> {
        let (task, bond) = (Current::task(self.number), Current::bond(self.number));
        let mut core = self.core.lock();
        let place = core.turns.begin_wait(task, bond);
        core.turns.set_doing(place, Doing::Busy);
        Early {
            shared: self,
            place: Some(place),
        }
    }

    /// Stands as [`stand`](Shared::stand) does, at the place that was taken early, if one was.
    pub(super) fn stand_at(
        self: &Arc<Self>,
        place: Option<PlaceId>,
        until: Until<'_>,
        deadline: Option<Instant>,
    ) -> Stood {
        let _waiting = until.is_wait().then(Waiting::begin);
        let (task, bond) = (Current::task(self.number), Current::bond(self.number));
        let mut core = self.core.lock();
        let place = match place {
            Some(place) => place,
            None if until.is_wait() => core.turns.begin_wait(task, bond),
            None => core.turns.begin_serving(task, bond),
        };
        core.turns.set_doing(place, Doing::Awake);
        match until {
            Until::Reply(seq) => core.pending.add_waiter(seq, place),
            Until::OneOf(slots) => {
                for (seq, _) in slots {
                    core.pending.add_waiter(*seq, place);
                }
            }
            Until::Message | Until::Closed | Until::Over(_) => {}
        }
        core.waits += u64::from(until.is_wait());
        let before = core.messages;
        let (mut late, mut late_reads) = (false, 0);
        let outcome = loop {
            let (locked, job) = self.give_out(core, Asker::Place(place));
            core = locked;
            // What was given to this place is run before anything else: nobody else will.
            if let Some((task, request)) = job.or_else(|| core.turns.take_assigned(place)) {
                self.pass_on_reading(&mut core);
                drop(core);
                core = self.run_task(task, request);
                core.turns.uncover(place);
                if matches!(until, Until::Message) {
                    break Stood::Served;
                }
                continue;
            }
            let come = match until {
                Until::Reply(seq) => core.pending.take(seq).map(Stood::Answered),
                Until::OneOf(slots) => {
                    let filled = slots.iter().any(|(_, slot)| slot.is_filled());
                    filled.then_some(Stood::Served)
                }
                Until::Message => (core.messages > before).then_some(Stood::Served),
                Until::Closed => None,
                Until::Over(duty) => duty.is_over().then_some(Stood::Served),
            };
            if let Some(outcome) = come {
                break outcome;
            }
            if let Some(reason) = &core.closing.reason {
                break Stood::Closed(reason.clone());
            }
            // Who looks for a message without any time to wait takes what is there.
            let limit = deadline.map(left);
            let passed = limit.is_some_and(|left| left.is_zero());
            if passed && (late || !matches!(until, Until::Message)) {
                break Stood::TimedOut;
            }
            let (locked, more) = self.read_or_sleep(core, place, until, limit);
            core = locked;
            late_reads += u32::from(passed);
            late = passed && (!more || late_reads >= MAX_LATE_READS);
        };
        match until {
            Until::Reply(seq) => core.pending.remove_waiter(seq, place),
            Until::OneOf(slots) => {
                for (seq, _) in slots {
                    core.pending.remove_waiter(*seq, place);
                }
            }
            Until::Message | Until::Closed | Until::Over(_) => {}
        }
        core.turns.leave(place);
        if matches!(until, Until::Message) && core.turns.somebody_stands() {
            // One request was run here; the next ones are for those who are still here.
            (core, _) = self.give_out(core, Asker::Nobody);
        }
        self.pass_on_reading(&mut core);
        drop(core);
        self.log_notes();
        // What was answered on top of this wait shouldn't wait for what comes next here.
        self.flush();
        outcome
    }

    /// Does the next useful thing that a standing thread can do without anything to run; says
    /// whether input may be there still.
    fn read_or_sleep<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a>,
        place: PlaceId,
        until: Until<'_>,
        limit: Option<Duration>,
    ) -> (Locked<'a>, bool) {
        let garbage = !until.is_wait() && !core.garbage.is_empty();
        if garbage || self.outbox.needs_writer() {
            core.turns.set_doing(place, Doing::Busy);
            drop(core);
            self.flush();
            if garbage {
                self.drop_garbage();
            }
            core = self.core.lock();
            core.turns.set_doing(place, Doing::Awake);
            return (core, true);
        }
        let relieved = matches!(until, Until::Over(duty) if duty.is_relieved(core.waits));
        if relieved {
            let rest = limit.map_or(REST, |limit| limit.min(REST));
            return (self.sleep(core, place, Doing::Resting, Some(rest)), false);
        }
        if core.turns.wants_input()
            && let Some(mut half) = core.read_half.take()
        {
            core.turns.set_doing(place, Doing::Reading);
            core.reader = Some(Reader::Place(place));
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
            core.turns.set_doing(place, Doing::Awake);
            return (self.take_in(core, arrivals), more);
        }
        let core = self.sleep(core, place, Doing::Asleep, limit);
        (core, false)
    }

    fn sleep<'a>(
        &'a self,
        mut core: Locked<'a>,
        place: PlaceId,
        how: Doing,
        limit: Option<Duration>,
    ) -> Locked<'a> {
        let sleeper = Arc::new(Condvar::new());
        core.sleepers.insert(place, sleeper.clone());
        core.turns.set_doing(place, how);
        core = wait(&sleeper, core, limit);
        core.sleepers.remove(&place);
        core.turns.set_doing(place, Doing::Awake);
        core
    }

    /// Tells a sleeping thread that it should read, if nobody does.
    pub(super) fn pass_on_reading(&self, core: &mut Core) {
        if core.read_half.is_none() || !core.turns.wants_input() {
            return;
        }
        if let Some(heir) = core.turns.heir() {
            self.note(core, |core| {
                format!("the reading goes to {}", core.whose(heir))
            });
            Shared::wake(core, heir);
        } else {
            Shared::hand_to_attendant(core);
        }
    }

    /// Reads as nobody's thread, because requests run and all who could read are busy. Gives the
    /// role back as soon as somebody else can take it.
    pub(super) fn help(self: &Arc<Self>) {
        let mut core = self.core.lock();
        core.watch.woke = false;
        loop {
            let (locked, _) = self.give_out(core, Asker::Nobody);
            core = locked;
            if self.outbox.needs_writer() {
                // Who reads because nobody else does must not block in a write.
                drop(core);
                let shared = self.clone();
                self.send_helper(move || shared.flush());
                core = self.core.lock();
            }
            let somebody_else = core.watch.woke || core.turns.heir().is_some();
            if core.closing.reason.is_some() || somebody_else || !self.needs_help(&core) {
                break;
            }
            // Answers of the reader's own pile up where the peer doesn't read them.
            let congested = self.outbox.backlog() > MAX_UNREAD && !core.turns.somebody_waits();
            if congested || !core.turns.wants_input() {
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
        core.watch.helping = false;
        self.pass_on_reading(&mut core);
        drop(core);
        self.log_notes();
        self.flush();
    }

    /// What a wait ran out of time for, and what else was going on.
    pub(super) fn timeout(&self, what: String, after: Duration) -> Timeout {
        let core = self.core.lock();
        let reader = match core.reader {
            None => "nobody".to_owned(),
            Some(Reader::Helper) => "a helper".to_owned(),
            Some(Reader::Place(place)) => core.whose(place),
        };
        let ran = names(core.turns.running());
        let queued = names(core.turns.waiting());
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
    /// Whose place it is, for people to read.
    pub(super) fn whose(&self, place: PlaceId) -> String {
        match self.pending.awaited_at(place) {
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
pub(super) const MAX_UNREAD: usize = 64 << 20;

/// Reads, of up to 256 KiB each, for who has no time to wait: more than a system keeps for a
/// stream. It stops a peer that sends a large frame faster than it is read.
const MAX_LATE_READS: u32 = 64;
