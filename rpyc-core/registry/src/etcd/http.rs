//! One HTTP connection to a member of the cluster: questions and their answers, each within its
//! time and its size.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rpyc_core::transport::{Stream, TlsClient};
use socket2::{SockRef, TcpKeepalive};
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvBodyResult, RecvResponseResult, SendRequestResult};
use ureq_proto::http::Request;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Io(&'static str, io::Error),
    /// The time was over.
    Late,
    /// More than is read of an answer.
    TooLong,
    /// Not what etcd answers.
    Malformed(String),
}

/// A connection, whose last answer has been read to its end.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    /// What has been received and not used.
    received: Vec<u8>,
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    link: Link,
    status: u16,
    /// `None` when there is no body.
    body: Option<Call<RecvBody>>,
    /// Bytes since the last one of the body.
    beside: usize,
    may_reuse: bool,
}

impl Link {
    /// Connects to the first of the host's addresses that can be reached.
    pub(super) fn connect(
        host: &str,
        addresses: &[SocketAddr],
        tls: Option<&TlsClient>,
        deadline: Instant,
    ) -> Result<Link, Trouble> {
        let mut last = Trouble::Io("its name has no address", io::ErrorKind::NotFound.into());
        for (tried, address) in addresses.iter().enumerate() {
            let share = left(deadline)? / u32::try_from(addresses.len() - tried).unwrap_or(1);
            match TcpStream::connect_timeout(address, share) {
                Ok(stream) => return Link::over(stream, host, tls, deadline),
                Err(error) => last = Trouble::Io("connecting", error),
            }
        }
        match last {
            Trouble::Io(_, error) if error.kind() == io::ErrorKind::TimedOut => Err(Trouble::Late),
            last => Err(last),
        }
    }

