//! Options that say which directory is asked: a registry over UDP or TCP, or etcd.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::StringValueParser;
use clap::value_parser;
use rpyc_core::transport::TlsClient;
use rpyc_registry::{DEFAULT_PORT, Directory, EtcdDirectory, RegistryClient};

use super::options::Effect::Registering;
use super::options::{one_of, options, path, switch, text, with_default};
use crate::program::access::tls_client;
use crate::program::failure::Failure;

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Udp,
    Tcp,
    Etcd,
}

const KINDS: &[(&str, Kind)] = &[("UDP", Kind::Udp), ("TCP", Kind::Tcp), ("etcd", Kind::Etcd)];

options! {
    /// Where the directory is.
    DirectoryOptions in "Registry" {
        kind: Kind = with_default("registry-type", "TYPE", "UDP", one_of(KINDS),
            "A registry that is asked over UDP or TCP, or etcd")
            .with(|arg| arg.ignore_case(true)).counts(Registering);
        host: Option<String> = text("registry-host", "HOST",
            "The registry's host; TCP needs it; for etcd its members, A:2379,B:2379,C:2379 \
             [default: 255.255.255.255, whichever registry hears the broadcast]")
            .counts(Registering);
        port: u16 = with_default("registry-port", "PORT", "18811", value_parser!(u16).range(1..),
            "The registry's port, or that of members of etcd that are named without one (2379)")
            .counts(Registering);
    }
}

options! {
    /// How to ask etcd.
    #[derive(Clone)]
    Etcd in "Registry" {
        prefix: String = with_default("etcd-prefix", "KEY", "/rpyc/", StringValueParser::new(),
            "etcd: what all keys begin with").counts(Registering);
        tls: bool = switch("etcd-tls",
            "etcd: TLS, trusting the system's authorities; a file for TLS turns it on, too")
            .counts(Registering);
        cafile: Option<PathBuf> = path("etcd-cafile", "FILE",
            "etcd: the authorities to trust, instead of the system's").counts(Registering);
        certfile: Option<PathBuf> = path("etcd-certfile", "FILE",
            "etcd: this side's certificate").counts(Registering);
        keyfile: Option<PathBuf> = path("etcd-keyfile", "FILE", "etcd: its key")
            .counts(Registering);
        user_file: Option<PathBuf> = path("etcd-user-file", "FILE",
            "etcd: the file with the user's name").counts(Registering);
        password_file: Option<PathBuf> = path("etcd-password-file", "FILE",
            "etcd: the one with the password").counts(Registering);
    }
}

impl Etcd {
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
        let wrong = |error| {
            Failure::usage("TLS to etcd can't be set up")
                .because(error)
                .hint("--etcd-cafile, --etcd-certfile and --etcd-keyfile name its files.")
        };
        let [cafile, certfile, keyfile] = [cafile, certfile, keyfile].map(Option::as_deref);
        let client = tls_client(cafile, certfile, keyfile).build();
        client.map(Some).map_err(wrong)
    }
}

/// The directory that a client asks, or a server registers with over `lease`.
pub(crate) enum Found {
    Registry(RegistryClient),
    Etcd(EtcdDirectory),
}

impl Found {
    pub(crate) fn new(
        options: &DirectoryOptions,
        etcd: &Etcd,
        lease: Duration,
    ) -> Result<Found, Failure> {
        let (kind, host, port) = (options.kind, options.host.as_deref(), options.port);
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
