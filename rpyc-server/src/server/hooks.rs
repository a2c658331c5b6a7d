//! What runs once when a server begins to serve, and once when it stops.

use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use log::warn;

use super::listener::Address;
use crate::threads;

type OnStart = Box<dyn FnOnce(&[Address]) + Send>;
type OnStop = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(super) struct Hooks {
    pub(super) on_start: Vec<OnStart>,
    pub(super) on_stop: Vec<OnStop>,
}

impl Hooks {
    /// Runs what is due at the start, on this thread.
    pub(super) fn start(&mut self, addresses: &[Address]) {
        for hook in self.on_start.drain(..) {
            hook(addresses);
        }
    }

    /// Runs what is due at the end, on a thread of its own while the clients are being ended.
    pub(super) fn stop(self) -> Stopping {
        if self.on_stop.is_empty() {
            return Stopping(None);
        }
        let run = move || {
            for hook in self.on_stop {
                hook();
            }
        };
        match threads::start_watched("rpyc-on-stop", run) {
            Ok(ended) => Stopping(Some(ended)),
            Err(error) => {
                warn!("no thread for what is due at the server's end: {error}");
                Stopping(None)
            }
        }
    }
}

/// Hooks of the end that run.
pub(super) struct Stopping(Option<mpsc::Receiver<()>>);

impl Stopping {
    /// Waits for their end; a hook that hangs isn't waited for for ever.
    pub(super) fn wait(self, patience: Duration) {
        if let Some(ended) = self.0
            && ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout)
        {
            warn!("what was to run at the server's end hasn't ended after {patience:?}");
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_start", &self.on_start.len())
            .field("on_stop", &self.on_stop.len())
            .finish()
    }
}
