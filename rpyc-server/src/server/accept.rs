//! The accept loop: hands clients over, never waits for one.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use log::{info, warn};
use rpyc_core::channel::PeerAddr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Listener, RawStream};

/// What the loop does for the rest of the server.
pub(super) trait Arrivals {
    /// A client has come. Must return at once; a break ends the accepting.
    fn arrived(&mut self, stream: RawStream, peer: PeerAddr) -> ControlFlow<()>;

    /// Does what is due by now; says when it wants to be called again.
    fn tick(&mut self) -> Option<Duration>;
}

/// Accepts clients until `stopping` is set, or no more are wanted. What is written to the other end
/// of `wake` has it look.
///
/// # Errors
/// When a listening socket itself is broken.
pub(super) fn run(
    listeners: &[Listener],
    wake: &impl AsFd,
    stopping: &AtomicBool,
    arrivals: &mut dyn Arrivals,
) -> io::Result<()> {
    let mut shortage = Backoff::default();
    loop {
        let (ready, woken) = wait(listeners, wake, arrivals.tick())?;
        if woken {
            // Before the look at `stopping`: this may be its byte.
            rustix::io::read(wake, &mut [0; 64])?;
        }
        if stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        for listener in ready {
            match listener.accept() {
                Ok((stream, peer)) => {
                    if shortage.is_over() {
                        info!("accepting clients again");
                    }
                    if arrivals.arrived(stream, peer).is_break() {
                        return Ok(());
                    }
                }
                Err(error) => match judge(&error) {
                    Verdict::NobodyThere => {}
                    Verdict::Shortage => {
                        if shortage.is_news(Instant::now()) {
                            warn!("can't accept clients for now, trying again: {error}");
                        }
                        // The client stays in the queue, so the listener would be readable
                        // all the time.
                        wait(&[], wake, Some(shortage.next()))?;
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
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let mut watched = vec![PollFd::new(wake, PollFlags::IN)];
    let of_listener = |listener| PollFd::new(listener, PollFlags::IN);
    watched.extend(listeners.iter().map(of_listener));
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) => {
            let ready = |(_, fd): &(_, &PollFd<'_>)| !fd.revents().is_empty();
            let pairs = listeners.iter().zip(&watched[1..]);
            let ready = pairs.filter(ready).map(|(listener, _)| listener).collect();
            Ok((ready, !watched[0].revents().is_empty()))
        }
        Err(Errno::INTR | Errno::NOMEM) => Ok((Vec::new(), false)),
        Err(error) => Err(error.into()),
    }
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

/// Growing pauses while something is short, and what is said of it: in the midst of a crowd a
/// descriptor is free now and then, which is no end of the shortage.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
    // When it was said that there is one, and whether that it is over is still to be said.
    told: Option<Instant>,
    ongoing: bool,
}

impl Backoff {
    /// Whether it is to be said that there is a shortage.
    fn is_news(&mut self, now: Instant) -> bool {
        let recent = |told: Instant| now.saturating_duration_since(told) < QUIET;
        if self.ongoing || self.told.is_some_and(recent) {
            return false;
        }
        self.told = Some(now);
        self.ongoing = true;
        true
    }

    fn next(&mut self) -> Duration {
        let next = self.last.map_or(SHORTEST, |last| (last * 2).min(LONGEST));
        self.last = Some(next);
        next
    }

    /// A client was accepted; says whether it is to be said that the shortage is over.
    fn is_over(&mut self) -> bool {
        self.last = None;
        std::mem::take(&mut self.ongoing)
    }
}

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// For so long a shortage that comes back isn't news.
const QUIET: Duration = Duration::from_secs(30);

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
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), SHORTEST);
        assert_eq!(backoff.next(), SHORTEST * 2);
        for _ in 0..20 {
            backoff.next();
        }
        assert_eq!(backoff.next(), LONGEST);
        backoff.is_over();
        assert_eq!(backoff.next(), SHORTEST);
    }

    #[test]
    fn a_shortage_and_its_end_are_told_once_and_again_only_after_a_while() {
        let mut backoff = Backoff::default();
        let start = Instant::now();
        assert!(!backoff.is_over());
        assert!(backoff.is_news(start));
        assert!(!backoff.is_news(start + QUIET * 2), "it goes on");
        assert!(backoff.is_over());
        assert!(!backoff.is_news(start + QUIET / 2), "it is back at once");
        assert!(!backoff.is_over());
        assert!(backoff.is_news(start + QUIET));
    }
}
