//! What goes between a registry and those who use it: bytes to commands and answers, and back.
//!
//! A command is one brine value, `("RPYC", name, arguments)`, without a frame; so is an answer.
//! Like [`wire`](rpyc_core::wire) this is pure: no sockets, no clock, no log, and no bytes make it
//! panic or take more memory than a small multiple of their length.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use rpyc_core::wire::{DecodeError, DecodeErrorKind, Limits, Value, decode_value, encode_to_vec};

/// Bytes of a command, and of every answer but one to LIST over UDP: what one packet of an
/// Ethernet holds, and what Python's side reads.
pub const MAX_DATAGRAM: usize = 1_500;
/// Bytes of an answer to LIST over UDP, as much as Python's side reads.
pub const MAX_LISTING: usize = 15_000;
/// Bytes of a service's name. Stops names that fill the registry's memory.
pub const MAX_NAME: usize = 255;
/// Names of one server. Stops one command that fills the registry.
pub const MAX_NAMES: usize = 64;

/// What a registry is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Which services are there?
    List {
        /// Only those with a server at this address.
        host: Option<String>,
    },
    /// Where is this service?
    Query {
        /// Its name.
        name: ServiceName,
    },
    /// I offer these services, at this port, for the next minutes.
    Register {
        /// Their names.
        names: Vec<ServiceName>,
        /// The port.
        port: u16,
        /// The host, where it isn't the one that the command comes from. Python's registry
        /// doesn't know this.
        host: Option<IpAddr>,
    },
    /// I don't offer anything at this port any more.
    Unregister {
        /// The port.
        port: u16,
        /// As for [`Register`](Command::Register).
        host: Option<IpAddr>,
    },
}

/// The name of a service, in capitals.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceName(String);

/// Where a server listens, as a registry knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ServerAddress {
    /// Its host: in practice an IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why bytes are no command. Only who sent them can be the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Longer than [`MAX_DATAGRAM`].
    #[error("{0} bytes, more than a command may have")]
    TooLong(usize),
    /// Not a brine value.
    #[error("not brine: {0}")]
    NotBrine(DecodeError),
    /// A value, but not that of a command: another protocol's, or none's.
    #[error("not a registry's command")]
    NotCommand,
    /// A command that no registry knows.
    #[error("unknown command")]
    Unknown,
    /// A command with wrong arguments.
    #[error("{command} with {problem}")]
    Arguments {
        /// The command.
        command: &'static str,
        /// What is wrong with them.
        problem: &'static str,
    },
}

/// Why bytes are no answer to what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not a brine value.
    #[error("the answer isn't brine: {0}")]
    NotBrine(DecodeError),
    /// A value of another kind.
    #[error("the answer is {found}, not {expected}")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
        /// The Python type of what came.
        found: &'static str,
    },
    /// Not what etcd answers.
    #[error("the answer isn't one of etcd's: {0}")]
    NotEtcd(String),
    /// More than is read of one.
    #[error("the answer is too long")]
    TooLong,
    /// The registry says no, in its own words.
    #[error("the registry refuses: {0}")]
    Refused(String),
}

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Command, CommandError> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(CommandError::TooLong(bytes.len()));
        }
        let value = decode_value(&Bytes::copy_from_slice(bytes), &limits())
            .map_err(CommandError::NotBrine)?;
        let Some([magic, name, arguments]) = value.as_tuple() else {
            return Err(CommandError::NotCommand);
        };
        if text(magic) != Some(MAGIC) {
            return Err(CommandError::NotCommand);
        }
        let (Some(name), Some(arguments)) = (text(name), arguments.as_tuple()) else {
            return Err(CommandError::NotCommand);
        };
        let mut known = COMMANDS.iter();
        let known = known.find(|(known, _)| name.eq_ignore_ascii_case(known));
        let &(command, read) = known.ok_or(CommandError::Unknown)?;
        read(arguments).map_err(|problem| CommandError::Arguments { command, problem })
    }

    /// Whether more bytes could make a command of these, which are the beginning of one: a TCP
    /// stream may bring it in pieces.
    #[must_use]
    pub fn is_incomplete(bytes: &[u8]) -> bool {
        let value = decode_value(&Bytes::copy_from_slice(bytes), &limits());
        let short = |error: DecodeError| {
            use DecodeErrorKind::{CountExceedsInput, Truncated};
            matches!(error.kind, CountExceedsInput { .. } | Truncated { .. })
        };
        bytes.len() < MAX_DATAGRAM && value.is_err_and(short)
    }

    /// The bytes of the command. They are more than a registry reads if the names are too many:
    /// see [`MAX_DATAGRAM`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let with_host = |mut arguments: Vec<Value>, host: &Option<IpAddr>| {
            arguments.extend(host.map(|host| host.to_string().into()));
            Value::Tuple(arguments)
        };
        let (name, arguments) = match self {
            Command::List { host } => (LIST, ((host.clone(),),).into()),
            Command::Query { name } => (QUERY, (name.as_str(),).into()),
            Command::Register { names, port, host } => {
                let names = Value::tuple(names.iter().map(|name| name.as_str().into()));
                (REGISTER, with_host(vec![names, (*port).into()], host))
            }
            Command::Unregister { port, host } => {
                (UNREGISTER, with_host(vec![(*port).into()], host))
            }
        };
        bytes_of(&(MAGIC, name, arguments).into())
    }
}

