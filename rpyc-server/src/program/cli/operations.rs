//! What operators watch.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{Arg, ArgMatches};

use super::arg::option;

/// What operators watch.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) metrics: Option<SocketAddr>,
}

impl Operations {
    pub(super) fn from_matches(matches: &ArgMatches) -> Operations {
        Operations {
            metrics: matches.get_one("metrics").copied(),
        }
    }
}

pub(super) fn args() -> Vec<Arg> {
    let metrics = option(
        "metrics",
        "ADDRESS",
        "Serve metrics for Prometheus at http://ADDRESS/metrics to whoever reaches that; a port \
         alone is one of 127.0.0.1",
    );
    vec![metrics.value_parser(address).help_heading("Metrics")]
}

/// `127.0.0.1:9112`, or a port of loopback.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((IpAddr::from(Ipv4Addr::LOCALHOST), port).into());
    }
    let address = text.parse();
    address.map_err(|_| "neither a port nor an address with one, as 127.0.0.1:9112".to_owned())
}
