//! The accept loop: hands clients over, never waits for one.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use log::{info, warn};
use rpyc_core::transport::PeerAddr;
use rustix::io::Errno;

use super::listener::Listener;
use super::raw::RawStream;
use crate::sockets::readable;

/// What the loop does for the rest of the server.
pub(super) trait Arrivals {
    /// A client has come. Must return at once.
    fn arrived(&mut self, stream: RawStream, peer: PeerAddr);

    /// Whether no more clients are wanted.
    fn are_over(&self) -> bool;

    /// Does what is due by now; says when it wants to be called again.
    fn tick(&mut self) -> Option<Duration>;
}

/// Accepts clients until no more are wanted. What is written to the other end of `wake` has it look.
///
/// # Errors
/// When a listening socket itself is broken.
pub(super) fn run(
    listeners: &[Listener],
    wake: &impl AsFd,
    arrivals: &mut dyn Arrivals,
) -> io::Result<()> {
    let mut shortage = Shortage::default();
    loop {
        let due = [arrivals.tick(), shortage.over_in(Instant::now())];
        let (ready, woken) = wait(listeners, wake, due.into_iter().flatten().min())?;
        if shortage.is_over(Instant::now()) {
            info!("accepting clients again");
        }
        if woken {
            // Before it asks: this may be the byte that tells of it.
            rustix::io::read(wake, &mut [0; 64])?;
        }
        if arrivals.are_over() {
            return Ok(());
        }
        for listener in ready {
            match listener.accept() {
                Ok((stream, peer)) => {
                    shortage.accepted();
                    arrivals.arrived(stream, peer);
                }
                Err(error) => match judge(&error) {
                    Verdict::NobodyThere => {}
                    Verdict::Shortage => {
                        if shortage.is_new(Instant::now()) {
                            warn!("can't accept clients for now, trying again: {error}");
                        }
                        // The client stays in the queue, so the listener would be readable
                        // all the time.
                        wait(&[], wake, Some(shortage.pause()))?;
                    }
                    Verdict::Broken => return Err(error),
                },
            }
        }
    }
}

/// Sleeps until there is a client, somebody wakes it, or the time is up. Gives the listeners
/// that clients wait at, and whether it was woken.
fn wait<'a>(
    listeners: &'a [Listener],
    wake: &impl AsFd,
    timeout: Option<Duration>,
) -> io::Result<(Vec<&'a Listener>, bool)> {
    let mut watched = vec![wake.as_fd()];
    watched.extend(listeners.iter().map(AsFd::as_fd));
    let ready = readable(&watched, timeout)?;
    let (woken, ready) = ready.split_first().expect("wake is the first");
    let ready = listeners
        .iter()
        .zip(ready)
        .filter(|(_, is_ready)| **is_ready);
    Ok((ready.map(|(listener, _)| listener).collect(), *woken))
}

#[derive(Debug, PartialEq)]
enum Verdict {
    /// It went away again, or another thread took it.
    NobodyThere,
    /// Something ran out that comes back: descriptors, memory.
    Shortage,
    /// The listening socket can't be used any more.
    Broken,
}

fn judge(error: &io::Error) -> Verdict {
    match Errno::from_io_error(error) {
        Some(Errno::BADF | Errno::FAULT | Errno::INVAL | Errno::NOTSOCK) => Verdict::Broken,
        // EHOSTUNREACH and its kin: Linux passes on what the network said of the client that
        // was about to be accepted.
        Some(
            Errno::AGAIN
            | Errno::CONNABORTED
            | Errno::HOSTUNREACH
            | Errno::INTR
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::PROTO,
        ) => Verdict::NobodyThere,
        // Also what isn't known here: a pause does no harm, a loop without one does.
        _ => Verdict::Shortage,
    }
}

/// Growing pauses while something is short. At the limit each client that goes lets one in, so a
/// shortage that comes back soon is the same one.
#[derive(Debug, Default)]
struct Shortage {
    /// The last pause, until a client could be accepted.
    paused: Option<Duration>,
    /// When accepting failed last.
    failed: Option<Instant>,
}

impl Shortage {
    /// Accepting has failed; says whether that has to be told.
    fn is_new(&mut self, now: Instant) -> bool {
        self.failed.replace(now).is_none()
    }

    fn pause(&mut self) -> Duration {
        let next = self.paused.map_or(SHORTEST, |last| (last * 2).min(LONGEST));
        self.paused = Some(next);
        next
    }

    fn accepted(&mut self) {
        self.paused = None;
    }

    /// How long until it is over, if accepting goes on as it does.
    fn over_in(&self, now: Instant) -> Option<Duration> {
        let failed = self.failed.filter(|_| self.paused.is_none())?;
        Some(CALM.saturating_sub(now.saturating_duration_since(failed)))
    }

    /// Ends it if it is over; says so once.
    fn is_over(&mut self, now: Instant) -> bool {
        let over = self.over_in(now).is_some_and(|left| left.is_zero());
        if over {
            self.failed = None;
        }
        over
    }
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// So long nobody has to have been kept waiting until a shortage is over.
const CALM: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_is_a_shortage_and_a_lost_client_is_nothing() {
        let verdict = |errno: Errno| judge(&errno.into());
        assert_eq!(verdict(Errno::MFILE), Verdict::Shortage);
        assert_eq!(verdict(Errno::NFILE), Verdict::Shortage);
        assert_eq!(verdict(Errno::NOMEM), Verdict::Shortage);
        assert_eq!(verdict(Errno::CONNABORTED), Verdict::NobodyThere);
        assert_eq!(verdict(Errno::AGAIN), Verdict::NobodyThere);
        assert_eq!(verdict(Errno::HOSTUNREACH), Verdict::NobodyThere);
        assert_eq!(verdict(Errno::BADF), Verdict::Broken);
    }

    #[test]
    fn pauses_grow_to_a_second_and_start_anew_after_a_success() {
        let mut shortage = Shortage::default();
        assert_eq!(shortage.pause(), SHORTEST);
        assert_eq!(shortage.pause(), SHORTEST * 2);
        for _ in 0..20 {
            shortage.pause();
        }
        assert_eq!(shortage.pause(), LONGEST);
        shortage.accepted();
        assert_eq!(shortage.pause(), SHORTEST);
    }

    #[test]
    fn a_shortage_is_told_once_however_many_clients_get_in_meanwhile_and_once_that_it_is_over() {
        let mut shortage = Shortage::default();
        let mut now = Instant::now();
        assert!(!shortage.is_over(now));
        assert!(shortage.is_new(now));
        for _ in 0..20 {
            shortage.pause();
            assert_eq!(shortage.over_in(now), None);
            now += CALM / 2;
            shortage.accepted();
            assert_eq!(shortage.over_in(now), Some(CALM / 2));
            assert!(!shortage.is_over(now));
            assert!(!shortage.is_new(now));
        }
        shortage.accepted();
        now += CALM;
        assert!(shortage.is_over(now));
        assert!(!shortage.is_over(now));
        assert_eq!(shortage.over_in(now), None);
        assert!(shortage.is_new(now));
    }
}
