//! [`Registration`]: keeps a server known to a registry.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use log::{debug, info, warn};
use rpyc_registry::message::ServiceName;
use rpyc_registry::{Directory, Offer, RegistryError};

use crate::causes::with_causes;
use crate::threads;

/// A server's entry in a directory: repeated as often as that asks for, removed at the end.
///
/// A directory that doesn't answer is asked again after five seconds at most, and never in the way of
/// the server. Dropping the registration ends it.
#[derive(Debug)]
pub struct Registration {
    /// Dropped, it ends the thread.
    stop: Option<Sender<()>>,
    /// Whether the directory has ever taken the server.
    is_known: Arc<AtomicBool>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
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
        let is_known = Arc::new(AtomicBool::new(false));
        let known = is_known.clone();
        let work = move || entry.keep(&stopped, &known);
        Ok(Registration {
            stop: Some(stop),
            is_known,
            ended: threads::start_watched("rpyc-register", work)?,
        })
    }

    /// Unregisters the server, and waits until that is done: 3 s at most, and a second where the
    /// directory has never taken it. One that hangs for longer forgets the server by itself.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(self.stop.take());
        let is_known = self.is_known.load(Ordering::SeqCst);
        let patience = if is_known { LONGEST_END } else { BRIEFEST_END };
        let ended = self.ended.recv_timeout(patience);
        if is_known && ended == Err(RecvTimeoutError::Timeout) {
            warn!("not unregistered: the registry hasn't answered within {patience:?}");
        }
    }
}

struct Entry<F> {
    directory: Arc<dyn Directory>,
    offer: F,
    retry: Duration,
}

impl<F: Fn() -> Offer> Entry<F> {
    fn keep(&self, stopped: &Receiver<()>, is_known: &AtomicBool) {
        let mut registered = None;
        let mut offer;
        loop {
            offer = (self.offer)();
            let result = self.directory.register(&offer);
            let is_registered = result.is_ok();
            is_known.fetch_or(is_registered, Ordering::SeqCst);
            // Said when it changes: a directory may be away for days.
            if registered != Some(is_registered) {
                tell(&offer, &result);
                registered = Some(is_registered);
            }
            // Servers that a directory has failed together don't ask together again.
            let pause = result.unwrap_or_else(|_| self.retry.mul_f64(1.0 - chance() / 2.0));
            if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        // Also when it isn't known to have worked: an answer may have got lost.
        match self.directory.unregister(offer.port()) {
            Ok(()) if is_known.load(Ordering::SeqCst) => info!("unregistered"),
            Ok(()) => {}
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

/// A number between 0 and 1.
fn chance() -> f64 {
    f64::from(RandomState::new().hash_one(0_u8) as u32) / f64::from(u32::MAX)
}

const RETRY: Duration = Duration::from_secs(5);
/// How long the end waits for a directory that knows the server, and for one that doesn't.
const LONGEST_END: Duration = Duration::from_secs(3);
const BRIEFEST_END: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Mutex;
    use std::time::Instant;

    use rpyc_registry::{RegistryClient, ServerEntry, Watch};

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

    /// A directory that gives no answer until somebody lets it.
    #[derive(Debug)]
    struct Hanging {
        asked: Mutex<Sender<()>>,
        answers: Mutex<Receiver<()>>,
    }

    impl Directory for Hanging {
        fn discover(&self, _: &str) -> Result<Vec<ServerEntry>, RegistryError> {
            Ok(Vec::new())
        }

        fn list(&self, _: Option<&str>) -> Result<Vec<String>, RegistryError> {
            Ok(Vec::new())
        }

        fn register(&self, _: &Offer) -> Result<Duration, RegistryError> {
            self.asked.lock().expect("asked").send(()).expect("a test");
            let answered = self.answers.lock().expect("asked").recv();
            let over = RegistryError::Misuse("the test is over");
            answered.map(|()| Duration::ZERO).map_err(|_| over)
        }

        fn unregister(&self, _: u16) -> Result<(), RegistryError> {
            Ok(())
        }

        fn watch(&self, _: &str) -> Result<Box<dyn Watch>, RegistryError> {
            Err(RegistryError::Misuse("nobody watches"))
        }
    }

    #[test]
    fn a_directory_that_hangs_doesnt_hold_up_the_end() {
        for answers in [0, 1] {
            let (asked, asks) = mpsc::channel();
            let (answer, answered) = mpsc::channel();
            let directory = Hanging {
                asked: Mutex::new(asked),
                answers: Mutex::new(answered),
            };
            let offer = Offer::new(["notes"], 4_000).expect("a good offer");
            let kept = Registration::start(Arc::new(directory), move || offer.clone());
            let kept = kept.expect("a thread");
            for _ in 0..answers {
                asks.recv().expect("it registers");
                answer.send(()).expect("it waits");
            }
            asks.recv().expect("it registers");
            kept.stop();
            drop(answer);
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
