//! [`Networks`]: an allow-list of addresses.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rpyc_core::transport::PeerAddr;

use super::super::authenticator::{Authenticated, Authenticator, Rejection};
use super::super::raw::RawStream;

/// Networks whose clients get in. Clients over Unix sockets do, too: the socket's permissions say
/// who they are. An IPv4 address in IPv6's clothes is one of IPv4.
#[derive(Clone, Debug)]
pub struct Networks(Arc<[IpNet]>);

/// What isn't a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network: write 10.0.0.0/8, 2001:db8::/32, or a single address")]
pub struct NetworksError(String);

impl Networks {
    /// Networks in CIDR notation, or single addresses.
    ///
    /// # Errors
    /// For the first one that is neither.
    pub fn parse<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Networks, NetworksError> {
        let parse = |text: T| {
            let text = text.as_ref().trim();
            let network = match text.parse::<IpAddr>() {
                Ok(address) => Ok(IpNet::from(address.to_canonical())),
                Err(_) => text.parse::<IpNet>(),
            };
            let network = network.map_err(|_| NetworksError(text.to_owned()))?;
            Ok(canonical(network.trunc()))
        };
        networks
            .into_iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Networks)
    }

    /// Whether clients of this address get in.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Authenticator for Networks {
    fn authenticate(&self, stream: RawStream, peer: &PeerAddr) -> Result<Authenticated, Rejection> {
        self.admit(peer)?;
        Ok(Authenticated::new(stream.into_stream()))
    }

    fn admit(&self, peer: &PeerAddr) -> Result<(), Rejection> {
        match peer.ip() {
            Some(address) if !self.contain(address) => Err(Rejection::new(
                "its address is in none of the allowed networks",
            )),
            _ => Ok(()),
        }
    }

    fn client_speaks_first(&self) -> bool {
        true
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    match mapped.map(|(address, length)| IpNet::new(address.into(), length)) {
        Some(Ok(v4)) => v4,
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_networks_in_whichever_clothes() {
        let networks = Networks::parse(["10.1.2.3/8", "192.0.2.7", "2001:db8::/32"]);
        let networks = networks.expect("networks");
        let contain = |text: &str| networks.contain(text.parse().expect("an address"));
        for inside in ["10.200.0.1", "::ffff:10.0.0.1", "192.0.2.7", "2001:db8::5"] {
            assert!(contain(inside), "{inside}");
        }
        for outside in [
            "11.0.0.1",
            "::ffff:11.0.0.1",
            "192.0.2.8",
            "2001:db9::5",
            "::1",
        ] {
            assert!(!contain(outside), "{outside}");
        }
        let mapped = Networks::parse(["::ffff:10.0.0.0/104", "::ffff:192.0.2.7"]);
        let mapped = mapped.expect("networks");
        assert!(mapped.contain([10, 1, 1, 1].into()) && mapped.contain([192, 0, 2, 7].into()));
        assert!(!mapped.contain([11, 1, 1, 1].into()));
        let all = Networks::parse(["0.0.0.0/0"]).expect("a network");
        assert!(all.contain([1, 2, 3, 4].into()) && !all.contain(IpAddr::from([1_u16; 8])));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["", "10.0.0.0/33", "10.0.0", "example.org", "10.0.0.0/"] {
            let error = Networks::parse(["10.0.0.0/8", text]).expect_err("no network");
            assert_eq!(error, NetworksError(text.to_owned()));
        }
    }
}
