//! A stream whose bytes are counted.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rpyc_core::transport::Stream;

pub(super) struct Counted {
    stream: Arc<dyn Stream>,
    received: Counter,
    sent: Counter,
}

impl Counted {
    pub(super) fn new(stream: Arc<dyn Stream>, received: Counter, sent: Counter) -> Counted {
        Counted {
            stream,
            received,
            sent,
        }
    }
}

impl Stream for Counted {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.received.inc_by(count as u64);
        Ok(count)
    }

    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read_ready(buffer)?;
        self.received.inc_by(count as u64);
        Ok(count)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.stream.write_vectored(slices)?;
        self.sent.inc_by(count as u64);
        Ok(count)
    }

    fn try_write(&self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let count = self.stream.try_write(bytes, patience)?;
        self.sent.inc_by(count as u64);
        Ok(count)
    }

    fn shutdown(&self) {
        self.stream.shutdown();
    }

    fn inner(&self) -> Option<&dyn Stream> {
        Some(&*self.stream)
    }
}
