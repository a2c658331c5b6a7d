//! [`TlsStream`]: a TLS session that one thread reads from while another one writes to it.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::Connection as Session;

use super::TlsError;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, left};
use crate::transport::{Stream, WriteBudget};

/// A stream within a TLS session over another stream.
///
/// The end of the stream below counts as the end of this one, with or without a `close_notify`:
/// Python's rpyc never sends one, and frames say themselves where they end.
pub struct TlsStream {
    pub(super) inner: Box<dyn Stream>,
    pub(super) session: Mutex<Session>,
    /// What the reader has received. It takes this out while it reads.
    pub(super) received: Mutex<Received>,
    // The writer takes it out while it writes. Where it isn't put back, nothing can be sent any more.
    outgoing: Mutex<Option<Outgoing>>,
    write_timeout: Mutex<Option<Duration>>,
    // The reader's side has records to be sent.
    unsent: AtomicBool,
    // Some of what has been received may not have been opened: it came with the end of the handshake, or
    // the reader's buffer was full.
    unopened: AtomicBool,
}

impl TlsStream {
    pub(super) fn new(inner: Box<dyn Stream>, mut session: Session) -> TlsStream {
        // `seal` bounds it: it passes on so many bytes at a time.
        session.set_buffer_limit(None);
        TlsStream {
            inner,
            session: Mutex::new(session),
            received: Mutex::default(),
            outgoing: Mutex::new(Some(Outgoing::default())),
            write_timeout: Mutex::new(None),
            unsent: AtomicBool::new(false),
            unopened: AtomicBool::new(true),
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

    /// Decrypts what has been received into `buffer`. None when no record is complete.
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

    /// Decrypts what has been received; if that is nothing, calls `receive` once and tries again.
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
        // Once: the caller decides for how long it goes on where a peer sends a byte now and then.
        if received.receive_with(|space| receive(&*self.inner, space))? == 0 {
            return Ok(0);
        }
        let opened = self.open(received, buffer).map_err(invalid)?;
        opened.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// Encrypts some of the bytes. The records wait in `outgoing`, in their order.
    fn seal(&self, slices: &[IoSlice<'_>], outgoing: &mut Outgoing) -> io::Result<()> {
        let mut session = self.session.lock();
        self.unsent.store(false, Ordering::SeqCst);
        let mut left = MAX_SEALED;
        let mut some = Vec::with_capacity(slices.len());
        for slice in slices {
            let part = slice.get(..left).unwrap_or(slice);
            left -= part.len();
            some.push(IoSlice::new(part));
        }
        outgoing.sealed = session.writer().write_vectored(&some)?;
        outgoing.take_records(&mut session)
    }

    /// Runs `act`, which sends, unless the stream has ended.
    fn send<T>(&self, act: impl FnOnce(&mut Outgoing) -> io::Result<T>) -> io::Result<T> {
        let mut outgoing = self
            .outgoing
            .lock()
            .take()
            .ok_or(io::ErrorKind::BrokenPipe)?;
        let outcome = act(&mut outgoing);
        let goes_on = match &outcome {
            Ok(_) => true,
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported
            ),
        };
        // After any other failure part of a record may have been sent: no record can follow it.
        if goes_on {
            *self.outgoing.lock() = Some(outgoing);
        }
        outcome
    }

    /// Sends the session's own records (alerts, handshake), with `write`.
    pub(super) fn send_records(
        &self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        self.send(|outgoing| {
            outgoing.take_records(&mut self.session.lock())?;
            self.unsent.store(false, Ordering::SeqCst);
            outgoing.send(&mut write).inspect_err(|_| {
                self.unsent.store(true, Ordering::SeqCst);
            })
        })
    }

    fn write_with(
        &self,
        slices: &[IoSlice<'_>],
        write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.send(|outgoing| {
            // Otherwise the last write has sealed these very bytes and couldn't send them.
            if outgoing.sealed == 0 {
                self.seal(slices, outgoing)?;
            }
            outgoing.send(write)?;
            Ok(std::mem::take(&mut outgoing.sealed))
        })
    }

    /// Writes records to the stream below, within the time that writes may take.
    fn writer(&self) -> impl FnMut(&[u8]) -> io::Result<usize> {
        let mut budget = WriteBudget::new(*self.write_timeout.lock());
        move |records| {
            budget.spend()?;
            self.inner.write_vectored(&[IoSlice::new(records)])
        }
    }
}

/// Records that are being sent.
#[derive(Default)]
struct Outgoing {
    records: Vec<u8>,
    sent: usize,
    // How many bytes of the caller's are in them that no write has returned as written.
    sealed: usize,
}

impl Outgoing {
    fn take_records(&mut self, session: &mut Session) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut self.records)?;
        }
        Ok(())
    }