    fn over(
        stream: TcpStream,
        host: &str,
        tls: Option<&TlsClient>,
        deadline: Instant,
    ) -> Result<Link, Trouble> {
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keepalive()));
        prepared.map_err(|error| Trouble::Io("setting up the connection", error))?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(stream),
            Some(tls) => {
                let secured = tls.connect(stream, host, Some(left(deadline)?));
                let failed = |error| Trouble::Io("TLS", io::Error::other(error));
                Box::new(secured.map_err(failed)?)
            }
        };
        Ok(Link {
            stream,
            received: Vec::new(),
        })
    }

    /// Asks, and reads the head of the answer.
    pub(super) fn post(
        self,
        url: &str,
        token: Option<&str>,
        body: &[u8],
        deadline: Instant,
    ) -> Result<Answer, Trouble> {
        let mut request = Request::post(url)
            .header("content-type", "application/json")
            .header("content-length", body.len())
            // A watch at a member that has lost the others would be silent for ever.
            .header("grpc-metadata-hasleader", "true");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let request = request.body(()).map_err(unsayable)?;
        let call = Call::new(request).map_err(unsayable)?;
        let mut call = call.proceed();
        let mut bytes = vec![0; MAX_HEAD];
        let head = call.write(&mut bytes).map_err(unsayable)?;
        let Ok(Some(SendRequestResult::SendBody(mut call))) = call.proceed() else {
            return Err(unsayable("the question doesn't fit"));
        };
        bytes.truncate(head);
        bytes.extend_from_slice(body);
        let counted = call.consume_direct_write(body.len());
        counted.map_err(unsayable)?;
        let call = call.proceed().ok_or_else(|| unsayable("no end"))?;
        self.write(&bytes, deadline)?;
        self.read_head(call, deadline)
    }

    fn write(&self, mut bytes: &[u8], deadline: Instant) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            self.stream.bound_writes(left(deadline)?);
            match self.stream.write_vectored(&[IoSlice::new(bytes)]) {
                Ok(0) => return Err(ended()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or(&[]),
                Err(error) => is_over(error, "asking")?,
            }
        }
        loop {
            match self.stream.flush() {
                Ok(()) => return Ok(()),
                Err(error) => is_over(error, "asking")?,
            }
            left(deadline)?;
        }
    }

    fn read_head(mut self, mut call: Call<RecvResponse>, end: Instant) -> Result<Answer, Trouble> {
        let mut before = 0;
        let response = loop {
            let (used, response) = call
                .try_response(&self.received, false)
                .map_err(|error| Trouble::Malformed(error.to_string()))?;
            self.received.drain(..used);
            if let Some(response) = response {
                break response;
            }
            // One that goes on, as often as somebody likes, is to be continued as often.
            before += used;
            if before + self.received.len() > MAX_HEAD {
                return Err(Trouble::TooLong);
            }
            if used == 0 && !self.receive(end)? {
                return Err(ended());
            }
        };
        let (body, may_reuse) = match call.proceed() {
            Some(RecvResponseResult::RecvBody(body)) => (Some(body), true),
            Some(RecvResponseResult::Cleanup(done)) => (None, !done.must_close_connection()),
            // Nobody is followed anywhere.
            _ => return Err(Trouble::Malformed("a redirection".to_owned())),
        };
        Ok(Answer {
            link: self,
            status: response.status().as_u16(),
            body,
            beside: 0,
            may_reuse,
        })
    }

    /// Receives more. False at the end of the stream.
    fn receive(&mut self, deadline: Instant) -> Result<bool, Trouble> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let set = self.stream.set_read_timeout(Some(left(deadline)?));
            set.map_err(|error| Trouble::Io("waiting for its answer", error))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    let new = buffer.get(..length).unwrap_or(&[]);
                    self.received.extend_from_slice(new);
                    return Ok(true);
                }
                Err(error) => is_over(error, "waiting for its answer")?,
            }
        }
    }
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Reads the body to its end. Gives the connection, too, if it is good for another question.
    pub(super) fn read_to_end(
        mut self,
        max: usize,
        deadline: Instant,
    ) -> Result<(Vec<u8>, Option<Link>), Trouble> {
        let mut bytes = Vec::new();
        while self.read_some(&mut bytes, deadline)? {
            if bytes.len() > max {
                return Err(Trouble::TooLong);
            }
        }
        let may_reuse = match self.body.and_then(Call::<RecvBody>::proceed) {
            Some(RecvBodyResult::Cleanup(done)) => !done.must_close_connection(),
            Some(_) => false,
            None => self.may_reuse,
        };
        // What nobody has asked for is no answer to the next question.
        let may_reuse = may_reuse && self.link.received.is_empty();
        Ok((bytes, may_reuse.then_some(self.link)))
    }

    /// Appends some of the body. False at its end. When the time is over, nothing is lost: the next
    /// call goes on.
    pub(super) fn read_some(
        &mut self,
        bytes: &mut Vec<u8>,
        deadline: Instant,
    ) -> Result<bool, Trouble> {
        let mut buffer = [0; 16 * 1024];
        let is_endless = self.is_close_delimited();
        loop {
            let Some(body) = &mut self.body else {
                return Ok(false);
            };
            let (used, given) = body
                .read(&self.link.received, &mut buffer)
                .map_err(|error| Trouble::Malformed(error.to_string()))?;
            self.link.received.drain(..used);
            if given > 0 {
                self.beside = 0;
                bytes.extend_from_slice(buffer.get(..given).unwrap_or(&[]));
                return Ok(true);
            }
            if body.can_proceed() && !is_endless {
                return Ok(false);
            }
            self.beside += used;
            if self.beside + self.link.received.len() > MAX_HEAD {
                return Err(Trouble::Malformed(
                    "a chunk's length, or trailers, without end".to_owned(),
                ));
            }
            if used > 0 {
                continue;
            }
            if !self.link.receive(deadline)? {
                return match is_endless {
                    true => Ok(false),
                    false => Err(ended()),
                };
            }
        }
    }

    fn is_close_delimited(&self) -> bool {
        let mode = self.body.as_ref().map(Call::<RecvBody>::body_mode);
        mode == Some(ureq_proto::BodyMode::CloseDelimited)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// The time until the deadline.
pub(super) fn left(deadline: Instant) -> Result<Duration, Trouble> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(Trouble::Late),
        false => Ok(left),
    }
}

/// A question that isn't even sent.
fn unsayable(error: impl fmt::Display) -> Trouble {
    let error = io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    Trouble::Io("asking", error)
}

fn ended() -> Trouble {
    let early = io::ErrorKind::UnexpectedEof.into();
    Trouble::Io("the connection ended before the answer did", early)
}

/// An error that ends it all; a time-out doesn't: whether the time is over, the clock says.
fn is_over(error: io::Error, doing: &'static str) -> Result<(), Trouble> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(Trouble::Io(doing, error)),
    }
}

/// Tells a member that has vanished from one that has nothing to say.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5))
}

/// Bytes of a question's and of an answer's head. Stops one that has no end.
const MAX_HEAD: usize = 32 * 1024;