impl ServiceName {
    /// The name in capitals; `None` when it is empty or longer than [`MAX_NAME`].
    #[must_use]
    pub fn new(name: &str) -> Option<ServiceName> {
        // Some letters become several.
        let name = name.to_uppercase();
        let fits = (1..=MAX_NAME).contains(&name.len());
        fits.then_some(ServiceName(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ServerAddress {
    /// A server's address.
    pub fn new(host: impl Into<String>, port: u16) -> ServerAddress {
        ServerAddress {
            host: host.into(),
            port,
        }
    }
}

/// `host:port`, or `[host]:port` for IPv6.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The answer to what was done.
#[must_use]
pub fn encode_done() -> Vec<u8> {
    bytes_of(&DONE.into())
}

/// The answer to what isn't done, and why. Python's servers take anything but "OK" as a no.
#[must_use]
pub fn encode_refusal(reason: &str) -> Vec<u8> {
    bytes_of(&reason.into())
}

/// The answer to LIST where listing is off.
#[must_use]
pub fn encode_no_listing() -> Vec<u8> {
    bytes_of(&Value::None)
}

/// The answer to QUERY: as many of the first servers as fit into `max` bytes.
#[must_use]
pub fn encode_servers<'a>(
    servers: impl IntoIterator<Item = (&'a str, u16)>,
    max: usize,
) -> Vec<u8> {
    encode_fitting(servers.into_iter().map(Value::from), max)
}

/// The answer to LIST: as many of the first names as fit into `max` bytes.
#[must_use]
pub fn encode_names<'a>(names: impl IntoIterator<Item = &'a str>, max: usize) -> Vec<u8> {
    encode_fitting(names.into_iter().map(Value::from), max)
}

/// Reads the answer to REGISTER and UNREGISTER.
///
/// # Errors
/// The answer isn't "OK".
pub fn decode_done(bytes: &[u8]) -> Result<(), AnswerError> {
    let answer = decode_answer(bytes)?;
    match answer.as_str() {
        Some(DONE) => Ok(()),
        Some(reason) => Err(AnswerError::Refused(reason.to_owned())),
        None => Err(unexpected("\"OK\"", &answer)),
    }
}

/// Reads the answer to QUERY. Servers that can't be reached over TCP are left out: Python's
/// register a Unix socket's path as their port.
///
/// # Errors
/// The answer isn't a tuple of servers.
pub fn decode_servers(bytes: &[u8]) -> Result<Vec<ServerAddress>, AnswerError> {
    let answer = items(decode_answer(bytes)?, "a tuple of servers")?;
    let mut servers = Vec::with_capacity(answer.len());
    for server in &answer {
        let Some([host, port]) = server.as_tuple() else {
            return Err(unexpected("a host and a port", server));
        };
        let Some(host) = text(host) else {
            return Err(unexpected("a host", host));
        };
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
        servers.extend(port.map(|port| ServerAddress::new(host, port)));
    }
    Ok(servers)
}

/// Reads the answer to LIST; `None` when the registry doesn't list.
///
/// # Errors
/// The answer isn't a tuple of names.
pub fn decode_names(bytes: &[u8]) -> Result<Option<Vec<String>>, AnswerError> {
    let answer = decode_answer(bytes)?;
    if answer.is_none() {
        return Ok(None);
    }
    let answer = items(answer, "a tuple of names")?;
    let names = answer.iter().map(|name| match text(name) {
        Some(name) => Ok(name.to_owned()),
        None => Err(unexpected("a name", name)),
    });
    names.collect::<Result<_, _>>().map(Some)
}

fn items(answer: Value, expected: &'static str) -> Result<Vec<Value>, AnswerError> {
    match answer {
        Value::Tuple(items) => Ok(items),
        Value::Str(reason) => Err(AnswerError::Refused(reason.to_string())),
        other => Err(unexpected(expected, &other)),
    }
}

fn decode_answer(bytes: &[u8]) -> Result<Value, AnswerError> {
    decode_value(&Bytes::copy_from_slice(bytes), &limits()).map_err(AnswerError::NotBrine)
}

fn unexpected(expected: &'static str, found: &Value) -> AnswerError {
    AnswerError::Unexpected {
        expected,
        found: found.type_name(),
    }
}

fn query(arguments: &[Value]) -> Result<Command, &'static str> {
    match arguments {
        [name] => Ok(Command::Query {
            name: service(name)?,
        }),
        _ => Err(ARITY),
    }
}

fn register(arguments: &[Value]) -> Result<Command, &'static str> {
    let (names, port, host) = match arguments {
        [names, port] => (names, port, None),
        [names, port, host] => (names, port, Some(address(host)?)),
        _ => return Err(ARITY),
    };
    // Python's side sends whatever the service's aliases are: a tuple, or a list by then.
    let names = names.as_tuple().ok_or("names that are no tuple")?;
    if !(1..=MAX_NAMES).contains(&names.len()) {
        return Err("no names, or too many");
    }
    let names = names.iter().map(service).collect::<Result<_, _>>()?;
    Ok(Command::Register {
        names,
        port: self::port(port)?,
        host,
    })
}

fn unregister(arguments: &[Value]) -> Result<Command, &'static str> {
    match arguments {
        [port] => Ok(Command::Unregister {
            port: self::port(port)?,
            host: None,
        }),
        [port, host] => Ok(Command::Unregister {
            port: self::port(port)?,
            host: Some(address(host)?),
        }),
        _ => Err(ARITY),
    }
}

