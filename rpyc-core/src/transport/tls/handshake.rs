//! The handshake: within a limit, and with a reason when it fails.

use std::io;
use std::time::{Duration, Instant};

use super::stream::Received;
use super::{TlsError, TlsStream};
use crate::transport::Stream;

impl TlsStream {
    /// Makes the session. Where there is none, the peer is told why, too.
    pub(super) fn handshake(&self, limit: Option<Duration>) -> Result<(), TlsError> {
        let clock = Clock {
            limit,
            began: Instant::now(),
        };
        let mut received = std::mem::take(&mut *self.received.lock());
        let outcome = self.shake_hands(&mut received, &clock);
        match outcome {
            Ok(()) => {
                *self.received.lock() = received;
                self.set_read_timeout(None).map_err(TlsError::Io)
            }
            Err(error) => {
                self.refuse(&mut received, &error);
                Err(error)
            }
        }
    }

    fn shake_hands(&self, received: &mut Received, clock: &Clock) -> Result<(), TlsError> {
        let mut first = true;
        loop {
            self.send_records(|records| self.write_within(records, clock))
                .map_err(|error| clock.judge(error))?;
            if !self.session.lock().is_handshaking() {
                return Ok(());
            }
            let left = clock.left()?;
            self.set_read_timeout(left).map_err(TlsError::Io)?;
            match received.receive(&*self.inner) {
                Ok(0) => return Err(TlsError::Ended),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(clock.judge(error)),
            }
            if first && let Some(what) = not_tls(received.bytes()) {
                return Err(TlsError::NotTls(what));
            }
            first = false;
            received.feed_handshake(&mut self.session.lock())?;
        }
    }

    fn write_within(&self, records: &[u8], clock: &Clock) -> io::Result<usize> {
        let left = clock.left().map_err(|_| io::ErrorKind::TimedOut)?;
        let limit = left.unwrap_or(Duration::MAX);
        match self.inner.try_write(records, limit) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.inner.write_vectored(&[io::IoSlice::new(records)])
            }
            sent => sent,
        }
    }

    /// Tells the peer why it is refused, if it speaks TLS.
    fn refuse(&self, received: &mut Received, error: &TlsError) {
        let understands = matches!(
            error,
            TlsError::Certificate(_) | TlsError::NoCertificate | TlsError::Session(_)
        );
        if understands {
            let clock = Clock {
                limit: Some(LINGER),
                began: Instant::now(),
            };
            let told = self.send_records(|records| self.write_within(records, &clock));
            // Where a socket is closed with unread bytes in it, the system resets the connection, and the
            // peer may lose what was sent last. So what the peer still sends is read until it ends the stream.
            let mut budget = LINGER_BYTES;
            while told.is_ok()
                && budget > 0
                && let Ok(left) = clock.left()
                && self.set_read_timeout(left).is_ok()
                && let Ok(count @ 1..) = received.receive(&*self.inner)
            {
                budget = budget.saturating_sub(count);
            }
        }
        self.inner.shutdown();
    }
}

/// The limit on the whole handshake.
struct Clock {
    limit: Option<Duration>,
    began: Instant,
}

impl Clock {
    /// How long there is still; None without a limit.
    fn left(&self) -> Result<Option<Duration>, TlsError> {
        let Some(limit) = self.limit else {
            return Ok(None);
        };
        match limit.checked_sub(self.began.elapsed()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(TlsError::TooSlow(limit)),
        }
    }

    fn judge(&self, error: io::Error) -> TlsError {
        let late = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        );
        match self.limit {
            Some(limit) if late => TlsError::TooSlow(limit),
            _ => TlsError::Io(error),
        }
    }
}

/// What a stream with this start is, if it isn't TLS.
fn not_tls(start: &[u8]) -> Option<&'static str> {
    match start {
        // A handshake, or an alert.
        [0x16 | 0x15, ..] | [] => None,
        [b'G', b'E', b'T', b' ', ..] | [b'P' | b'H', b'O' | b'E' | b'T' | b'U', ..] => {
            Some("plain HTTP")
        }
        [b'S', b'S', b'H', b'-', ..] => Some("an SSH greeting"),
        // The length of a small frame.
        [0, ..] => Some("plain RPyC, as a client does that connects without TLS"),
        _ => Some("something else"),
    }
}

/// How long a refused peer may take to read the alert.
const LINGER: Duration = Duration::from_secs(1);
/// How much it may send meanwhile.
const LINGER_BYTES: usize = 256 << 10;
