//! A stream of a test's own.

use std::fmt;
use std::io::{self, IoSlice};
use std::time::Duration;

use rpyc_core::transport::{MemoryStream, Stream};

/// A stream with nothing but what every stream has, and what a test does within it.
pub(crate) struct Simple {
    stream: MemoryStream,
    before_write: Hook,
    before_shutdown: Hook,
}

type Hook = Box<dyn Fn() + Send + Sync>;

impl Simple {
    pub(crate) fn new(stream: MemoryStream) -> Simple {
        Simple {
            stream,
            before_write: Box::new(|| ()),
            before_shutdown: Box::new(|| ()),
        }
    }

    pub(crate) fn before_write(self, hook: impl Fn() + Send + Sync + 'static) -> Simple {
        let before_write = Box::new(hook);
        Simple {
            before_write,
            ..self
        }
    }

    pub(crate) fn before_shutdown(self, hook: impl Fn() + Send + Sync + 'static) -> Simple {
        let before_shutdown = Box::new(hook);
        Simple {
            before_shutdown,
            ..self
        }
    }
}

impl Stream for Simple {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read_ready(buffer)
    }
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (self.before_write)();
        self.stream.write_vectored(slices)
    }
    fn shutdown(&self) {
        (self.before_shutdown)();
        self.stream.shutdown();
    }
}

impl fmt::Debug for Simple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Simple")
    }
}
