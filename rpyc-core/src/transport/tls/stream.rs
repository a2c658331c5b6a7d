//! [`TlsStream`]: a session, between the thread that reads and the thread that writes.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use rustls::Connection as Session;

use super::TlsError;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::transport::Stream;

/// A stream within a TLS session over another stream.
///
/// The end of the stream below counts as the end of this one, with or without a `close_notify`:
/// Python's rpyc never sends one, and frames say themselves where they end.
pub struct TlsStream {
    pub(super) inner: Box<dyn Stream>,
    pub(super) session: Mutex<Session>,
    /// The reader's; it is taken out while it is used.
    pub(super) received: Mutex<Received>,
    // The writer's buffer.
    sealed: Mutex<Vec<u8>>,
    // The reader's side has records to be sent.
    unsent: AtomicBool,
    // More may be opened without receiving more: what came with the end of the handshake, what the
    // last reader had no room for.
    unopened: AtomicBool,
    // Somebody sends, or nobody may any more.
    sending: AtomicBool,
}

impl TlsStream {
    pub(super) fn new(inner: Box<dyn Stream>, mut session: Session) -> TlsStream {
        // Bounded here, by how much is sealed at a time.
        session.set_buffer_limit(None);
        TlsStream {
            inner,
            session: Mutex::new(session),
            received: Mutex::default(),
            sealed: Mutex::default(),
            unsent: AtomicBool::new(false),
            unopened: AtomicBool::new(true),
            sending: AtomicBool::new(false),
        }
    }

