//! [`Lifecycle`]: how far the end of a connection has come. Pure: each transition has its name here.
//!
//! Each side of an open connection closes by itself, so that there are two states, which come together in every
//! way: what this side does of it, and what the peer does. Once the connection has ended, nothing is left of
//! either. What else has to be known of the end stands where it is used, and follows from this:
//! `Core::kept` is there from [`leave`](Lifecycle::leave) or [`fail`](Lifecycle::fail) to
//! [`finish`](Lifecycle::finish), and the scheduler holds PINGs once this side's CLOSE goes out.

use std::time::{Duration, Instant};

use super::reply_to::ReplyTo;
use super::scheduler::{ThreadPair, WaiterId};
use crate::error::{CloseReason, Error};
use crate::sync::passed;

/// How far the end of a connection has come.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) enum Lifecycle {
    Open(OurClose, PeersClose),
    /// It has ended, for this reason: the first one, which sticks.
    Ended {
        reason: CloseReason,
        session: Knows,
        /// The stream is still to be ended.
        shutdown_pending: bool,
    },
}

/// What this side does of the end.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) enum OurClose {
    #[default]
    None,
    /// A thread closes, and waits for the peer's consent.
    Waited,
    /// It closes without anybody who waits for it.
    Leaving(Leaving),
}

/// What the peer has said of the end.
#[derive(Default)]
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) enum PeersClose {
    #[default]
    None,
    /// Its CLOSE has come: where the answer goes, and when the requests ahead of it must have ended.
    Requested {
        to: ReplyTo,
        deadline: Instant,
        probe: Option<Probe>,
        /// It has ended the stream behind it: nothing more comes.
        half_closed: bool,
    },
    /// It is being answered.
    Answering { half_closed: bool },
}

/// Whether the session knows that the connection has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Knows {
    No,
    /// Somebody is telling it.
    Soon,
    Yes,
}

/// Whether a peer that has said CLOSE still answers what it was asked before: a PING, for the thread that is to
/// answer. One that waits for the answer to its CLOSE answers the PING alone; any other answers in order.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Probe {
    pub(super) seq: u64,
    /// Whose wait it is about.
    pub(super) waiter: WaiterId,
    /// What the scheduler had counted before it was sent.
    pub(super) progress: u64,
}

/// How a side leaves: it closes without anybody who waits for it.
#[cfg_attr(test, derive(Clone, Debug))]
pub(crate) struct Leaving {
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
#[cfg_attr(test, derive(Debug))]
enum LeavingStep {
    /// What was sent before is being answered.
    AwaitingAnswers,
    /// The CLOSE is being queued.
    Queueing,
    /// It is queued, with this seq.
    Queued(u64),
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle::Open(OurClose::None, PeersClose::None)
    }
}

/// What the peer does of the end.
impl Lifecycle {
    /// The peer's CLOSE has come; it is answered when the requests ahead of it have ended.
    pub(super) fn request_close(&mut self, to: ReplyTo) {
        self.request_close_by(to, Instant::now() + GRACE);
    }

    fn request_close_by(&mut self, to: ReplyTo, deadline: Instant) {
        if let Lifecycle::Open(_, peers) = self
            && let PeersClose::None = peers
        {
            *peers = PeersClose::Requested {
                to,
                deadline,
                probe: None,
                half_closed: false,
            };
        }
    }

    /// Whether a CLOSE of the peer's is to be answered.
    pub(super) fn is_close_requested(&self) -> bool {
        matches!(self.peers(), PeersClose::Requested { .. })
    }

    /// Whether the peer's CLOSE is to be answered now: nothing is ahead of it, or its time is over.
    pub(super) fn is_close_due(&self, is_idle: bool) -> bool {
        matches!(self.peers(), PeersClose::Requested { deadline, .. } if is_idle || passed(*deadline))
    }

    /// Takes the peer's CLOSE, to answer it, if it is due.
    pub(super) fn take_close(&mut self, is_idle: bool) -> Option<ReplyTo> {
        if !self.is_close_due(is_idle) {
            return None;
        }
        let Lifecycle::Open(_, peers) = self else {
            return None;
        };
        let half_closed = peers.is_half_closed();
        match std::mem::replace(peers, PeersClose::Answering { half_closed }) {
            PeersClose::Requested { to, .. } => Some(to),
            PeersClose::None | PeersClose::Answering { .. } => None,
        }
    }

    /// Whether the peer may be asked whether it still answers: it has said CLOSE, and isn't being asked already.
    pub(super) fn may_probe(&self) -> bool {
        matches!(self.peers(), PeersClose::Requested { probe: None, .. })
    }

