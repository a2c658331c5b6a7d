//! Options that say which directory is asked: a registry over UDP or TCP, or etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use clap::{Arg, ArgMatches, value_parser};
use rpyc_core::registry::{DEFAULT_PORT, Directory, EtcdDirectory, RegistryClient};
use rpyc_core::transport::TlsClient;

use super::arg::{is_on, option, switch, value};
use crate::program::failure::Failure;

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Udp,
    Tcp,
    Etcd,
}

impl Kind {
    pub(crate) fn from_matches(matches: &ArgMatches) -> Kind {
        let kind = value::<String>(matches, "registry-type");
        match kind.to_ascii_lowercase().as_str() {
            "etcd" => Kind::Etcd,
            "tcp" => Kind::Tcp,
            _ => Kind::Udp,
        }
    }
}

/// Where it is.
pub(crate) fn args() -> [Arg; 3] {
    [
        option(
            "registry-type",
            "TYPE",
            "A registry that is asked over UDP or TCP, or etcd",
        )
        .default_value("UDP")
        .ignore_case(true)
        .value_parser(PossibleValuesParser::new(["UDP", "TCP", "etcd"])),
        option(
            "registry-host",
            "HOST",
            "The registry's host; TCP needs it; for etcd its members, A:2379,B:2379,C:2379 \
             [default: 255.255.255.255, whichever registry hears the broadcast]",
        )
        .value_parser(NonEmptyStringValueParser::new()),
        option(
            "registry-port",
            "PORT",
            "The registry's port, or that of members of etcd that are named without one (2379)",
        )
        .default_value("18811")
        .value_parser(value_parser!(u16).range(1..)),
    ]
}

/// How to ask etcd.
#[derive(Clone, Debug)]
pub(crate) struct Etcd {
    cafile: Option<PathBuf>,
    certfile: Option<PathBuf>,
    keyfile: Option<PathBuf>,
    password_file: Option<PathBuf>,
    prefix: String,
    tls: bool,
    user_file: Option<PathBuf>,
}

pub(crate) fn etcd_args() -> [Arg; 7] {
    let file = |name, help| {
        let option = option(name, "FILE", help);
        option.value_parser(value_parser!(PathBuf))
    };
    [
        option("etcd-prefix", "KEY", "etcd: what all keys begin with").default_value("/rpyc/"),
        switch(
            "etcd-tls",
            "etcd: TLS, trusting the system's authorities; a file for TLS turns it on, too",
        ),
        file(
            "etcd-cafile",
            "etcd: the authorities to trust, instead of the system's",
        ),
        file("etcd-certfile", "etcd: this side's certificate"),
        file("etcd-keyfile", "etcd: its key"),
        file("etcd-user-file", "etcd: the file with the user's name"),
        file("etcd-password-file", "etcd: the one with the password"),
    ]
}

impl Etcd {
    pub(crate) fn from_matches(matches: &ArgMatches) -> Etcd {
        let file = |name: &str| matches.get_one::<PathBuf>(name).cloned();
        Etcd {
            cafile: file("etcd-cafile"),
            certfile: file("etcd-certfile"),
            keyfile: file("etcd-keyfile"),
            password_file: file("etcd-password-file"),
            prefix: value(matches, "etcd-prefix"),
            // Clients have no switches that take others back.
            tls: match matches.try_contains_id("no-etcd-tls") {
                Ok(_) => is_on(matches, "etcd-tls"),
                Err(_) => matches.get_flag("etcd-tls"),
            },
            user_file: file("etcd-user-file"),
        }
    }

