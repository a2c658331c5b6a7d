//! What clients come over: [`RawStream`], a socket as it was accepted, or a stream that is there already.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::transport::Stream;
use socket2::SockRef;

/// A client's socket, as it was accepted: nothing has been read from it or written to it.
#[derive(Debug)]
#[non_exhaustive]
pub enum RawStream {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl RawStream {
    /// A second handle of the same socket.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn try_clone(&self) -> io::Result<RawStream> {
        match self {
            RawStream::Tcp(stream) => stream.try_clone().map(RawStream::Tcp),
            RawStream::Unix(stream) => stream.try_clone().map(RawStream::Unix),
        }
    }

    /// Ends both directions, for all handles of the socket.
    pub fn shutdown(&self) {
        // It fails when it has ended already.
        let _ = SockRef::from(self).shutdown(Shutdown::Both);
    }

    /// Bounds each single read and write; `None` lets them block.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_timeouts(&self, timeout: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self);
        socket.set_read_timeout(timeout)?;
        socket.set_write_timeout(timeout)
    }

    /// The stream that a connection runs over when nothing is put between.
    pub fn into_stream(self) -> Arc<dyn Stream> {
        match self {
            RawStream::Tcp(stream) => Arc::new(stream),
            RawStream::Unix(stream) => Arc::new(stream),
        }
    }

    /// The same, and the socket for somebody who watches it.
    pub(super) fn into_shared(self) -> (Arc<dyn Stream>, Socket) {
        match self {
            RawStream::Tcp(stream) => {
                let stream = Arc::new(stream);
                (stream.clone(), stream)
            }
            RawStream::Unix(stream) => {
                let stream = Arc::new(stream);
                (stream.clone(), stream)
            }
        }
    }

    /// The connection of a descriptor.
    pub(crate) fn from_fd(descriptor: OwnedFd) -> io::Result<RawStream> {
        let is_unix = SockRef::from(&descriptor).local_addr()?.is_unix();
        Ok(match is_unix {
            true => UnixStream::from(descriptor).into(),
            false => TcpStream::from(descriptor).into(),
        })
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        SockRef::from(self).set_nonblocking(nonblocking)
    }
}

/// What a client comes over.
pub(super) enum Incoming {
    /// A socket, to be authenticated where that is asked for.
    Raw(RawStream),
    /// A stream whose other end started this process, and needs no authentication.
    Given(Arc<dyn Stream>),
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incoming::Raw(stream) => stream.fmt(f),
            Incoming::Given(_) => f.write_str("Given"),
        }
    }
}

/// A client's socket, to be watched: the one that its connection has, where nothing is between.
pub(super) type Socket = Arc<dyn AsFd + Send + Sync>;

impl Read for &RawStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            RawStream::Tcp(stream) => Read::read(&mut &*stream, buffer),
            RawStream::Unix(stream) => Read::read(&mut &*stream, buffer),
        }
    }
}

impl Write for &RawStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            RawStream::Tcp(stream) => Write::write(&mut &*stream, buffer),
            RawStream::Unix(stream) => Write::write(&mut &*stream, buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for RawStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for RawStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for RawStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            RawStream::Tcp(stream) => stream.as_fd(),
            RawStream::Unix(stream) => stream.as_fd(),
        }
    }
}

impl From<RawStream> for OwnedFd {
    fn from(stream: RawStream) -> OwnedFd {
        match stream {
            RawStream::Tcp(stream) => stream.into(),
            RawStream::Unix(stream) => stream.into(),
        }
    }
}

impl From<TcpStream> for RawStream {
    fn from(stream: TcpStream) -> RawStream {
        RawStream::Tcp(stream)
    }
}

impl From<UnixStream> for RawStream {
    fn from(stream: UnixStream) -> RawStream {
        RawStream::Unix(stream)
    }
}
