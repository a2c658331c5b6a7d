//! What is sent and read over a stream before RPyC begins, within the time that connecting may take.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{CloseReason, Error, Timeout};
use crate::sync::left;
use crate::transport::Stream;

/// See [`Connector::prelude`](super::Connector::prelude).
pub(super) type Prelude = Arc<dyn Fn(&dyn Stream) -> io::Result<()> + Send + Sync>;

/// Runs it; the stream has no read timeout afterwards.
pub(super) fn run(
    prelude: &Prelude,
    stream: &dyn Stream,
    limit: Option<Duration>,
    began: Instant,
) -> Result<(), Error> {
    let within = Within {
        stream,
        end: limit.and_then(|limit| began.checked_add(limit)),
    };
    let outcome = prelude(&within).and_then(|()| stream.set_read_timeout(None));
    outcome.map_err(|error| match (error.kind(), limit) {
        (io::ErrorKind::TimedOut, Some(limit)) => {
            Timeout::new(format!("{DOING} with {}", stream.peer_label()), limit).into()
        }
        (io::ErrorKind::UnexpectedEof, _) => Error::Closed(CloseReason::Eof),
        _ => super::io_error(DOING)(error),
    })
}

/// A stream whose reads end when the time is over, also if a byte comes now and then.
struct Within<'a> {
    stream: &'a dyn Stream,
    end: Option<Instant>,
}

impl Stream for Within<'_> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(end) = self.end {
                let left = left(end);
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                self.stream.set_read_timeout(Some(left))?;
            }
            match self.stream.read(buffer) {
                // The time may be over, or only a part of a TLS record has come.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    }

    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read_ready(buffer)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(end) = self.end else {
            return self.stream.write_vectored(slices);
        };
        let first = slices.iter().find(|slice| !slice.is_empty());
        let first: &[u8] = first.map_or(&[], |slice| slice);
        self.stream
            .try_write(first, left(end))
            .or_else(|error| match error.kind() {
                io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
                io::ErrorKind::Unsupported => self.stream.write_vectored(slices),
                _ => Err(error),
            })
    }

    fn shutdown(&self) {
        self.stream.shutdown();
    }

    fn inner(&self) -> Option<&dyn Stream> {
        Some(self.stream)
    }
}

const DOING: &str = "the exchange before RPyC";
