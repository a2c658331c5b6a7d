//! [`Address`]: where Python code connects to.

use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use rpyc_core::object::Any;
use rpyc_core::transport::TlsClient;
use rpyc_core::wire::Value;
use rpyc_core::{Connection, Connector, Error, Exception};

/// Where Python code connects to, or over what.
#[derive(Debug)]
pub enum Address {
    /// A host and its port.
    Tcp(String, u16),
    /// The same with TLS.
    Tls(String, u16, Box<TlsClient>),
    /// The path of a Unix socket.
    Unix(String),
    /// A connected socket of TCP.
    TcpSocket(TcpStream),
    /// A connected Unix socket.
    UnixSocket(UnixStream),
    /// A pipe to read and one to write.
    Pipes(OwnedFd, OwnedFd),
}

impl Address {
    /// The address of a tuple: a kind and what belongs to it. Descriptors are the connection's from now on.
    ///
    /// # Errors
    /// A TypeError for one that makes no sense; an OSError where certificates can't be read.
    pub fn new(address: Any) -> Result<Address, Exception> {
        let wrong = || Exception::type_error("this is no address");
        let parts = address.into_items().map_err(|_| wrong())?;
        let text = |place: usize| Some(parts.get(place)?.as_str()?.to_owned());
        let number = |place: usize| parts.get(place)?.as_value().and_then(Value::as_u64);
        let port = || u16::try_from(number(2)?).ok();
        let descriptor = |place| Some(owned(RawFd::try_from(number(place)?).ok()?));
        let kind = text(0).ok_or_else(wrong)?;
        let address = match &*kind {
            "tcp" => text(1)
                .zip(port())
                .map(|(host, port)| Address::Tcp(host, port)),
            "tls" => {
                let (host, port) = text(1).zip(port()).ok_or_else(wrong)?;
                let is_checked = parts.get(6).and_then(Any::as_value) == Some(&Value::Bool(true));
                let tls = tls(text(3), text(4).zip(text(5)), is_checked)?;
                Some(Address::Tls(host, port, Box::new(tls)))
            }
            "unix" => text(1).map(Address::Unix),
            "tcp socket" => descriptor(1).map(|fd| Address::TcpSocket(fd.into())),
            "unix socket" => descriptor(1).map(|fd| Address::UnixSocket(fd.into())),
            "pipes" => {
                let pipes = descriptor(1).zip(descriptor(2));
                pipes.map(|(read, write)| Address::Pipes(read, write))
            }
            _ => None,
        };
        address.ok_or_else(wrong)
    }

    /// Connects.
    pub(crate) fn connect(self, connector: &Connector) -> Result<Connection, Error> {
        match self {
            Address::Tcp(host, port) => connector.connect((host.as_str(), port)),
            Address::Tls(host, port, tls) => connector.connect_tls(&host, port, &tls),
            Address::Unix(path) => connector.connect_unix(path),
            Address::TcpSocket(socket) => connector.connect_stream(socket),
            Address::UnixSocket(socket) => connector.connect_stream(socket),
            Address::Pipes(read, write) => connector.connect_pipes(read, write),
        }
    }
}

/// As Python's rpyc does, it asks for a certificate of an authority, and not for whom.
fn tls(
    authorities: Option<String>,
    identity: Option<(String, String)>,
    is_checked: bool,
) -> Result<TlsClient, Exception> {
    let mut tls = TlsClient::builder();
    tls = match is_checked {
        true => tls.any_server_name(),
        false => tls.insecure_any_server(),
    };
    if let Some(file) = authorities {
        tls = tls.ca_file(file);
    }
    if let Some((certificate, key)) = identity {
        tls = tls.certificate(certificate, key);
    }
    tls.build()
        .map_err(|error| Exception::from(Error::from(error)))
}

#[allow(unsafe_code)] // a number is all that Python has
fn owned(descriptor: RawFd) -> OwnedFd {
    // Safe: whoever passes it has given it away.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}
