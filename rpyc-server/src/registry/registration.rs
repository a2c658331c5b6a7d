//! [`Registration`]: keeps a server known to a registry.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use log::{debug, info, warn};
use rpyc_core::registry::message::ServiceName;
use rpyc_core::registry::{Directory, Offer, RegistryError};

use crate::causes::with_causes;
use crate::threads::Joined;

/// A server's entry in a directory: repeated as often as that asks for, removed at the end.
///
/// A directory that doesn't answer is asked again every five seconds, and never in the way of the
/// server. Dropping the registration ends it.
#[derive(Debug)]
pub struct Registration {
    /// Dropped, and it is first, it ends the thread.
    _stop: Sender<()>,
    _thread: Joined,
}

impl Registration {
    /// Registers what `offer` gives, which is asked anew each time, from a thread of its own. The
    /// port must not change.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(
        directory: Arc<dyn Directory>,
        offer: impl Fn() -> Offer + Send + 'static,
    ) -> io::Result<Registration> {
        Registration::keep(Entry {
            directory,
            offer,
            retry: RETRY,
        })
    }

    fn keep(entry: Entry<impl Fn() -> Offer + Send + 'static>) -> io::Result<Registration> {
        let (stop, stopped) = mpsc::channel();
        let thread = Joined::start("rpyc-register", move || entry.keep(&stopped))?;
        Ok(Registration {
            _stop: stop,
            _thread: thread,
        })
    }

    /// Unregisters the server, and waits until that is done or the registry's time is over.
    pub fn stop(self) {
        drop(self);
    }
}

struct Entry<F> {
    directory: Arc<dyn Directory>,
    offer: F,
    retry: Duration,
}

impl<F: Fn() -> Offer> Entry<F> {
    fn keep(&self, stopped: &Receiver<()>) {
        let mut registered = None;
        let mut offer;
        loop {
            offer = (self.offer)();
            let result = self.directory.register(&offer);
            let is_registered = result.is_ok();
            // Said when it changes: a directory may be away for days.
            if registered != Some(is_registered) {
                tell(&offer, &result);
                registered = Some(is_registered);
            }
            let pause = result.unwrap_or(self.retry);
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        // Also when it isn't known to have worked: an answer may have got lost.
        match self.directory.unregister(offer.port()) {
            Ok(()) => info!("unregistered"),
            Err(error) if registered == Some(true) => {
                warn!("not unregistered: {}", with_causes(&error));
            }
            Err(error) => debug!("not unregistered: {}", with_causes(&error)),
        }
    }
}

fn tell(offer: &Offer, result: &Result<Duration, RegistryError>) {
    let names: Vec<&str> = offer.names().iter().map(ServiceName::as_str).collect();
    let names = names.join(", ");
    match result {
        Ok(_) => info!("registered port {} as {names}", offer.port()),
        Err(error) => warn!(
            "not registered as {names}, trying again: {}",
            with_causes(error)
        ),
    }
}

const RETRY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use rpyc_core::registry::{RegistryClient, ServerEntry, Watch};

    use super::super::{Registry, RunningRegistry};
    use super::*;

    /// A directory that wants to be told more often than once a minute.
    #[derive(Debug)]
    struct Brisk(RegistryClient);

    impl Directory for Brisk {
        fn discover(&self, name: &str) -> Result<Vec<ServerEntry>, RegistryError> {
            self.0.discover(name)
        }

        fn list(&self, host: Option<&str>) -> Result<Vec<String>, RegistryError> {
            self.0.list(host)
        }

        fn register(&self, offer: &Offer) -> Result<Duration, RegistryError> {
            self.0.register(offer)?;
            Ok(Duration::from_millis(20))
        }

        fn unregister(&self, port: u16) -> Result<(), RegistryError> {
            self.0.unregister(port)
        }

        fn watch(&self, name: &str) -> Result<Box<dyn Watch>, RegistryError> {
            self.0.watch(name)
        }
    }

    fn registry(address: SocketAddr) -> RunningRegistry {
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
        let directory = Arc::new(Brisk(client.clone().timeout(Duration::from_secs(1))));
        let offer = Offer::new(["notes"], 4_000).expect("a good offer");
        let kept = Registration::keep(Entry {
            directory,
            offer: move || offer.clone(),
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
