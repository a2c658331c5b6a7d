//! Connections that no thread of their own serves: somebody watches their streams, and has them
//! served when something has come. No thread waits for a peer's bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::dispatch::current::Current;
use crate::dispatch::scheduler::{Requester, ThreadState};
use crate::dispatch::shared::{Core, Reader, Shared};
use crate::error::CloseReason;
use crate::session::Connection;
use crate::sync::passed;
use crate::transport::Input;

/// Watches the streams of connections, so that no thread has to wait for each of them.
///
/// A server with a pool of threads is one; see [`Connection::observe_readiness`].
pub trait ReadinessObserver: Send + Sync {
    /// Nobody reads the connection now. When something can be read from its stream, or when
    /// `within` has passed, [`Connection::serve_ready`] or [`Connection::take_in`] is to be
    /// called. A `within` of zero is to be taken at its word: something has come that the
    /// stream's descriptor doesn't show, or the connection has closed.
    ///
    /// Called under a lock of the connection's: it must neither block nor use the connection, nor
    /// drop what may be the last of anything.
    /// It may be called again before anything has come; the latest time counts. The end of the
    /// connection is told last.
    fn on_unread(&self, within: Option<Duration>);
}

impl Connection {
    /// From now on the observer is told whenever nobody reads the connection, and has it served.
    pub fn observe_readiness(&self, observer: Arc<dyn ReadinessObserver>) {
        let mut core = self.shared.core.lock();
        if core.closing.reason.is_some() {
            observer.on_unread(Some(Duration::ZERO));
        }
        let before = core.observer.replace(observer);
        self.shared.pass_on_reading(&mut core);
        drop(core);
        drop(before);
    }

    /// Serves what has come, and doesn't wait for more: not for the rest of a frame, either.
    /// Requests run on this thread, and wait for the peer as they do elsewhere. A peer that sends
    /// without end has a turn of some 10 ms, after which [`wants_thread`](Connection::wants_thread)
    /// may be true, or the observer is told. Returns the
    /// reason when the connection has closed; [`serve_all`](Connection::serve_all) then sees to
    /// its end.
    pub fn serve_ready(&self) -> Option<CloseReason> {
        self.shared.serve_ready()
    }

    /// Takes in what has come and runs nothing; it may be called while requests run. Says whether
    /// [`serve_ready`](Connection::serve_ready) should be called, on a thread that may block.
    pub fn take_in(&self) -> bool {
        self.shared.take_in_ready();
        self.wants_thread()
    }

    /// Whether there is something to do that no thread is about to do: requests are queued and
    /// none runs, or the connection has closed.
    pub fn wants_thread(&self) -> bool {
        let core = self.shared.core.lock();
        let waiting = core.scheduler.queued() > 0 || core.closing.is_asked();
        core.closing.reason.is_some() || (waiting && core.scheduler.tasks() == 0)
    }
}

impl Shared {
    fn serve_ready(self: &Arc<Self>) -> Option<CloseReason> {
        let (task, pair) = (Current::task(self.number), Current::pair(self.number));
        let mut core = self.core.lock();
        let waiter = core.scheduler.begin_serving(task, pair);
        let end = Instant::now() + TURN;
        let reason = loop {
            let (locked, job) = self.give_out(core, Requester::Waiter(waiter));
            core = locked;
            if let Some((task, request)) = job.or_else(|| core.scheduler.take_assigned(waiter)) {
                self.pass_on_reading(&mut core);
                drop(core);
                core = self.run_task(task, request);
                core.scheduler.end_nested(waiter);
                if passed(end) {
                    break None;
                }
                continue;
            }
            if let Some(reason) = &core.closing.reason {
                break Some(reason.clone());
            }
            // Where another thread runs a request, what comes now may belong beneath its wait.
            if core.scheduler.tasks() > 0 {
                break None;
            }
            if !core.garbage.is_empty() || self.outbox.needs_writer() {
                core.scheduler.set_state(waiter, ThreadState::Busy);
                drop(core);
                self.flush();
                self.drop_garbage();
                core = self.core.lock();
                core.scheduler.set_state(waiter, ThreadState::Awake);
                continue;
            }
            core.scheduler.set_state(waiter, ThreadState::Reading);
            let (locked, came) = self.read_ready(core);
            core = locked;
            core.scheduler.set_state(waiter, ThreadState::Awake);
            if !came || passed(end) {
                break None;
            }
        };
        core.scheduler.leave(waiter);
        let others = core.scheduler.tasks() > 0;
        self.pass_on_reading(&mut core);
        drop(core);
        if others && reason.is_none() {
            self.take_in_ready();
        }
        self.flush();
        reason
    }

    /// Takes in what has come, if nobody reads and nothing runs, to see whether it is the end.
    pub(crate) fn look_for_end(self: &Arc<Self>) {
        let core = self.core.lock();
        if core.is_ending() || core.scheduler.tasks() > 0 {
            return;
        }
        let (mut core, _) = self.read_ready(core);
        self.pass_on_reading(&mut core);
        let to_answer = core.closing.is_asked();
        drop(core);
        if to_answer || self.outbox.needs_writer() {
            self.wake_watchdog();
        }
    }

    fn take_in_ready(self: &Arc<Self>) {
        let mut core = self.core.lock();
        for _ in 0..MAX_READS {
            let (locked, came) = self.read_ready(core);
            core = locked;
            if !came {
                break;
            }
            if core.scheduler.tasks() > 0 {
                // For a wait that it belongs beneath, or a thread of the executor's. A CLOSE
                // isn't answered here: the last words to a peer that doesn't read take a while.
                while let Some(next) = core.scheduler.next(Requester::Nobody) {
                    core = self.send_off(core, next);
                }
            }
        }
        self.pass_on_reading(&mut core);
        drop(core);
        // What is refused is answered by the reader, who must not block in a write.
        if self.outbox.needs_writer() {
            self.wake_watchdog();
        }
    }

    /// Reads once without waiting, if nobody else reads; says whether anything came.
    fn read_ready<'a>(
        self: &'a Arc<Self>,
        mut core: crate::dispatch::running::Locked<'a>,
    ) -> (crate::dispatch::running::Locked<'a>, bool) {
        if !core.scheduler.wants_input() {
            return (core, false);
        }
        let Some(mut half) = core.read_half.take() else {
            return (core, false);
        };
        core.reader = Some(Reader::Helper);
        let expects_more = self.expects_more(core.pending.len());
        let room = std::mem::take(&mut core.room);
        drop(core);
        let input = half.read_ready(expects_more);
        let came = !matches!(input, Input::Quiet);
        let arrivals = self.interpret(&mut half, input, room);
        let mut core = self.core.lock();
        core.read_half = Some(half);
        core.reader = None;
        (Shared::take_in(self, core, arrivals), came)
    }

    /// Tells the observer, if there is one, that nobody reads. Of an end it has been told, and
    /// nothing that comes later may take that back.
    pub(crate) fn notify_unread(core: &mut Core) {
        if core.closing.reason.is_some() {
            return;
        }
        if let (Some(observer), Some(half)) = (&core.observer, &mut core.read_half) {
            let within = half.park();
            let within = match half.has_buffered() {
                true => Some(Duration::ZERO),
                false => within,
            };
            observer.on_unread(within);
        }
    }
}

/// How long one connection is served while others may wait.
const TURN: Duration = Duration::from_millis(10);

/// Reads at a time, of up to 256 KiB each, for a peer that sends without end: whoever takes in for
/// all connections has others to see to.
const MAX_READS: u32 = 16;
