//! Waiting for a socket or the order to stop.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Sleeps until the socket is readable, `wake` is, or the time is up. Says whether `wake` is.
pub(super) fn wait(
    socket: Option<&impl AsFd>,
    wake: &impl AsFd,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let mut watched = vec![PollFd::new(wake, PollFlags::IN)];
    watched.extend(socket.map(|socket| PollFd::new(socket, PollFlags::IN)));
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) => Ok(watched
            .first()
            .is_some_and(|wake| !wake.revents().is_empty())),
        Err(Errno::INTR | Errno::NOMEM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
