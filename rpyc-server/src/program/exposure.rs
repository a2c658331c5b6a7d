//! Safe by default: nothing is served where strangers would get in, unless somebody says so. Pure.

use crate::Address;
use ipnet::IpNet;

use crate::program::cli::access::AccessOptions;
use crate::program::failure::Failure;

/// What keeps strangers out, and whether anything has to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    /// Clients' certificates, a secret, or some networks.
    keeps_out: bool,
    /// Nothing has to.
    insecure: bool,
    /// Whether clients run code of theirs, rather than use a service.
    is_classic: bool,
}

impl Guard {
    /// What the options say. TLS alone shows clients who the server is, not the other way round;
    /// a list of networks that has all addresses in it is none.
    pub(crate) fn new(options: &AccessOptions, is_classic: bool) -> Guard {
        let networks = !options.allow.is_empty() && !has_everybody(&options.allow);
        Guard {
            keeps_out: options.ssl_cafile.is_some() || options.secret_file.is_some() || networks,
            insecure: options.insecure,
            is_classic,
        }
    }

    /// Whether it may be served there. This machine's own programs get in anywhere: a
    /// Unix socket has permissions, loopback has no strangers.
    pub(crate) fn suffices(self, address: &Address) -> bool {
        !address.is_remote() || self.keeps_out || self.insecure
    }

    /// A refusal to serve where strangers would get in.
    pub(crate) fn refusal(self, place: &str) -> Failure {
        let (what, whoever) = match self.is_classic {
            true => (
                "which classic mode isn't safe for",
                "Whoever connects can run any code as this user.",
            ),
            false => (
                "and nobody is asked who they are",
                "Whoever connects can use the service.",
            ),
        };
        let port = if self.is_classic { 18812 } else { 18861 };
        Failure::usage(format!("{place} is reached from other machines, {what}")).hint(format!(
            "{whoever} Say who may: clients with a certificate (--ssl-keyfile, --ssl-certfile, \
             --ssl-cafile), with a secret (--secret-file), of a network (--allow); or keep to \
             127.0.0.1 and come through a tunnel (ssh -L {port}:127.0.0.1:{port} user@server); or let \
             in everybody with --insecure.",
        ))
    }

    /// Whether strangers get in there, as they were let.
    pub(crate) fn lets_strangers_in(self, address: &Address) -> bool {
        address.is_remote() && !self.keeps_out
    }
}

/// Whether the networks together are all addresses of a family.
fn has_everybody(networks: &[IpNet]) -> bool {
    let whole = |network: &IpNet| network.prefix_len() == 0;
    IpNet::aggregate(&networks.to_vec()).iter().any(whole)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn guard(options: &[&str]) -> Guard {
        let mut access = AccessOptions {
            allow: Vec::new(),
            insecure: false,
            secret_file: None,
            ssl_cafile: None,
            ssl_certfile: None,
            ssl_keyfile: None,
        };
        for option in options {
            match *option {
                "key" => access.ssl_keyfile = Some(PathBuf::from("key")),
                "certificate" => access.ssl_certfile = Some(PathBuf::from("certificate")),
                "ca" => access.ssl_cafile = Some(PathBuf::from("ca")),
                "secret" => access.secret_file = Some(PathBuf::from("secret")),
                "insecure" => access.insecure = true,
                network => access.allow.push(network.parse().expect("a network")),
            }
        }
        Guard::new(&access, true)
    }

    #[test]
    fn strangers_get_in_where_it_was_said_and_nowhere_else() {
        let local = [
            "127.0.0.1:1",
            "127.255.255.254:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ];
        let remote = [
            "0.0.0.0:1",
            "[::]:1",
            "[::ffff:0.0.0.0]:1",
            "[::ffff:10.0.0.1]:1",
            "10.0.0.1:1",
            "128.0.0.1:1",
            "192.0.2.1:1",
            "169.254.1.1:1",
            "[fe80::1]:1",
            "[2001:db8::1]:1",
        ];
        let tcp = |text: &&str| Address::Tcp(text.parse().expect("an address"));
        let mut local: Vec<Address> = local.iter().map(tcp).collect();
        // Also what an inherited socket is bound to, and a Unix socket without a name.
        local.push(Address::Unix(Some(PathBuf::from("/run/rpyc.sock"))));
        local.push(Address::Unix(None));
        let remote: Vec<Address> = remote.iter().map(tcp).collect();
        for (options, keeps_out, suffices) in [
            (&[][..], false, false),
            (&["key", "certificate"], false, false),
            (&["key", "certificate", "ca"], true, true),
            (&["secret"], true, true),
            (&["10.0.0.0/8"], true, true),
            (&["2001:db8::/32", "10.0.0.0/8"], true, true),
            (&["0.0.0.0/0"], false, false),
            (&["10.0.0.0/8", "::/0"], false, false),
            (&["0.0.0.0/1", "128.0.0.0/1"], false, false),
            (&["0.0.0.0/0", "secret"], true, true),
            (&["insecure"], false, true),
            (&["insecure", "key", "certificate"], false, true),
            (&["insecure", "key", "certificate", "ca"], true, true),
        ] {
            let guard = guard(options);
            for address in &local {
                assert!(guard.suffices(address), "{options:?}, {address}");
                assert!(!guard.lets_strangers_in(address), "{options:?}, {address}");
            }
            for address in &remote {
                assert_eq!(guard.suffices(address), suffices, "{options:?}, {address}");
                let strangers = guard.lets_strangers_in(address);
                assert_eq!(strangers, !keeps_out, "{options:?}, {address}");
            }
        }
    }
}