    /// Sends all of them. After `WouldBlock` the next call goes on from there.
    fn send(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(left) = self
            .records
            .get(self.sent..)
            .filter(|left| !left.is_empty())
        {
            match write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.sent = 0;
        self.records.clear();
        if self.records.capacity() > KEPT {
            self.records = Vec::new();
        }
        Ok(())
    }
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
        self.write_with(slices, self.writer())
    }

    fn try_write(&self, bytes: &[u8], patience: Duration) -> io::Result<usize> {
        let end = Instant::now().checked_add(patience);
        let write = |records: &[u8]| self.inner.try_write(records, end.map_or(patience, left));
        self.write_with(&[IoSlice::new(bytes)], write)
    }

    fn bound_writes(&self, patience: Duration) -> bool {
        *self.write_timeout.lock() = Some(patience);
        self.inner.bound_writes(patience)
    }

    fn one_frame_a_write(&self) -> bool {
        true
    }

    fn has_unsent(&self) -> bool {
        self.unsent.load(Ordering::SeqCst)
    }

    fn flush(&self) -> io::Result<()> {
        self.send_records(self.writer())
    }

    /// Sends `close_notify`, or the alert of a failed session, if no write is under way and it can be sent at
    /// once.
    fn shutdown(&self) {
        // From now on nobody may send.
        let outgoing = self.outgoing.lock().take();
        if let Some(mut last) = outgoing
            && last.records.is_empty()
        {
            let mut session = self.session.lock();
            session.send_close_notify();
            let taken = last.take_records(&mut session);
            drop(session);
            if taken.is_ok() {
                let _ = self.inner.try_write(&last.records, Duration::ZERO);
            }
        }
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

/// Bytes that have been received and not been decrypted.
#[derive(Default)]
pub(super) struct Received {
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    // The session has failed. What was decrypted before that is given out first.
    failed: bool,
}

impl Received {
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.begin..self.end).unwrap_or_default()
    }

    /// Receives once. It is called when all that was received has been opened.
    pub(super) fn receive(&mut self, stream: &dyn Stream) -> io::Result<usize> {
        self.receive_with(|space| stream.read(space))
    }

    fn receive_with(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        // The buffer grows when it was filled and shrinks when it wasn't: idle sessions hold little memory.
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
                // A close_notify. What follows it is ignored.
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
                // What came before the error is given out first. The session returns the error again.
                self.failed = true;
                return if count > 0 {
                    Ok(some(count))
                } else {
                    Err(error)
                };
            }
        }
    }

    /// Gives the session some of the received bytes.
    fn feed(&mut self, session: &mut Session) -> Result<(), TlsError> {
        let mut bytes = self.bytes();
        self.begin += session.read_tls(&mut bytes).map_err(TlsError::Io)?;
        session.process_new_packets()?;
        Ok(())
    }

    /// Gives the session the received bytes up to the end of its handshake.
    pub(super) fn feed_handshake(&mut self, session: &mut Session) -> Result<(), TlsError> {
        while !self.bytes().is_empty() && session.is_handshaking() {
            self.feed(session)?;
        }
        Ok(())
    }
}

/// How many bytes were decrypted; none where more must be received first.
struct Opened {
    count: Option<usize>,
    /// Whether all that was received has been decrypted.
    all: bool,
}

/// How many bytes are encrypted at a time: whole records of 16 KiB, and few of them, so that progress shows soon.
const MAX_SEALED: usize = 128 << 10;
/// The largest buffer that is kept for the next write.
const KEPT: usize = 192 << 10;
/// The receive buffer of an idle session.
const SMALL: usize = 4 << 10;
/// The receive buffer of a busy session.
const LARGE: usize = 64 << 10;
