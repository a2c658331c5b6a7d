//! Question and answer over UDP and TCP, each within its time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::error::RegistryError;
use super::message::{AnswerError, ServerAddress};
use super::resolve::Resolver;

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Tcp,
    Udp,
}

/// Who is asked, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) resolver: Resolver,
    pub(super) source: Option<IpAddr>,
    pub(super) timeout: Duration,
}

/// What is asked, and how an answer is read.
pub(super) struct Question<'a, T> {
    pub(super) bytes: &'a [u8],
    pub(super) max_answer: usize,
    pub(super) read: &'a dyn Fn(&[u8]) -> Result<T, AnswerError>,
    /// Whether an answer is what was hoped for, so that another registry's wouldn't be better.
    pub(super) is_enough: &'a dyn Fn(&T) -> bool,
}

impl Target {
    /// Host and port, for errors.
    pub(super) fn label(&self) -> String {
        ServerAddress::new(&*self.host, self.port).to_string()
    }

    pub(super) fn ask<T>(&self, question: &Question<'_, T>) -> Result<T, RegistryError> {
        let began = Instant::now();
        let resolved = self
            .resolver
            .resolve(&self.host, self.port, began + self.timeout);
        let mut addresses =
            resolved.map_err(|error| self.failed_or_late("resolving its name", error))?;
        if let Some(source) = self.source {
            addresses.retain(|address| address.is_ipv4() == source.is_ipv4());
        }
        let mut last = self.failed(
            "no address of its name can be asked from here",
            io::ErrorKind::AddrNotAvailable.into(),
        );
        for address in addresses {
            let answer = match self.kind {
                Kind::Tcp => self.ask_over_tcp(address, question, began + self.timeout),
                Kind::Udp => self.ask_over_udp(address, question, began),
            };
            match answer {
                // The next address may work where this one is out of reach.
                Err(error @ RegistryError::Io { .. }) => last = error,
                settled => return settled,
            }
        }
        Err(last)
    }

    fn ask_over_tcp<T>(
        &self,
        address: SocketAddr,
        question: &Question<'_, T>,
        deadline: Instant,
    ) -> Result<T, RegistryError> {
        let mut stream = self
            .connect(address, deadline)
            .map_err(|error| self.failed_or_late("connecting", error))?;
        let mut talk = || {
            stream.set_write_timeout(Some(left(deadline)?))?;
            stream.write_all(question.bytes)?;
            stream.shutdown(Shutdown::Write)?;
            read_to_end(&mut stream, question.max_answer, deadline)
        };
        let answer =
            talk().map_err(|error| self.failed_or_late("waiting for its answer", error))?;
        self.judge((question.read)(&answer))
    }

    fn connect(&self, address: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect_timeout(&address.into(), left(deadline)?)?;
        Ok(socket.into())
    }

    fn ask_over_udp<T>(
        &self,
        address: SocketAddr,
        question: &Question<'_, T>,
        began: Instant,
    ) -> Result<T, RegistryError> {
        let broadcast = is_broadcast(address.ip());
        let socket = self
            .open_udp(address, broadcast)
            .map_err(|error| self.failed("opening a socket", error))?;
        let mut attempts = 0;
        let mut fallback = None;
        let mut give_up = began + self.timeout;
        let mut buffer = vec![0; question.max_answer];
        loop {
            let now = Instant::now();
            if give_up <= now {
                return fallback.unwrap_or_else(|| Err(self.no_answer()));
            }
            // A datagram gets lost: the question is asked again at a third of the time, and at
            // another.
            let asked_again = began + self.timeout * attempts / ATTEMPTS;
            if attempts < ATTEMPTS && asked_again <= now {
                attempts += 1;
                send(&socket, question.bytes, address, broadcast)
                    .map_err(|error| self.failed("sending", error))?;
                continue;
            }
            let wait = if attempts < ATTEMPTS {
                give_up.min(asked_again)
            } else {
                give_up
            };
            let received = receive(&socket, &mut buffer, wait - now);
            let received = received.map_err(|error| self.failed("receiving", error))?;
            let Some((answer, from)) = received else {
                continue;
            };
            if !broadcast {
                return self.judge((question.read)(answer));
            }
            // Anybody may send anything to the port of a socket that isn't connected.
            if from.port() != self.port {
                continue;
            }
            match (question.read)(answer) {
                Ok(answer) if (question.is_enough)(&answer) => return Ok(answer),
                other => {
                    give_up = give_up.min(now + OTHERS);
                    fallback.get_or_insert_with(|| self.judge(other));
                }
            }
        }
    }

    fn open_udp(&self, address: SocketAddr, broadcast: bool) -> io::Result<UdpSocket> {
        let any = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((self.source.unwrap_or(any), 0))?;
        match broadcast {
            true => socket.set_broadcast(true)?,
            // From here on only its answers are received, and "nobody listens there" is an error.
            false => socket.connect(address)?,
        }
        Ok(socket)
    }

    fn judge<T>(&self, answer: Result<T, AnswerError>) -> Result<T, RegistryError> {
        answer.map_err(|source| RegistryError::Answer {
            registry: self.label(),
            source,
        })
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> RegistryError {
        RegistryError::io(&self.label(), doing, error)
    }

    fn failed_or_late(&self, doing: &'static str, error: io::Error) -> RegistryError {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.no_answer(),
            _ => self.failed(doing, error),
        }
    }

    fn no_answer(&self) -> RegistryError {
        RegistryError::NoAnswer {
            registry: self.label(),
            after: self.timeout,
        }
    }
}

/// Whether several may answer: as in Python's rpyc, where any part of the address is 255.
fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets().contains(&255))
}

fn send(socket: &UdpSocket, bytes: &[u8], address: SocketAddr, broadcast: bool) -> io::Result<()> {
    match broadcast {
        true => socket.send_to(bytes, address)?,
        false => socket.send(bytes)?,
    };
    Ok(())
}

/// A datagram; `None` when none comes in this time.
fn receive<'b>(
    socket: &UdpSocket,
    buffer: &'b mut [u8],
    limit: Duration,
) -> io::Result<Option<(&'b [u8], SocketAddr)>> {
    socket.set_read_timeout(Some(limit.max(SHORTEST)))?;
    match socket.recv_from(buffer) {
        Ok((length, from)) => Ok(Some((buffer.get(..length).unwrap_or(&[]), from))),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// What the other side sends until it ends the stream, up to `max` bytes.
fn read_to_end(stream: &mut TcpStream, max: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; max];
    let mut length = 0;
    while let Some(free) = answer.get_mut(length..).filter(|free| !free.is_empty()) {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(free) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    answer.truncate(length);
    Ok(answer)
}

/// The time until the deadline.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// How many times a question is sent over UDP.
const ATTEMPTS: u32 = 3;
/// How long other registries may take once one has answered that it doesn't know.
const OTHERS: Duration = Duration::from_millis(250);
/// A time-out of zero would be none.
const SHORTEST: Duration = Duration::from_micros(1);
