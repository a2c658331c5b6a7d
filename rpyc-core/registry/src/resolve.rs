//! [`Resolver`]: names to addresses within a time. The system's own way has no limit, and std none
//! that could be given.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use rpyc_core::executor;

/// Looks names up, each on a thread of its own: one at a time for each name, however many wait for it,
/// and however often somebody has given up.
#[derive(Clone)]
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    lookups: Arc<Mutex<HashMap<String, Arc<Lookup>>>>,
}

type LookUp = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// One that runs, or has ended.
#[derive(Default)]
struct Lookup {
    found: Mutex<Option<Result<Vec<SocketAddr>, Arc<io::Error>>>>,
    ended: Condvar,
}

impl Resolver {
    /// The addresses of a host, with this port.
    ///
    /// # Errors
    /// What the system says; `TimedOut` when it says nothing in time.
    pub(super) fn resolve(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let mut addresses = self.lookup(host)?.wait(deadline)?;
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(addresses)
    }

    fn lookup(&self, host: &str) -> io::Result<Arc<Lookup>> {
        let mut lookups = self.lookups.lock();
        if let Some(running) = lookups.get(host) {
            return Ok(running.clone());
        }
        let lookup = Arc::new(Lookup::default());
        let (resolver, name, ends) = (self.clone(), host.to_owned(), lookup.clone());
        executor::spawn("resolve", move || {
            let found = (resolver.look_up)(&name).map_err(Arc::new);
            resolver.lookups.lock().remove(&name);
            *ends.found.lock() = Some(found);
            ends.ended.notify_all();
        })?;
        lookups.insert(host.to_owned(), lookup.clone());
        Ok(lookup)
    }
}

impl Lookup {
    fn wait(&self, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        let mut found = self.found.lock();
        self.ended
            .wait_while_until(&mut found, |found| found.is_none(), deadline);
        match &*found {
            None => Err(io::ErrorKind::TimedOut.into()),
            Some(Ok(addresses)) => Ok(addresses.clone()),
            Some(Err(error)) => Err(io::Error::new(error.kind(), error.clone())),
        }
    }
}

impl Default for Resolver {
    fn default() -> Resolver {
        Resolver {
            look_up: Arc::new(|host| (host, 0).to_socket_addrs().map(Iterator::collect)),
            lookups: Arc::default(),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_resolver_that_hangs_is_left_after_the_time_and_asked_once_however_many_wait() {
        let (answer, answered) = mpsc::channel();
        let answered = Mutex::new(answered);
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let resolver = Resolver {
            look_up: Arc::new(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
                answered.lock().recv().expect("an answer")
            }),
            lookups: Arc::default(),
        };
        for _ in 0..3 {
            let late = resolver.resolve("host", 1, Instant::now() + Duration::from_millis(20));
            assert_eq!(late.expect_err("nothing").kind(), io::ErrorKind::TimedOut);
        }
        let generous = Instant::now() + Duration::from_secs(60);
        let addresses = || Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0))]);
        // The one that runs is taken while it surely does.
        let running = resolver.lookup("host").expect("it runs");
        answer.send(addresses()).expect("it waits");
        let found = running.wait(generous).expect("known now");
        assert_eq!(found, addresses().expect("an address"));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        answer.send(addresses()).expect("it will wait");
        let found = resolver.resolve("host", 7, generous).expect("known now");
        assert_eq!(found, [SocketAddr::from(([10, 0, 0, 1], 7))]);
        // What failed isn't kept.
        for _ in 0..2 {
            let failure = io::ErrorKind::NotFound.into();
            answer.send(Err(failure)).expect("it waits");
            let failed = resolver.resolve("host", 7, generous).expect_err("none");
            assert_eq!(failed.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4);
        let own = resolver.resolve("::1", 7, Instant::now());
        assert_eq!(
            own.expect("no name"),
            [SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 7))]
        );
    }
}