    /// The peer's certificates as DER, its own first; none if it showed none.
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        let session = self.session.lock();
        let certificates = session.peer_certificates().unwrap_or_default();
        certificates.iter().map(|der| der.to_vec()).collect()
    }

    /// The version of TLS that is spoken, as Python's ssl module calls it: `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        match self.session.lock().protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        }
    }

    /// Opens what has been received, into `buffer`. None when that isn't enough for anything.
    pub(super) fn open(
        &self,
        received: &mut Received,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, TlsError> {
        let mut session = self.session.lock();
        let outcome = received.open(&mut session, buffer);
        let unopened = !matches!(outcome, Ok(Opened { all: true, .. }));
        self.unopened.store(unopened, Ordering::SeqCst);
        if session.wants_write() {
            self.unsent.store(true, Ordering::SeqCst);
        }
        outcome.map(|opened| opened.count)
    }

    /// Opens what is there, and else what one call of `receive` brings.
    fn read_with(
        &self,
        buffer: &mut [u8],
        receive: impl FnOnce(&dyn Stream, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut received = std::mem::take(&mut *self.received.lock());
        let outcome = self.read_into(&mut received, buffer, receive);
        *self.received.lock() = received;
        outcome
    }

    fn read_into(
        &self,
        received: &mut Received,
        buffer: &mut [u8],
        receive: impl FnOnce(&dyn Stream, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        if let Some(count) = self.open(received, buffer).map_err(invalid)? {
            return Ok(count);
        }
        // Once: the caller decides how long it waits for a peer that sends a byte now and then.
        if received.receive_with(|space| receive(&*self.inner, space))? == 0 {
            return Ok(0);
        }
        let opened = self.open(received, buffer).map_err(invalid)?;
        opened.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Seals some of the bytes and takes what is to be sent, all in the order of the records.
    fn seal(&self, slices: &[IoSlice<'_>], sealed: &mut Vec<u8>) -> io::Result<usize> {
        let mut session = self.session.lock();
        self.unsent.store(false, Ordering::SeqCst);
        let mut left = MAX_SEALED;
        let mut some = Vec::with_capacity(slices.len());
        for slice in slices {
            let part = slice.get(..left).unwrap_or(slice);
            left -= part.len();
            some.push(IoSlice::new(part));
        }
        let count = session.writer().write_vectored(&some)?;
        take_records(&mut session, sealed)?;
        Ok(count)
    }

    /// Sends with `send`, unless the stream has ended.
    fn send<T>(
        &self,
        seal: impl FnOnce(&mut Vec<u8>) -> io::Result<T>,
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<T> {
        if self.sending.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut sealed = std::mem::take(&mut *self.sealed.lock());
        let outcome = seal(&mut sealed).and_then(|outcome| send(&sealed).map(|()| outcome));
        sealed.clear();
        if sealed.capacity() <= KEPT {
            *self.sealed.lock() = sealed;
        }
        // After a failure a record may be cut in two: nothing more can be sent.
        if outcome.is_ok() {
            self.sending.store(false, Ordering::SeqCst);
        }
        outcome
    }

    /// Sends what the session itself has to say, with `send`.
    pub(super) fn send_records(
        &self,
        send: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let seal = |sealed: &mut Vec<u8>| {
            self.unsent.store(false, Ordering::SeqCst);
            take_records(&mut self.session.lock(), sealed)
        };
        self.send(seal, send)
    }

    fn send_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.inner.write_vectored(&[IoSlice::new(bytes)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn take_records(session: &mut Session, sealed: &mut Vec<u8>) -> io::Result<()> {
    while session.wants_write() {
        session.write_tls(sealed)?;
    }
    Ok(())
}

impl Stream for TlsStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer, |stream, space| stream.read(space))
    }

    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_with(buffer, |stream, space| stream.read_ready(space))
    }

    fn has_buffered(&self) -> bool {
        self.unopened.load(Ordering::SeqCst) || self.inner.has_buffered()
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.inner.set_read_timeout(timeout)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(
            |sealed| self.seal(slices, sealed),
            |sealed| self.send_all(sealed),
        )
    }

    fn one_frame_a_write(&self) -> bool {
        true
    }

    fn has_unsent(&self) -> bool {
        self.unsent.load(Ordering::SeqCst)
    }

    fn flush(&self) -> io::Result<()> {
        self.send_records(|records| self.send_all(records))
    }

    /// Says `close_notify`, or why the session failed, where nobody is in the middle of a write and it can be
    /// done at once.
    fn shutdown(&self) {
        let close = |sealed: &mut Vec<u8>| {
            let mut session = self.session.lock();
            session.send_close_notify();
            take_records(&mut session, sealed)
        };
        let last_words = |records: &[u8]| {
            self.inner.try_write(records, Duration::ZERO)?;
            // Sent or not: from now on nobody may send.
            Err(io::ErrorKind::BrokenPipe.into())
        };
        let _ = self.send(close, last_words);
        self.inner.shutdown();
    }

    fn quick_ack(&self) {
        self.inner.quick_ack();
    }

    fn endpoints(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.inner.endpoints()
    }

    #[cfg(unix)]
    fn raw_fd(&self) -> Option<std::os::fd::RawFd> {
        self.inner.raw_fd()
    }

    fn peer_label(&self) -> String {
        self.inner.peer_label()
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("peer", &self.inner.peer_label())
            .finish_non_exhaustive()
    }
}

/// Bytes that have been received and not been opened.
#[derive(Default)]
pub(super) struct Received {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    // The session failed behind what was opened last.
    failed: bool,
}

impl Received {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.begin..self.end).unwrap_or_default()
    }

    /// Receives once; only when everything has been opened.
    pub(super) fn receive(&mut self, stream: &dyn Stream) -> io::Result<usize> {
        self.receive_with(|space| stream.read(space))
    }

    fn receive_with(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // More when the last time left no room, less when it left much: idle sessions hold little.
        let size = match (self.buffer.len(), self.end) {
            (0, _) => SMALL,
            (size, end) if end == size => (size * 4).min(LARGE),
            (_, end) if end < SMALL => SMALL,
            (size, _) => size,
        };
        if size != self.buffer.len() {
            self.buffer = vec![0; size];
        }
        (self.begin, self.end) = (0, 0);
        self.end = receive(&mut self.buffer)?.min(self.buffer.len());
        Ok(self.end)
    }

    fn open(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<Opened, TlsError> {
        let some = |count| Opened {
            count: Some(count),
            all: false,
        };
        let mut count = 0;
        loop {
            let Some(room) = buffer.get_mut(count..).filter(|room| !room.is_empty()) else {
                return Ok(some(count));
            };
            match session.reader().read(room) {
                // A close_notify; what comes behind it doesn't count.
                Ok(0) => return Ok(some(count)),
                Ok(opened) => {
                    count += opened;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(TlsError::Io(error)),
            }
            if self.bytes().is_empty() && !self.failed {
                return Ok(Opened {
                    count: (count > 0).then_some(count),
                    all: true,
                });
            }
            if let Err(error) = self.feed(session) {
                // What was sent before it is heard first; the session repeats the error.
                self.failed = true;
                return if count > 0 {
                    Ok(some(count))
                } else {
                    Err(error)
                };
            }
        }
    }

    /// Feeds the session some of it.
    fn feed(&mut self, session: &mut Session) -> Result<(), TlsError> {
        let mut bytes = self.bytes();
        self.begin += session.read_tls(&mut bytes).map_err(TlsError::Io)?;
        session.process_new_packets()?;
        Ok(())
    }

    /// Feeds the session all of it, but for what comes behind its handshake.
    pub(super) fn feed_handshake(&mut self, session: &mut Session) -> Result<(), TlsError> {
        while !self.bytes().is_empty() && session.is_handshaking() {
            self.feed(session)?;
        }
        Ok(())
    }
}

/// What was opened: so many bytes, or none where more must be received first.
struct Opened {
    count: Option<usize>,
    /// Nothing that has been received is left.
    all: bool,
}

/// How much is sealed at a time: whole records of 16 KiB, and few of them, so that a write that gets on shows.
const MAX_SEALED: usize = 128 << 10;
/// The largest buffer that is kept for the next write.
const KEPT: usize = 192 << 10;
/// What an idle session receives with.
const SMALL: usize = 4 << 10;
/// What a busy one receives with.
const LARGE: usize = 64 << 10;
