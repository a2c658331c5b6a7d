//! [`Visitors`]: connections that come to ask one thing, each on a thread of its own, few at a time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::places::{Caps, Holder, Places};
use crate::source::Source;

/// Those that are connected. Clones are the same.
#[derive(Clone)]
pub(crate) struct Visitors(Arc<Mutex<Places<Guest>>>);

struct Guest {
    socket: TcpStream,
    has_asked: bool,
}

impl Guest {
    fn holder(&self) -> Holder {
        if self.has_asked {
            Holder::Spoken
        } else {
            Holder::Silent
        }
    }
}

impl Visitors {
    pub(crate) fn new(caps: Caps) -> Visitors {
        Visitors(Arc::new(Mutex::new(Places::new(caps))))
    }

    /// Lets a connection in for so long, if need be instead of one which has asked nothing for longer;
    /// `None` where there is no room.
    ///
    /// # Errors
    /// What the system says of the socket.
    pub(crate) fn admit(&self, stream: TcpStream, limit: Duration) -> io::Result<Option<Visit>> {
        let source = Source::from(stream.peer_addr()?.ip());
        let guest = Guest {
            socket: stream.try_clone()?,
            has_asked: false,
        };
        let taken = self.0.lock().take(Some(source), guest, Guest::holder);
        let Ok((number, displaced)) = taken else {
            return Ok(None);
        };
        if let Some(displaced) = displaced {
            // It fails when it has ended already.
            let _ = displaced.socket.shutdown(Shutdown::Both);
        }
        Ok(Some(Visit {
            visitors: self.clone(),
            number,
            stream,
            limit,
            deadline: Instant::now() + limit,
        }))
    }
}

/// A connection that is answered. Its reads and writes end with its limit, however often something
/// comes; dropped, its place is free again.
pub(crate) struct Visit {
    visitors: Visitors,
    number: u64,
    stream: TcpStream,
    limit: Duration,
    deadline: Instant,
}

impl Visit {
    /// The question has come whole: it keeps its place.
    pub(crate) fn asked(&self) {
        if let Some(guest) = self.visitors.0.lock().get_mut(self.number) {
            guest.has_asked = true;
        }
    }

    /// The answer is there: it has as long again to be taken, however long it took to be found.
    pub(crate) fn answers(&mut self) {
        self.deadline = Instant::now() + self.limit;
    }

    /// Says that nothing more is going to be sent. Its place is free first: who comes again at once has it.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.leave();
        self.stream.shutdown(Shutdown::Write)
    }

    fn leave(&self) {
        let freed = self.visitors.0.lock().free(self.number);
        drop(freed);
    }

    fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            left if left.is_zero() => Err(self.late()),
            left => Ok(left),
        }
    }

    /// What a socket's time-out means here, whatever the system calls it.
    fn named(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.late(),
            _ => error,
        }
    }

    fn late(&self) -> io::Error {
        let what = format!("it didn't ask, or take its answer, within {:?}", self.limit);
        io::Error::new(io::ErrorKind::TimedOut, what)
    }
}

impl Read for Visit {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(|error| self.named(error))
    }
}

impl Write for Visit {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes).map_err(|error| self.named(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.leave();
    }
}
