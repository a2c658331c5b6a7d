//! Where a tool connects to.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, value_parser};
use rpyc_classic::ClassicConnection;
use rpyc_core::transport::{TlsClient, TlsError};
use rpyc_core::{Config, Connection, Connector, Error};
use rpyc_registry::{ConnectByService, Directory, RegistryError};

use crate::auth::Secret;
use crate::program::access::{self, tls_client};
use crate::program::cli::arg;
use crate::program::failure::Failure;

/// A server, by the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16 },
    Unix(PathBuf),
    Ssh { host: String, port: u16 },
    Service(String),
}

impl Target {
    fn parse(text: &str) -> Result<Target, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err("unix: is followed by the socket's path".to_owned());
            }
            return Ok(Target::Unix(path.into()));
        }
        if let Some(name) = text.strip_prefix("service:") {
            if name.is_empty() {
                return Err("service: is followed by the service's name".to_owned());
            }
            return Ok(Target::Service(name.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("tls:") {
            let (host, port) = host_and_port(rest, TLS_PORT)?;
            return Ok(Target::Tls { host, port });
        }
        if let Some(rest) = text.strip_prefix("ssh:") {
            let (host, port) = host_and_port(rest, PORT)?;
            return Ok(Target::Ssh { host, port });
        }
        let (host, port) = host_and_port(text.strip_prefix("tcp:").unwrap_or(text), PORT)?;
        Ok(Target::Tcp { host, port })
    }
}

fn host_and_port(text: &str, default: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => return Err("a ] is missing".to_owned()),
        },
        // An IPv6 address has more colons than one.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    if host.is_empty() {
        return Err("a host is missing".to_owned());
    }
    match port {
        None => Ok((host.to_owned(), default)),
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => Ok((host.to_owned(), port)),
            _ => Err(format!("{port:?} is no port")),
        },
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Tcp { host, port } => write!(f, "{host}:{port}"),
            Target::Tls { host, port } => write!(f, "tls:{host}:{port}"),
            Target::Unix(path) => write!(f, "unix:{}", path.display()),
            Target::Ssh { host, port } => write!(f, "ssh:{host}:{port}"),
            Target::Service(name) => write!(f, "service:{name}"),
        }
    }
}

/// A server, and how to connect to it.
#[derive(Clone, Debug)]
pub(super) struct ConnectOptions {
    pub(super) target: Target,
    timeout: Option<Duration>,
    // It was asked for, and bounds what the default leaves unbounded.
    is_timeout_given: bool,
    secret: Option<Secret>,
    tls: TlsFiles,
    registry: Arc<dyn Directory>,
    // What is said about it has its name before it anyway.
    is_of_fleet: bool,
}

#[derive(Clone, Debug)]
struct TlsFiles {
    cafile: Option<PathBuf>,
    certfile: Option<PathBuf>,
    keyfile: Option<PathBuf>,
    any_name: bool,
}

pub(super) fn args() -> Vec<Arg> {
    let file = |name, help| {
        let option = arg::option(name, "FILE", help);
        option.value_parser(value_parser!(PathBuf))
    };
    let args = [
        arg::option(
            "connect",
            "WHERE",
            "The server: HOST:PORT, tls:HOST:PORT, unix:PATH, ssh:USER@HOST or service:NAME; \
             RPYC_CONNECT in the environment, too",
        )
        .env("RPYC_CONNECT")
        .default_value("127.0.0.1:18812")
        .value_parser(Target::parse),
        arg::option(
            "timeout",
            "SECS",
            "How long connecting may take, and, where it is given, each answer; 0 waits for ever",
        )
        .long_help(
            "How long connecting may take, and each answer of the server. Where it isn't given, an \
             answer may take 30 s, and code that eval, exec or shell runs as long as it likes; where \
             it is, that is bounded, too, and the connection is closed. 0 waits for ever",
        )
        .default_value("5")
        .value_parser(arg::optional_seconds),
        file(
            "secret-file",
            "The secret that the server asks for (its own --secret-file)",
        ),
        file(
            "ssl-cafile",
            "tls: the authorities to trust, instead of the system's",
        )
        .long_help(
            "tls: the authorities to trust (PEM), instead of the system's; the server's own \
             certificate will do",
        ),
        file("ssl-certfile", "tls: this client's certificate").requires("ssl-keyfile"),
        file("ssl-keyfile", "tls: its key").requires("ssl-certfile"),
        arg::switch(
            "ssl-any-name",
            "tls: take a trusted certificate for whatever name it is",
        ),
    ];
    let headed = args.map(|arg| arg.help_heading("Connection"));
    arg::with_variables("RPYC_CLIENT_", headed.into())
}

