//! [`Registration`]: keeps a server known to a registry.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{debug, info, warn};
use rpyc_core::registry::{RegistryClient, RegistryError};

use crate::causes::with_causes;

/// A server's entry in a registry: repeated each minute, removed at the end.
///
/// A registry that doesn't answer is asked again every five seconds, and never in the way of the
/// server. Dropping the registration ends it.
#[derive(Debug)]
pub struct Registration {
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Registration {
    /// Registers the server at this port under these names, from a thread of its own.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start<'a>(
        registry: RegistryClient,
        names: impl IntoIterator<Item = &'a str>,
        port: u16,
    ) -> io::Result<Registration> {
        let names = names.into_iter().map(str::to_owned).collect();
        Registration::keep(Entry {
            registry,
            names,
            port,
            repeat: REPEAT,
            retry: RETRY,
        })
    }

    fn keep(entry: Entry) -> io::Result<Registration> {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("rpyc-register".to_owned())
            .spawn(move || entry.keep(&stopped))?;
        Ok(Registration {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Unregisters the server, and waits until that is done or the registry's time is over.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Entry {
    registry: RegistryClient,
    names: Vec<String>,
    port: u16,
    repeat: Duration,
    retry: Duration,
}

impl Entry {
    fn keep(&self, stopped: &Receiver<()>) {
        let mut registered = None;
        loop {
            let names = self.names.iter().map(String::as_str);
            let result = self.registry.register(names, self.port);
            let is_registered = result.is_ok();
            // Said when it changes: a registry may be away for days.
            if registered != Some(is_registered) {
                self.tell(&result);
                registered = Some(is_registered);
            }
            let pause = if is_registered {
                self.repeat
            } else {
                self.retry
            };
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        // Also when it isn't known to have worked: an answer may have got lost.
        match self.registry.unregister(self.port) {
            Ok(()) => info!("unregistered"),
            Err(error) if registered == Some(true) => {
                warn!("not unregistered: {}", with_causes(&error));
            }
            Err(error) => debug!("not unregistered: {}", with_causes(&error)),
        }
    }

    fn tell(&self, result: &Result<(), RegistryError>) {
        let names = self.names.join(", ");
        match result {
            Ok(()) => info!("registered port {} as {names}", self.port),
            Err(error) => warn!(
                "not registered as {names}, trying again: {}",
                with_causes(error)
            ),
        }
    }
}

/// As often as Python's servers.
const REPEAT: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use super::super::{Registry, Running};
    use super::*;

    fn registry(address: SocketAddr) -> Running {
        let registry = Registry::builder().rate(0).listen(address);
        registry.expect("it listens").start().expect("it runs")
    }

    /// Asks until the service is there, or isn't.
    fn wait_for(client: &RegistryClient, is_there: bool) {
        let begun = Instant::now();
        while client.discover("notes").is_ok() != is_there {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "never: {is_there}"
            );
        }
    }

    #[test]
    fn a_registry_that_begins_again_learns_of_the_server_and_its_end() {
        let first = registry(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = first.local_addr();
        let client = RegistryClient::udp("127.0.0.1").port(address.port());
        let kept = Registration::keep(Entry {
            registry: client.clone().timeout(Duration::from_secs(1)),
            names: vec!["notes".to_owned()],
            port: 4_000,
            repeat: Duration::from_millis(20),
            retry: Duration::from_millis(20),
        });
        let kept = kept.expect("a thread");
        wait_for(&client, true);
        first.stop();
        let second = registry(address);
        wait_for(&client, true);
        kept.stop();
        wait_for(&client, false);
        second.stop();
    }
}