    /// The threads that the question is between, about a wait between these: where no thread of the peer's is known to
    /// answer that, the one that closes is asked.
    pub(super) fn pair_of_probe(&self, pair: ThreadPair) -> ThreadPair {
        match self.peers() {
            PeersClose::Requested { to, .. } if pair.peers == 0 => ThreadPair {
                peers: to.threads.sender,
                ..pair
            },
            _ => pair,
        }
    }

    /// It is being asked.
    pub(super) fn begin_probe(&mut self, new: Probe) {
        if let Some(probe) = self.probe() {
            *probe = Some(new);
        }
    }

    /// This was answered. If it was the probe, and nothing has moved since that was sent, it gives the waiter
    /// whose answer won't come.
    pub(super) fn end_probe(&mut self, answered: u64, progress: u64) -> Option<WaiterId> {
        let probe = self.probe()?.take_if(|probe| probe.seq == answered)?;
        (probe.progress == progress).then_some(probe.waiter)
    }

    /// Whether requests that come now are executed: none behind a CLOSE is.
    pub(super) fn takes_requests(&self) -> bool {
        matches!(self, Lifecycle::Open(_, PeersClose::None))
    }

    /// The peer has ended the stream; says whether behind its CLOSE, which is to be answered.
    pub(super) fn half_close(&mut self) -> bool {
        match self {
            Lifecycle::Open(_, PeersClose::Requested { half_closed, .. }) => {
                *half_closed = true;
                true
            }
            _ => false,
        }
    }

    fn peers(&self) -> &PeersClose {
        match self {
            Lifecycle::Open(_, peers) => peers,
            Lifecycle::Ended { .. } => &PeersClose::None,
        }
    }

    fn probe(&mut self) -> Option<&mut Option<Probe>> {
        match self {
            Lifecycle::Open(_, PeersClose::Requested { probe, .. }) => Some(probe),
            _ => None,
        }
    }
}

/// What this side does of the end.
impl Lifecycle {
    /// A thread is to close, and to wait for the peer's consent; says whether it begins to. It doesn't where one
    /// does so already, the connection has ended or this side leaves: for that one may wait.
    pub(super) fn begin_close(&mut self) -> bool {
        match self {
            Lifecycle::Open(ours @ OurClose::None, _) => {
                *ours = OurClose::Waited;
                true
            }
            _ => false,
        }
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
        match self {
            Lifecycle::Open(ours @ (OurClose::None | OurClose::Waited), _) => {
                *ours = OurClose::Leaving(Leaving {
                    step: LeavingStep::AwaitingAnswers,
                    reason,
                    awaits_answer: time_to_answer.is_some(),
                    due,
                    deadline,
                });
                true
            }
            _ => false,
        }
    }

    /// Whether this side leaves.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving().is_some()
    }

    /// Whether a side that leaves is to queue its CLOSE now: `is_quiet` says that all that it has sent
    /// is answered, and nothing of the peer's runs. A peer that doesn't get on is told all the
    /// same. True once.
    pub(super) fn begin_queueing_close(&mut self, is_quiet: bool) -> bool {
        let Some(leaving) = self.leaving_mut() else {
            return false;
        };
        let is_due = is_quiet || passed(leaving.due);
        let begins = is_due && leaving.step == LeavingStep::AwaitingAnswers;
        if begins {
            leaving.step = LeavingStep::Queueing;
        }
        begins
    }

    /// The CLOSE of a side that leaves is queued, with this seq. Says why it leaves, and whether it awaits the
    /// answer, unless the connection has ended.
    pub(super) fn close_queued(&mut self, seq: u64) -> Option<(CloseReason, bool)> {
        let leaving = self.leaving_mut()?;
        leaving.step = LeavingStep::Queued(seq);
        Some((leaving.reason.clone(), leaving.awaits_answer))
    }

    /// Why the connection ends, if this is the answer to the CLOSE of a side that leaves.
    pub(super) fn left_by_answer(&self, seq: u64) -> Option<CloseReason> {
        let leaving = self.leaving()?;
        (leaving.step == LeavingStep::Queued(seq)).then(|| leaving.reason.clone())
    }

    /// Why the connection ends, if a side that leaves has waited for the peer long enough.
    pub(super) fn left_by_deadline(&self) -> Option<CloseReason> {
        let leaving = self.leaving()?;
        passed(leaving.deadline).then(|| leaving.reason.clone())
    }

    fn leaving(&self) -> Option<&Leaving> {
        match self {
            Lifecycle::Open(OurClose::Leaving(leaving), _) => Some(leaving),
            _ => None,
        }
    }

    fn leaving_mut(&mut self) -> Option<&mut Leaving> {
        match self {
            Lifecycle::Open(OurClose::Leaving(leaving), _) => Some(leaving),
            _ => None,
        }
    }
}