/// Whether the user has named a server now, and not in the environment.
pub(super) fn is_on_command_line(matches: &ArgMatches) -> bool {
    matches.value_source("connect") == Some(ValueSource::CommandLine)
}

impl ConnectOptions {
    pub(super) fn from_matches(matches: &ArgMatches) -> Result<ConnectOptions, Failure> {
        let file = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        let secret = match file("secret-file") {
            Some(path) => Some(access::secret(&path)?),
            None => None,
        };
        Ok(ConnectOptions {
            secret,
            target: arg::value(matches, "connect"),
            timeout: arg::value(matches, "timeout"),
            is_timeout_given: matches.value_source("timeout") != Some(ValueSource::DefaultValue),
            tls: TlsFiles {
                cafile: file("ssl-cafile"),
                certfile: file("ssl-certfile"),
                keyfile: file("ssl-keyfile"),
                any_name: matches.get_flag("ssl-any-name"),
            },
            registry: super::registry::client(matches)?,
            is_of_fleet: false,
        })
    }

    /// The same way to one of several servers.
    pub(super) fn to(&self, target: Target) -> ConnectOptions {
        ConnectOptions {
            target,
            is_of_fleet: true,
            ..self.clone()
        }
    }

    /// Connects to whatever service is there.
    pub(super) fn connect(&self) -> Result<Connection, Failure> {
        let mut connector = Connector::new().timeout(self.timeout);
        if self.is_timeout_given {
            connector = connector.config(Config::new().sync_request_timeout(self.timeout));
        }
        if let Some(secret) = self.secret.clone() {
            connector = connector.prelude(move |stream| secret.answer(stream));
        }
        let connected = match &self.target {
            Target::Tcp { host, port } => connector.connect((host.as_str(), *port)),
            Target::Unix(path) => connector.connect_unix(path),
            Target::Ssh { host, port } => connector.connect_ssh(host, *port),
            Target::Service(name) => connector
                .connect_by_service(&*self.registry, name)
                .map_err(Error::from),
            Target::Tls { host, port } => connector.connect_tls(host, *port, &self.tls_client()?),
        };
        connected.map_err(|error| self.no_connection(error))
    }

    /// Connects to a classic server.
    pub(super) fn connect_classic(&self) -> Result<ClassicConnection, Failure> {
        let connection = self.connect()?;
        ClassicConnection::new(connection).map_err(|error| self.failed(error))
    }

    /// How long code that runs at the server may take.
    pub(super) fn run_limit(&self) -> Option<Duration> {
        self.timeout.filter(|_| self.is_timeout_given)
    }

    fn tls_client(&self) -> Result<TlsClient, Failure> {
        let files = [&self.tls.cafile, &self.tls.certfile, &self.tls.keyfile];
        let [cafile, certfile, keyfile] = files.map(Option::as_deref);
        let mut builder = tls_client(cafile, certfile, keyfile);
        if self.tls.any_name {
            builder = builder.any_server_name();
        }
        builder.build().map_err(|error| {
            Failure::usage("TLS can't be set up")
                .because(error)
                .hint("--ssl-cafile names the authorities to trust, --ssl-certfile and --ssl-keyfile this client's own certificate.")
        })
    }

