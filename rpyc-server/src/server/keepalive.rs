//! What the system does for a client's socket by itself: above all, to find out whether the
//! client's machine is still there.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use log::debug;
use rpyc_core::transport::PeerAddr;
use socket2::{SockRef, TcpKeepalive};

use super::raw::RawStream;

/// Sets the options of a socket that was just accepted. A machine is asked whether it is there after
/// `keepalive` of silence.
pub(super) fn set_options(
    stream: &RawStream,
    peer: &PeerAddr,
    keepalive: Option<Duration>,
    write_timeout: Option<Duration>,
) {
    let RawStream::Tcp(stream) = stream else {
        return;
    };
    let watched = keepalive.map_or(Ok(()), |after| {
        Probes::after(after).send_over(stream, write_timeout)
    });
    if let Err(error) = stream.set_nodelay(true).and(watched) {
        // The connection works without, only slower.
        debug!("client {peer}: socket options: {error}");
    }
}

/// When a silent client's machine is asked whether it is there.
#[derive(Debug, PartialEq)]
struct Probes {
    after: Duration,
    interval: Duration,
}

impl Probes {
    /// After this long a silence; the system counts whole seconds, up to some nine hours.
    fn after(silence: Duration) -> Probes {
        let begun = u64::from(silence.subsec_nanos() > 0);
        let seconds = silence.as_secs().saturating_add(begun).clamp(1, LONGEST);
        Probes {
            after: Duration::from_secs(seconds),
            interval: Duration::from_secs(seconds.min(INTERVAL)),
        }
    }

    /// After how much silence a machine is taken to be gone.
    fn patience(&self) -> Duration {
        self.after + self.interval * RETRIES
    }

    fn send_over(&self, stream: &TcpStream, write_timeout: Option<Duration>) -> io::Result<()> {
        let probes = TcpKeepalive::new()
            .with_time(self.after)
            .with_interval(self.interval)
            .with_retries(RETRIES);
        let socket = SockRef::from(stream);
        socket.set_tcp_keepalive(&probes)?;
        // No probes are sent while an answer is on its way; it would be sent again for a quarter
        // of an hour. This limit is one on clients that don't read, too, so it must not be the
        // shorter one of the two.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if write_timeout.is_some_and(|limit| limit <= self.patience()) {
            socket.set_tcp_user_timeout(Some(self.patience()))?;
        }
        Ok(())
    }
}

const INTERVAL: u64 = 5;
const RETRIES: u32 = 3;
const LONGEST: u64 = 32_767;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_asked_three_times_in_whole_seconds() {
        for (silence, after, patience) in [(60.0, 60, 75), (1.0, 1, 4), (0.2, 1, 4), (2.5, 3, 12)] {
            let probes = Probes::after(Duration::from_secs_f64(silence));
            assert_eq!(probes.after, Duration::from_secs(after));
            assert_eq!(probes.patience(), Duration::from_secs(patience));
        }
        let longest = Probes::after(Duration::MAX);
        assert_eq!(longest.after, Duration::from_secs(LONGEST));
    }
}