/// The end itself.
impl Lifecycle {
    /// Ends the connection; gives the reason that sticks, or none where it has ended before.
    pub(super) fn fail(&mut self, reason: CloseReason) -> Option<CloseReason> {
        let Lifecycle::Open(ours, peers) = self else {
            return None;
        };
        let is_lost = matches!(reason, CloseReason::Io(_) | CloseReason::Eof);
        let reason = match (peers, ours) {
            // A peer that has said that it closes needn't wait for the answer.
            (PeersClose::Requested { .. } | PeersClose::Answering { .. }, _) if is_lost => {
                CloseReason::Peer
            }
            // Nor need it answer to this side's.
            (PeersClose::None, OurClose::Leaving(leaving)) if is_lost => leaving.reason.clone(),
            _ => reason,
        };
        *self = Lifecycle::Ended {
            reason: reason.clone(),
            session: Knows::No,
            shutdown_pending: true,
        };
        Some(reason)
    }

    /// Whether the stream is still to be ended; true once.
    pub(super) fn take_shutdown(&mut self) -> bool {
        match self {
            Lifecycle::Open(..) => false,
            Lifecycle::Ended {
                shutdown_pending, ..
            } => std::mem::take(shutdown_pending),
        }
    }

    /// Whether the stream is still to be ended.
    pub(super) fn is_shutdown_pending(&self) -> bool {
        matches!(
            self,
            Lifecycle::Ended {
                shutdown_pending: true,
                ..
            }
        )
    }

    /// Takes it on to tell the session of the end; says whether nobody else does or has.
    pub(super) fn begin_finishing(&mut self) -> bool {
        let begins = self.knows() == Some(Knows::No);
        if begins {
            self.set_knows(Knows::Soon);
        }
        begins
    }

    /// There is no thread that could tell the session: somebody else may.
    pub(super) fn put_off_finishing(&mut self) {
        self.set_knows(Knows::No);
    }

    /// The session knows.
    pub(super) fn finish(&mut self) {
        self.set_knows(Knows::Yes);
    }

    /// Whether somebody is telling the session, or has.
    pub(super) fn is_finishing(&self) -> bool {
        matches!(self.knows(), Some(Knows::Soon | Knows::Yes))
    }

    /// Whether the session has been told.
    pub(super) fn is_finished(&self) -> bool {
        self.knows() == Some(Knows::Yes)
    }

    fn knows(&self) -> Option<Knows> {
        match self {
            Lifecycle::Open(..) => None,
            Lifecycle::Ended { session, .. } => Some(*session),
        }
    }

    fn set_knows(&mut self, knows: Knows) {
        if let Lifecycle::Ended { session, .. } = self {
            *session = knows;
        }
    }

    /// Why the connection has ended, if it has.
    pub(super) fn reason(&self) -> Option<&CloseReason> {
        match self {
            Lifecycle::Open(..) => None,
            Lifecycle::Ended { reason, .. } => Some(reason),
        }
    }

    /// Why the connection has ended, or is about to by this side.
    pub(super) fn closing_reason(&self) -> Option<CloseReason> {
        let leaving = || self.leaving().map(|leaving| &leaving.reason);
        self.reason().or_else(leaving).cloned()
    }

    /// Whether a call that began now would fail, as far as is known here.
    pub(super) fn is_ending(&self, is_idle: bool) -> bool {
        match self {
            Lifecycle::Ended { .. } | Lifecycle::Open(OurClose::Leaving(_), _) => true,
            Lifecycle::Open(_, peers) => match peers {
                PeersClose::None => false,
                _ => is_idle || peers.is_half_closed(),
            },
        }
    }

    /// Why a request can't be sent any more, if it can't. Once this side leaves, those that `allowed`
    /// lets through still are; it is told whether what was sent before is still being answered.
    pub(super) fn refuses_request(&self, allowed: impl FnOnce(bool) -> bool) -> Option<Error> {
        let reason = match self {
            Lifecycle::Ended { reason, .. } => reason.clone(),
            Lifecycle::Open(_, peers) if peers.is_half_closed() => CloseReason::Peer,
            Lifecycle::Open(..) => {
                let leaving = self.leaving()?;
                if allowed(leaving.step == LeavingStep::AwaitingAnswers) {
                    return None;
                }
                leaving.reason.clone()
            }
        };
        Some(Error::Closed(reason))
    }
}

impl PeersClose {
    fn is_half_closed(&self) -> bool {
        matches!(
            self,
            PeersClose::Requested {
                half_closed: true,
                ..
            } | PeersClose::Answering { half_closed: true }
        )
    }
}

/// How long the requests that run may take to end when the connection does.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

#[cfg(all(test, not(shuttle)))]
mod tests;
