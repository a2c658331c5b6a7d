//! [`Stream`]: what a connection needs of a transport. Sockets are such streams.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;

use crate::sync::Mutex;

/// A two-way stream of bytes that one thread may read while another one writes.
pub trait Stream: Send + Sync {
    /// Reads what there is, at least one byte; 0 means that the peer has ended the stream.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` when the read timeout has passed; else what the system says.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Reads what has come already, and doesn't wait.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has come; else as [`read`](Stream::read).
    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether the stream holds, or may hold, bytes that it has received and not given out: polling the
    /// descriptor doesn't show them. A stream over another stream answers for both.
    fn has_buffered(&self) -> bool {
        self.inner().is_some_and(|inner| inner.has_buffered())
    }

    /// Bounds the reads from now on; `None` lets them block.
    ///
    /// # Errors
    /// What the system says.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Writes some of the bytes, blocking until at least one is written.
    ///
    /// # Errors
    /// `WouldBlock` once [`bound_writes`](Stream::bound_writes) bounds it: the next write brings the same
    /// bytes again. Else what the system says.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes some of the bytes if that can be done within `limit`.
    ///
    /// # Errors
    /// `WouldBlock` when it can't, and the next write brings the same bytes again; `Unsupported` where the
    /// stream can't bound a write; else what the system says.
    fn try_write(&self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
        match self.inner() {
            Some(inner) => inner.try_write(bytes, limit),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// From now on a write or a flush that makes no progress for `limit` fails with `WouldBlock`.
    ///
    /// Returns whether the stream can do that. A stream that can't is written by threads without a deadline
    /// alone, which costs a hand-over to such a thread for each message.
    fn bound_writes(&self, limit: Duration) -> bool {
        self.inner().is_some_and(|inner| inner.bound_writes(limit))
    }

    /// Whether each frame is to be written by a call of its own. TLS streams ask for it: Python's rpyc
    /// polls the socket, and would not notice the second frame of a TLS record.
    fn one_frame_a_write(&self) -> bool {
        self.inner().is_some_and(|inner| inner.one_frame_a_write())
    }

    /// Whether the stream itself has something to send: reading from a TLS stream may lead to an alert.
    fn has_unsent(&self) -> bool {
        self.inner().is_some_and(|inner| inner.has_unsent())
    }

    /// Sends what [`has_unsent`](Stream::has_unsent) tells of, unless a write has sent it already.
    ///
    /// # Errors
    /// `WouldBlock` once [`bound_writes`](Stream::bound_writes) bounds it: there is still something
    /// unsent. Else what the system says.
    fn flush(&self) -> io::Result<()> {
        self.inner().map_or(Ok(()), |inner| inner.flush())
    }

    /// Ends both directions; blocked reads and writes return. Errors are ignored.
    fn shutdown(&self);

    /// Asks the system to acknowledge the next bytes at once (TCP_QUICKACK), where it can.
    fn quick_ack(&self) {
        if let Some(inner) = self.inner() {
            inner.quick_ack();
        }
    }

    /// The addresses of both ends, this side's first, where there are any.
    fn endpoints(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.inner()?.endpoints()
    }

    /// The descriptor that is read, where there is one.
    #[cfg(unix)]
    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        self.inner()?.raw_fd()
    }

    /// What the peer is called in logs.
    fn peer_label(&self) -> String {
        match (self.inner(), self.endpoints()) {
            (Some(inner), _) => inner.peer_label(),
            (None, Some((_, peer))) => peer.to_string(),
            (None, None) => "a local peer".to_owned(),
        }
    }

    /// The stream that this one wraps: what has a default is passed on to it.
    fn inner(&self) -> Option<&dyn Stream> {
        None
    }
}

/// How long a stream of ours reads and writes at the most.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    pub(super) read: Mutex<Option<Duration>>,
    pub(super) write: Mutex<Option<Duration>>,
}

/// The methods of a [`Stream`] that has `timeouts`, `read_within` and `write_within`.
macro_rules! within_timeouts {
    () => {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let timeout = *self.timeouts.read.lock();
            self.read_within(buffer, timeout)
        }

        fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
            self.read_within(buffer, Some(Duration::ZERO))
        }

        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            *self.timeouts.read.lock() = timeout;
            Ok(())
        }

        fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let timeout = *self.timeouts.write.lock();
            self.write_within(slices, timeout)
        }

        fn try_write(&self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
            self.write_within(&[IoSlice::new(bytes)], Some(limit))
        }

        fn bound_writes(&self, limit: Duration) -> bool {
            *self.timeouts.write.lock() = Some(limit);
            true
        }
    };
}
pub(super) use within_timeouts;

macro_rules! socket {
    ($socket:ty { $($own:tt)* }) => {
        impl Stream for $socket {
            fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                let mut stream = self;
                Read::read(&mut stream, buffer)
            }

            fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
                #[cfg(unix)]
                if !is_ready(self, PollFlags::IN, Duration::ZERO)? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                // On other systems the read timeout bounds it, and the caller has set the shortest one.
                Stream::read(self, buffer)
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_read_timeout(self, timeout)
            }

            fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                send(SockRef::from(self), slices)
            }

            #[cfg(unix)]
            fn try_write(&self, bytes: &[u8], limit: Duration) -> io::Result<usize> {
                if !is_ready(self, PollFlags::OUT, limit)? {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let bytes = bytes.get(..SURE_WRITE).unwrap_or(bytes);
                send(SockRef::from(self), &[IoSlice::new(bytes)])
            }

            #[cfg(unix)]
            fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
                Some(std::os::fd::AsRawFd::as_raw_fd(self))
            }

            #[cfg(unix)]
            fn bound_writes(&self, limit: Duration) -> bool {
                self.set_write_timeout(Some(limit)).is_ok()
            }

            fn shutdown(&self) {
                let _ = <$socket>::shutdown(self, Shutdown::Both);
            }

            $($own)*
        }
    };
}

socket!(TcpStream {
    #[cfg(target_os = "linux")]
    fn quick_ack(&self) {
        use std::os::linux::net::TcpStreamExt;
        let _ = self.set_quickack(true);
    }

    fn endpoints(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.local_addr().ok()?, self.peer_addr().ok()?))
    }
});

#[cfg(unix)]
socket!(UnixStream {
    fn peer_label(&self) -> String {
        let path = self.peer_addr().ok();
        let path = path.as_ref().and_then(|address| address.as_pathname());
        match path {
            Some(path) => format!("unix:{}", path.display()),
            None => "a local socket".to_owned(),
        }
    }
});

/// Writes to a socket. A peer that has gone is an error and no SIGPIPE. The signal would end a process whose
/// main function isn't Rust's, which therefore doesn't ignore it.
fn send(socket: SockRef<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        // One slice needs no vector: `send` is a little cheaper.
        [one] => socket.send_with_flags(one, NO_SIGNAL),
        several => socket.send_vectored_with_flags(several, NO_SIGNAL),
    }
}

#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
/// On these systems the standard library sets an option of the socket, or there is no such signal.
#[cfg(any(not(unix), target_vendor = "apple"))]
const NO_SIGNAL: i32 = 0;

/// Whether the socket can be read or written, within the limit.
#[cfg(unix)]
fn is_ready(socket: &impl std::os::fd::AsFd, to: PollFlags, limit: Duration) -> io::Result<bool> {
    let timeout = Timespec::try_from(limit).ok();
    Ok(poll(&mut [PollFd::new(socket, to)], timeout.as_ref())? > 0)
}

/// A socket that is writable takes this much at once. It is less than a packet.
#[cfg(unix)]
const SURE_WRITE: usize = 1024;
