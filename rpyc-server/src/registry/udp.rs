//! A registry on a UDP socket.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use log::debug;
use rpyc_core::registry::message::MAX_DATAGRAM;

use super::answers::Answers;
use super::datagrams::Datagrams;
use super::waiting::wait;
use super::{TARGET, Transport};
use crate::log_limiter;

/// Answers until `wake` is readable.
///
/// # Errors
/// When nothing can be waited for any more. A datagram is never the cause.
pub(super) fn run(socket: &UdpSocket, wake: &impl AsFd, answers: &mut Answers) -> io::Result<()> {
    // One more, which tells a longer datagram from one that fits.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    let mut datagrams = Datagrams::new(socket);
    loop {
        log_limiter::write(TARGET, answers.take_lines());
        if wait(Some(socket), wake, Some(PRUNE))? {
            log_limiter::write(TARGET, answers.last_lines());
            return Ok(());
        }
        let now = Instant::now();
        match datagrams.receive(&mut buffer) {
            Ok((length, source, place)) => {
                let ip = source.ip();
                if !answers.hears(ip, now) {
                    continue;
                }
                let bytes = buffer.get(..length).unwrap_or(&[]);
                if let Some(answer) = answers.answer(bytes, ip, Transport::Udp, now)
                    && let Err(error) = datagrams.answer(&answer, source, place)
                {
                    debug!("{source}: the answer can't be sent: {error}");
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => answers.prune(now),
                _ => {
                    answers.lacks(&format!("can't receive for a moment: {error}"), now);
                    log_limiter::write(TARGET, answers.take_lines());
                    if wait(None::<&UdpSocket>, wake, Some(PAUSE))? {
                        return Ok(());
                    }
                }
            },
        }
    }
}

/// How often somebody looks for servers that have been silent for too long.
const PRUNE: Duration = Duration::from_secs(1);
/// A pause when something is short.
const PAUSE: Duration = Duration::from_millis(100);