fn list(arguments: &[Value]) -> Result<Command, &'static str> {
    let [filter] = arguments else {
        return Err(ARITY);
    };
    let host = match filter.as_tuple() {
        Some([host]) => host,
        _ => return Err("a filter that is no tuple of one host"),
    };
    match text(host) {
        // An empty filter is none.
        Some("") => Ok(Command::List { host: None }),
        Some(host) => Ok(Command::List {
            host: Some(host.to_owned()),
        }),
        None if host.is_none() => Ok(Command::List { host: None }),
        None => Err("a filter that is no host"),
    }
}

fn service(name: &Value) -> Result<ServiceName, &'static str> {
    let name = text(name).ok_or("a name that is no text")?;
    ServiceName::new(name).ok_or("a name that is empty or too long")
}

fn port(port: &Value) -> Result<u16, &'static str> {
    let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
    match port {
        Some(port) if port > 0 => Ok(port),
        _ => Err("a port that is none of 1 to 65535"),
    }
}

fn address(host: &Value) -> Result<IpAddr, &'static str> {
    let address: Option<IpAddr> = text(host).and_then(|host| host.parse().ok());
    match address {
        Some(address) if !address.is_unspecified() && !address.is_multicast() => {
            Ok(address.to_canonical())
        }
        _ => Err("a host that is no server's IP address"),
    }
}

/// A str, or what Python 2 sends in its place.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Str(text) => Some(text),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// A tuple of the first of these items, as many as fit into `max` bytes.
fn encode_fitting(items: impl Iterator<Item = Value>, max: usize) -> Vec<u8> {
    let mut fitting = Vec::new();
    let mut used = 0;
    for item in items {
        used += bytes_of(&item).len();
        if tuple_header(fitting.len() + 1) + used > max {
            break;
        }
        fitting.push(item);
    }
    bytes_of(&Value::Tuple(fitting))
}

/// Bytes in front of the items of a tuple.
fn tuple_header(count: usize) -> usize {
    match count {
        0..=4 => 1,
        5..=255 => 2,
        _ => 5,
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    // What is encoded here is small and flat: far within the wire layer's limits.
    encode_to_vec(value, &Limits::default()).unwrap_or_default()
}

/// Commands and answers are flat; an answer's items take two bytes or more each.
fn limits() -> Limits {
    Limits::default()
        .max_depth(4)
        .max_items(MAX_LISTING)
        .max_int_digits(20)
}

type Read = fn(&[Value]) -> Result<Command, &'static str>;

/// How the arguments of each command are read.
const COMMANDS: [(&str, Read); 4] = [
    (QUERY, query),
    (REGISTER, register),
    (UNREGISTER, unregister),
    (LIST, list),
];

const ARITY: &str = "a wrong number of arguments";
const DONE: &str = "OK";
const LIST: &str = "LIST";
const MAGIC: &str = "RPYC";
const QUERY: &str = "QUERY";
const REGISTER: &str = "REGISTER";
const UNREGISTER: &str = "UNREGISTER";

#[cfg(test)]
mod tests;
