//! [`Lifecycle`]: how far the end of a connection has come. Pure: each transition has its name here.

use std::time::{Duration, Instant};

use super::reply_to::ReplyTo;
use super::scheduler::{ThreadPair, WaiterId};
use crate::error::{CloseReason, Error};
use crate::sync::passed;

/// How far the end of a connection has come.
#[derive(Default)]
pub(crate) struct Lifecycle {
    stage: Stage,
    peer: PeerClose,
    leaving: Option<Leaving>,
    /// Nothing more comes from the peer, though the connection isn't closed yet.
    half_closed: bool,
    /// The stream is still to be ended.
    shutdown_pending: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    Open,
    /// It has ended, for this reason: the first one, which sticks. The session isn't told yet.
    Failed(CloseReason),
    /// Somebody is telling the session.
    Finishing(CloseReason),
    /// The session has been told.
    Finished(CloseReason),
}

/// What the peer has said of the end.
#[derive(Default)]
enum PeerClose {
    #[default]
    None,
    /// Its CLOSE has come: where the answer goes, and when the requests ahead of it must have ended.
    Requested {
        to: ReplyTo,
        deadline: Instant,
        probe: Option<Probe>,
    },
    /// It is being answered.
    Answering,
}

/// Whether a peer that has said CLOSE still answers what it was asked before: a PING, for the thread that is to
/// answer. One that waits for the answer to its CLOSE answers the PING alone; any other answers in order.
pub(super) struct Probe {
    pub(super) seq: u64,
    /// Whose wait it is about.
    pub(super) waiter: WaiterId,
    /// What the scheduler had counted before it was sent.
    pub(super) progress: u64,
}

/// This side closes without anybody who waits for it.
struct Leaving {
    step: LeavingStep,
    reason: CloseReason,
    /// Whether the answer to the CLOSE is waited for.
    awaits_answer: bool,
    /// When the peer is told, whatever it has answered by then.
    due: Instant,
    /// When the connection ends without an answer.
    deadline: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeavingStep {
    /// What was sent before is being answered.
    AwaitingAnswers,
    /// The CLOSE is being queued.
    Queueing,
    /// It is queued, with this seq.
    Queued(u64),
}

impl Lifecycle {
    /// The peer's CLOSE has come; it is answered when the requests ahead of it have ended.
    pub(super) fn request_close(&mut self, to: ReplyTo, deadline: Instant) {
        if let PeerClose::None = self.peer {
            self.peer = PeerClose::Requested {
                to,
                deadline,
                probe: None,
            };
        }
    }

    /// Whether a CLOSE of the peer's is to be answered.
    pub(super) fn is_close_requested(&self) -> bool {
        matches!(self.peer, PeerClose::Requested { .. })
    }

    /// Whether the peer's CLOSE is to be answered now: nothing is ahead of it, or its time is over.
    pub(super) fn is_close_due(&self, is_idle: bool) -> bool {
        matches!(self.stage, Stage::Open)
            && matches!(&self.peer, PeerClose::Requested { deadline, .. } if is_idle || passed(*deadline))
    }

