//! A thread for each client, from its connection to its end.

use std::sync::Arc;

use rpyc_core::transport::PeerAddr;

use super::client::Admitted;
use super::raw::Incoming;
use super::refusal::Refused;
use super::shared::Shared;

/// Serves a client on a thread of its own.
pub(super) fn take(shared: &Arc<Shared>, stream: Incoming, peer: PeerAddr) {
    let Some(client) = Admitted::new(shared, stream, peer.clone()) else {
        return;
    };
    let (executor, server) = (client.executor.clone(), shared.clone());
    let job = Box::new(move || {
        if let Some(served) = client.open(&server) {
            served.serve();
        }
    });
    if let Err(error) = executor.execute(job) {
        shared.refuse(Refused::System, &peer, &error);
    }
}
