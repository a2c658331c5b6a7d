//! What operators watch.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::options::Effect::Listening;
use super::options::{optional, options};

options! {
    /// What operators watch.
    Operations in "Metrics" {
        metrics: Option<SocketAddr> = optional("metrics", "ADDRESS", address,
            "Serve metrics for Prometheus at http://ADDRESS/metrics to whoever reaches that; a \
             port alone is one of 127.0.0.1").counts(Listening).of_program();
    }
}

/// `127.0.0.1:9112`, or a port of loopback.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((IpAddr::from(Ipv4Addr::LOCALHOST), port).into());
    }
    let address = text.parse();
    address.map_err(|_| "neither a port nor an address with one, as 127.0.0.1:9112".to_owned())
}