    /// The cluster with these members.
    pub(crate) fn directory(
        &self,
        option: &str,
        members: &str,
        port: u16,
        timeout: Duration,
        lease: Duration,
    ) -> Result<EtcdDirectory, Failure> {
        let wrong = |error| Failure::usage(format!("{option} {members}")).because(error);
        let mut builder = EtcdDirectory::builder(members.split(',')).map_err(wrong)?;
        if port != DEFAULT_PORT {
            builder = builder.port(port);
        }
        if let Some(tls) = self.tls()? {
            builder = builder.tls(tls);
        }
        match (&self.user_file, &self.password_file) {
            (Some(user), Some(password)) => {
                let user = line_of("--etcd-user-file", user)?;
                builder = builder.login(user, line_of("--etcd-password-file", password)?);
            }
            (None, None) => {}
            _ => return Err(half("--etcd-user-file", "--etcd-password-file")),
        }
        let builder = builder.prefix(&*self.prefix).timeout(timeout).lease(lease);
        let prefix = |error| Failure::usage("--etcd-prefix").because(error);
        builder.build().map_err(prefix)
    }

    fn tls(&self) -> Result<Option<TlsClient>, Failure> {
        let Etcd {
            cafile,
            certfile,
            keyfile,
            tls,
            ..
        } = self;
        if certfile.is_some() != keyfile.is_some() {
            return Err(half("--etcd-certfile", "--etcd-keyfile"));
        }
        if !tls && cafile.is_none() && certfile.is_none() {
            return Ok(None);
        }
        let mut builder = TlsClient::builder();
        if let Some(path) = cafile {
            builder = builder.ca_file(path);
        }
        if let (Some(certificate), Some(key)) = (certfile, keyfile) {
            builder = builder.certificate(certificate, key);
        }
        let wrong = |error| {
            Failure::usage("TLS to etcd can't be set up")
                .because(error)
                .hint("--etcd-cafile, --etcd-certfile and --etcd-keyfile name its files.")
        };
        builder.build().map(Some).map_err(wrong)
    }
}

/// The directory that a client asks, or a server registers with over `lease`.
pub(crate) enum Found {
    Registry(RegistryClient),
    Etcd(EtcdDirectory),
}

impl Found {
    pub(crate) fn new(
        kind: Kind,
        host: Option<&str>,
        port: u16,
        etcd: &Etcd,
        lease: Duration,
    ) -> Result<Found, Failure> {
        let client = match (kind, host) {
            (Kind::Udp, None) => RegistryClient::broadcast(),
            (Kind::Udp, Some(host)) => RegistryClient::udp(host),
            (Kind::Tcp, Some(host)) => RegistryClient::tcp(host),
            (Kind::Tcp, None) => {
                return Err(Failure::usage("--registry-type TCP needs --registry-host")
                    .hint("Only over UDP a registry is found by itself, with a broadcast."));
            }
            (Kind::Etcd, Some(host)) => {
                let option = "--registry-host";
                let directory = etcd.directory(option, host, port, ETCD_PATIENCE, lease)?;
                return Ok(Found::Etcd(directory));
            }
            (Kind::Etcd, None) => {
                return Err(Failure::usage("--registry-type etcd needs --registry-host")
                    .hint("Name the members: --registry-host a:2379,b:2379,c:2379."));
            }
        };
        Ok(Found::Registry(client.port(port).timeout(PATIENCE)))
    }

    pub(crate) fn into_directory(self) -> Arc<dyn Directory> {
        match self {
            Found::Registry(client) => Arc::new(client),
            Found::Etcd(directory) => Arc::new(directory),
        }
    }
}

fn half(one: &str, other: &str) -> Failure {
    Failure::usage(format!("{one} and {other} go together"))
}

/// The text of a file that has one line, with or without its end.
fn line_of(option: &str, path: &Path) -> Result<String, Failure> {
    let failed = || Failure::new(format!("{option} {}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed().because(error))?;
    let line = text.trim_end_matches(['\r', '\n']);
    match line.is_empty() || line.len() > 4_096 || line.contains(['\r', '\n', '\0']) {
        true => Err(failed().hint("One line of up to 4096 bytes is wanted.")),
        false => Ok(line.to_owned()),
    }
}

/// How long a registry may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long etcd may: some of its members may be away.
const ETCD_PATIENCE: Duration = Duration::from_secs(6);
