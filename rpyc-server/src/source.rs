//! [`Source`]: as whom an address counts, for every limit that is a source's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rpyc_core::transport::PeerAddr;

/// Whom an address counts as: an IPv4 address, however it is written, or the /64 network of an IPv6
/// address, since who has one of its 2^64 addresses has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// No address of anybody's: all those that aren't known one by one.
    pub(crate) const OTHERS: Source = Source(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// This machine's own programs.
    pub(crate) const HERE: Source = Source(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// The source of a client of another machine; none for this machine's own programs, which
    /// have no share of places.
    pub(crate) fn remote(peer: &PeerAddr) -> Option<Source> {
        peer.ip().filter(|_| !peer.is_local()).map(Source::from)
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            ip @ IpAddr::V4(_) => ip,
        })
    }
}

impl From<&PeerAddr> for Source {
    fn from(peer: &PeerAddr) -> Source {
        peer.ip().map_or(Source::HERE, Source::from)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_a_mapped_ipv4_address_is_itself() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ] {
            assert_eq!(source(one) == source(other), same, "{one} {other}");
        }
        assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
        assert_eq!(source("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }

    #[test]
    fn this_machines_programs_have_no_share() {
        let remote = |text: &str| Source::remote(&PeerAddr::Tcp(text.parse().expect("one")));
        assert_eq!(remote("127.0.0.1:1"), None);
        assert_eq!(remote("[::1]:1"), None);
        assert_eq!(remote("192.0.2.1:1"), Some(source("192.0.2.1")));
    }
}
