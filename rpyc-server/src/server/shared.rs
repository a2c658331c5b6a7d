//! [`Shared`]: what the accept loop, the clients' threads and the stoppers have in common.

use std::fmt;
use std::io::{PipeWriter, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rpyc_core::transport::PeerAddr;

use super::client_log::ClientLog;
use super::clients::{ClientSlot, Clients, Cut};
use super::options::{Factory, Options};
use super::refusal::{Refusal, Refused};

/// What the accept loop, the clients' threads and the stoppers have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) factory: Factory,
    pub(super) options: Options,
    pub(super) clients: Clients,
    pub(super) client_log: Arc<ClientLog>,
    pub(super) stopping: AtomicBool,
    pub(super) wake: PipeWriter,
}

impl Shared {
    /// Lets a client in, at the cost of a silent one where there is no room.
    pub(super) fn admit(&self, name: &str, peer: &PeerAddr) -> Result<ClientSlot, Refusal> {
        let (place, displaced) = self.clients.admit(name, peer)?;
        if let Some(displaced) = displaced {
            let reason = "it had sent nothing when its place was needed for somebody else";
            self.refuse(Refused::Full, displaced.peer(), &reason);
            displaced.displace();
        }
        Ok(place)
    }

    /// Has the accept loop look whether more clients are wanted.
    pub(super) fn wake(&self) {
        // It fails when nothing reads the pipe any more: the server has ended.
        let _ = (&self.wake).write_all(b"!");
    }

    /// A client isn't let in.
    pub(super) fn turn_away(&self, peer: &PeerAddr, refusal: &Refusal) {
        self.refuse(refusal.reason(), peer, refusal);
    }

    /// A client's handshake was ended; `late` tells of one that took too long.
    pub(super) fn cut(&self, cut: Cut, peer: &PeerAddr, late: &dyn fmt::Display) {
        match cut {
            Cut::Displaced => {} // it has been told of
            Cut::Late => self.refuse(Refused::HandshakeTimeout, peer, late),
            Cut::Stopping => self.turn_away(peer, &Refusal::Stopping),
            Cut::Taken => self.turn_away(peer, &Refusal::Taken),
        }
    }

    /// Logs and counts a client that isn't served.
    pub(super) fn refuse(&self, why: Refused, peer: &PeerAddr, reason: &dyn fmt::Display) {
        if let Some(metrics) = &self.options.metrics {
            metrics.refused(why);
        }
        self.client_log.refused(peer, reason);
    }
}