    /// Takes the peer's CLOSE, to answer it, if it is due.
    pub(super) fn take_close(&mut self, is_idle: bool) -> Option<ReplyTo> {
        if !self.is_close_due(is_idle) {
            return None;
        }
        match std::mem::replace(&mut self.peer, PeerClose::Answering) {
            PeerClose::Requested { to, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether the peer may be asked whether it still answers: it has said CLOSE, and isn't being asked already.
    pub(super) fn may_probe(&self) -> bool {
        let is_open = matches!(self.stage, Stage::Open);
        is_open && matches!(self.peer, PeerClose::Requested { probe: None, .. })
    }

    /// The threads that the question is between, about a wait between these: where no thread of the peer's is known to
    /// answer that, the one that closes is asked.
    pub(super) fn pair_of_probe(&self, pair: ThreadPair) -> ThreadPair {
        match &self.peer {
            PeerClose::Requested { to, .. } if pair.peers == 0 => ThreadPair {
                peers: to.threads.sender,
                ..pair
            },
            _ => pair,
        }
    }

    /// It is being asked.
    pub(super) fn begin_probe(&mut self, new: Probe) {
        if let PeerClose::Requested { probe, .. } = &mut self.peer {
            *probe = Some(new);
        }
    }

    /// This was answered. If it was the probe, and nothing has moved since that was sent, it gives the waiter
    /// whose answer won't come.
    pub(super) fn end_probe(&mut self, answered: u64, progress: u64) -> Option<WaiterId> {
        let PeerClose::Requested { probe, .. } = &mut self.peer else {
            return None;
        };
        let probe = probe.take_if(|probe| probe.seq == answered)?;
        (probe.progress == progress).then_some(probe.waiter)
    }

    /// Whether requests that come now are executed: none behind a CLOSE is.
    pub(super) fn takes_requests(&self) -> bool {
        matches!((&self.stage, &self.peer), (Stage::Open, PeerClose::None))
    }

    /// The peer has ended the stream behind its CLOSE.
    pub(super) fn half_close(&mut self) {
        self.half_closed = true;
    }

    /// This side is to close without anybody who waits; says whether it begins to. For `time_to_answer` the
    /// peer may answer: half of it what was sent before, then the CLOSE. Without such time it is told at
    /// once, and needn't answer.
    pub(super) fn leave(
        &mut self,
        reason: CloseReason,
        now: Instant,
        time_to_answer: Option<Duration>,
    ) -> bool {
        let (due, deadline) = match time_to_answer {
            Some(time_to_answer) => (now + time_to_answer / 2, now + time_to_answer),
            None => (now, now + GRACE),
        };
        let begins = matches!(self.stage, Stage::Open) && self.leaving.is_none();
        if begins {
            self.leaving = Some(Leaving {
                step: LeavingStep::AwaitingAnswers,
                reason,
                awaits_answer: time_to_answer.is_some(),
                due,
                deadline,
            });
        }
        begins
    }

    /// Whether a side that leaves waits for the answer to its CLOSE.
    pub(super) fn awaits_answer(&self) -> bool {
        let awaits = |leaving: &Leaving| leaving.awaits_answer;
        self.leaving.as_ref().is_none_or(awaits)
    }

    /// Whether this side leaves, or has left.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Whether a side that leaves is to queue its CLOSE now: `is_quiet` says that all that it has sent
    /// is answered, and nothing of the peer's runs. A peer that doesn't get on is told all the
    /// same. True once.
    pub(super) fn begin_queueing_close(&mut self, is_quiet: bool) -> bool {
        let Some(leaving) = &mut self.leaving else {
            return false;
        };
        let is_due = is_quiet || passed(leaving.due);
        let begins = is_due && leaving.step == LeavingStep::AwaitingAnswers;
        if begins {
            leaving.step = LeavingStep::Queueing;
        }
        begins
    }

    /// The CLOSE of a side that leaves is queued.
    pub(super) fn close_queued(&mut self, seq: u64) {
        if let Some(leaving) = &mut self.leaving {
            leaving.step = LeavingStep::Queued(seq);
        }
    }

    /// Why the connection ends, if this is the answer to the CLOSE of a side that leaves.
    pub(super) fn left_by_answer(&self, seq: u64) -> Option<CloseReason> {
        let leaving = self.leaving.as_ref()?;
        (leaving.step == LeavingStep::Queued(seq)).then(|| leaving.reason.clone())
    }

    /// Why the connection ends, if a side that leaves has waited for the peer long enough.
    pub(super) fn left_by_deadline(&self) -> Option<CloseReason> {
        let leaving = self.leaving.as_ref()?;
        passed(leaving.deadline).then(|| leaving.reason.clone())
    }

    /// Ends the connection; gives the reason that sticks, or none where it has ended before.
    pub(super) fn fail(&mut self, reason: CloseReason) -> Option<CloseReason> {
        if !matches!(self.stage, Stage::Open) {
            return None;
        }
        let is_lost = matches!(reason, CloseReason::Io(_) | CloseReason::Eof);
        let reason = match (&self.peer, &self.leaving) {
            // A peer that has said that it closes needn't wait for the answer.
            (PeerClose::Requested { .. } | PeerClose::Answering, _) if is_lost => CloseReason::Peer,
            // Nor need it answer to this side's.
            (PeerClose::None, Some(leaving)) if is_lost => leaving.reason.clone(),
            _ => reason,
        };
        self.stage = Stage::Failed(reason.clone());
        self.shutdown_pending = true;
        Some(reason)
    }

    /// Whether the stream is still to be ended; true once.
    pub(super) fn take_shutdown(&mut self) -> bool {
        std::mem::take(&mut self.shutdown_pending)
    }

    /// Whether the stream is still to be ended.
    pub(super) fn is_shutdown_pending(&self) -> bool {
        self.shutdown_pending
    }

    /// Takes it on to tell the session of the end; says whether nobody else does or has.
    pub(super) fn begin_finishing(&mut self) -> bool {
        let begins = matches!(self.stage, Stage::Failed(_));
        if begins {
            self.change_stage(Stage::Finishing);
        }
        begins
    }

    /// There is no thread that could tell the session: somebody else may.
    pub(super) fn put_off_finishing(&mut self) {
        self.change_stage(Stage::Failed);
    }

    /// The session knows.
    pub(super) fn finish(&mut self) {
        self.change_stage(Stage::Finished);
    }

    fn change_stage(&mut self, to: fn(CloseReason) -> Stage) {
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Open => Stage::Open,
            Stage::Failed(reason) | Stage::Finishing(reason) | Stage::Finished(reason) => {
                to(reason)
            }
        };
    }

    /// Whether somebody is telling the session, or has.
    pub(super) fn is_finishing(&self) -> bool {
        matches!(self.stage, Stage::Finishing(_) | Stage::Finished(_))
    }

    /// Whether the session has been told.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished(_))
    }

    /// Why the connection has ended, if it has.
    pub(super) fn reason(&self) -> Option<&CloseReason> {
        match &self.stage {
            Stage::Open => None,
            Stage::Failed(reason) | Stage::Finishing(reason) | Stage::Finished(reason) => {
                Some(reason)
            }
        }
    }

    /// Why the connection has ended, or is about to by this side.
    pub(super) fn closing_reason(&self) -> Option<CloseReason> {
        let leaving = || self.leaving.as_ref().map(|leaving| &leaving.reason);
        self.reason().or_else(leaving).cloned()
    }

    /// Whether a call that began now would fail, as far as is known here.
    pub(super) fn is_ending(&self, is_idle: bool) -> bool {
        let close_received = !matches!(self.peer, PeerClose::None);
        self.reason().is_some()
            || self.half_closed
            || self.leaving.is_some()
            || (close_received && is_idle)
    }

    /// Why a request can't be sent any more, if it can't. Once this side leaves, those that `allowed`
    /// lets through still are; it is told whether what was sent before is still being answered.
    pub(super) fn refuses_request(&self, allowed: impl FnOnce(bool) -> bool) -> Option<Error> {
        let half_closed = self.half_closed.then_some(CloseReason::Peer);
        let ended = self.reason().cloned().or(half_closed);
        let reason = ended.or_else(|| {
            let leaving = self.leaving.as_ref()?;
            let is_waiting = leaving.step == LeavingStep::AwaitingAnswers;
            (!allowed(is_waiting)).then(|| leaving.reason.clone())
        });
        reason.map(Error::Closed)
    }
}

/// How long the requests that run may take to end when the connection does.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
