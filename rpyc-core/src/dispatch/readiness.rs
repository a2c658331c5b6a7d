//! Connections that no thread of their own serves: somebody watches their streams, and has them
//! served when something has come. No thread waits for a peer's bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dispatcher::{Dispatcher, Protocol};
use super::reading::{ReadMode, ReadOutcome, Reader};
use super::scheduler::Requester;
use super::waits::ForReady;
use crate::error::CloseReason;

/// Watches the streams of connections, so that no thread has to wait for each of them.
///
/// A server with a pool of threads is one; see [`observe_readiness`](crate::pool::observe_readiness).
pub trait ReadinessObserver: Send + Sync {
    /// Nobody reads the connection now. When something can be read from its stream, or when
    /// `within` has passed, [`serve_ready`](crate::pool::serve_ready) or [`take_in`](crate::pool::take_in) is to be
    /// called. A `within` of zero is to be taken at its word: something has come that the
    /// stream's descriptor doesn't show, or the connection has closed.
    ///
    /// Called under a lock of the connection's: it must neither block nor use the connection, nor
    /// drop what may be the last of anything.
    /// It may be called again before anything has come; the latest time counts. The end of the
    /// connection is told last.
    fn on_unread(&self, within: Option<Duration>);
}

impl<P: Protocol> Dispatcher<P> {
    /// From now on the observer is told whenever nobody reads.
    pub(crate) fn observe_readiness(&self, observer: Arc<dyn ReadinessObserver>) {
        let mut core = self.core.lock();
        if core.lifecycle.reason().is_some() {
            observer.on_unread(Some(Duration::ZERO));
        }
        let before = core.reading.set_observer(Some(observer));
        self.pass_on_reading(&mut core);
        drop(core);
        drop(before);
    }

    /// Whether there is something to do that no thread is about to do.
    pub(crate) fn wants_thread(&self) -> bool {
        let core = self.core.lock();
        let is_left = core.something_is_due() && core.scheduler.tasks() == 0;
        core.lifecycle.reason().is_some() || is_left
    }

    /// Serves what has come, and doesn't wait for more; says why the connection has ended, if it has.
    pub(crate) fn serve_ready(self: &Arc<Self>) -> Option<CloseReason> {
        let end = Instant::now() + TURN;
        let reason = self.wait_for(ForReady(end), Some(end));
        if reason.is_none() && self.core.lock().scheduler.tasks() > 0 {
            self.take_in_ready();
            self.flush_soon();
        }
        reason
    }

    /// Takes in what has come, if nobody reads and nothing runs, to see whether it is the end.
    pub(crate) fn look_for_end(self: &Arc<Self>) {
        let core = self.core.lock();
        if core.lifecycle.is_ending(core.is_idle()) || core.scheduler.tasks() > 0 {
            return;
        }
        let (mut core, _) = self.read_once(core, Reader::Helper, ReadMode::Ready, None);
        self.pass_on_reading(&mut core);
        let to_answer = core.lifecycle.is_close_requested();
        drop(core);
        if to_answer || self.outbox.needs_writer() {
            self.wake_watchdog();
        }
    }

    /// Takes in what has come, and runs nothing.
    pub(crate) fn take_in_ready(self: &Arc<Self>) {
        let mut core = self.core.lock();
        let mut reads = 0..MAX_READS;
        loop {
            // For a wait that it is nested on, or a thread of the executor's, also what a worker whose turn
            // was over has left. A CLOSE isn't answered here: an answer to a peer that doesn't read takes a while.
            while core.scheduler.tasks() > 0
                && let Some(next) = core.scheduler.next(Requester::Nobody)
            {
                core = self.send_off(core, next);
            }
            if reads.next().is_none() {
                break;
            }
            let (locked, outcome) = self.read_once(core, Reader::Helper, ReadMode::Ready, None);
            core = locked;
            if !matches!(outcome, ReadOutcome::Came { .. }) {
                break;
            }
        }
        self.pass_on_reading(&mut core);
        drop(core);
        // What is refused is answered by the reader, who must not block in a write.
        if self.outbox.needs_writer() {
            self.wake_watchdog();
        }
    }
}

/// How long one connection is served while others may wait.
const TURN: Duration = Duration::from_millis(10);

/// Reads at a time, of up to 256 KiB each, for a peer that sends without end: whoever takes in for
/// all connections has others to see to.
const MAX_READS: u32 = 16;