    fn no_connection(&self, error: Error) -> Failure {
        let hint = match (&error, &self.target) {
            (Error::Timeout(_), _) if self.secret.is_some() => {
                "Something is there that doesn't ask for a secret: is it the right port, and does \
                 it want TLS (tls:HOST:PORT), or no --secret-file?"
            }
            (Error::Timeout(_), _) => {
                "Something is there that doesn't answer as an RPyC server: is it the right port, \
                 and does it want TLS (tls:HOST:PORT)? --timeout gives it more time."
            }
            (Error::Tls(error), _) if speaks_no_tls(error) => {
                "Something is there that doesn't speak TLS as a server does: is it the right port, \
                 and does it want TLS at all (HOST:PORT without tls:)? --timeout gives it more time."
            }
            (Error::Tls(error), _) if matches!(**error, TlsError::Refused(_)) => {
                "The server may want this client's certificate: --ssl-certfile and --ssl-keyfile \
                 show one."
            }
            (Error::Tls(_), _) => {
                "--ssl-cafile names the authority that signed the server's certificate; \
                 --ssl-any-name takes it for another name."
            }
            (error, _) if RegistryError::of(error).is_some() => {
                "--registry-host names the registry where a broadcast doesn't reach it; \
                 `rpyc-server services` shows what it knows."
            }
            (_, Target::Ssh { .. }) => {
                "What ssh said stands above. It must not have to ask for a password, and the \
                 server must listen on the host's own loopback."
            }
            (Error::Closed(_), _) => {
                "The server has ended it, and its log says why. It may want TLS (tls:HOST:PORT), a \
                 certificate (--ssl-certfile, --ssl-keyfile), or a secret (--secret-file)."
            }
            _ => {
                "Is the server running, and is this its address? `rpyc-server --classic` starts \
                 one on 127.0.0.1:18812."
            }
        };
        let option = match self.is_of_fleet {
            true => "",
            false => "--connect ",
        };
        Failure::connection(format!("{option}{}no connection", self.name()))
            .because(error)
            .hint(hint)
    }

    /// What a request failed with.
    pub(super) fn failed(&self, error: Error) -> Failure {
        match &error {
            Error::Remote(raised) if raised.is("AttributeError") => {
                Failure::new(format!("{} is no classic server, or restricts its clients", self.target))
                    .because(error)
                    .hint("This command needs one that serves classic mode: `rpyc-server --classic`, or Python's rpyc_classic.")
            }
            Error::Remote(_) => Failure::new("the server refuses").because(error),
            Error::Timeout(timeout) => {
                let seconds = timeout.after.as_secs_f64();
                let what = match self.is_timeout_given {
                    true => format!("{}no answer within --timeout {seconds}", self.name()),
                    false => format!("{}no answer within {seconds} s", self.name()),
                };
                Failure::connection(what)
                    .because(error)
                    .hint("--timeout SECS gives it more time; 0 waits for ever.")
            }
            _ => Failure::connection(format!("{}the connection failed", self.name()))
                .because(error),
        }
    }

    /// The server, where what is said next doesn't have it before it anyway.
    fn name(&self) -> String {
        match self.is_of_fleet {
            true => String::new(),
            false => format!("{}: ", self.target),
        }
    }
}

fn speaks_no_tls(error: &TlsError) -> bool {
    matches!(
        error,
        TlsError::NotTls(_) | TlsError::TooSlow(_) | TlsError::Ended
    )
}

const PORT: u16 = 18812;
const TLS_PORT: u16 = 18821;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_the_way_to_it() {
        for (text, shown) in [
            ("localhost", "localhost:18812"),
            ("localhost:1", "localhost:1"),
            ("tcp:10.0.0.1:1", "10.0.0.1:1"),
            ("::1", "[::1]:18812"),
            ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:18812"),
            ("tls:host", "tls:host:18821"),
            ("tls:host:7", "tls:host:7"),
            ("unix:/run/rpyc", "unix:/run/rpyc"),
            ("ssh:me@host", "ssh:me@host:18812"),
            ("ssh:host:99", "ssh:host:99"),
            ("service:calc", "service:calc"),
        ] {
            let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(target.to_string(), shown);
        }
        for text in [
            "",
            ":18812",
            "host:",
            "host:0",
            "host:99999",
            "host:x",
            "[::1",
            "unix:",
            "tls:",
            "ssh:",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
