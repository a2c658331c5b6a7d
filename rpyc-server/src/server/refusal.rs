//! Why a client isn't served.

/// Why a client isn't let in.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0} clients are connected, which is the maximum (max_clients)")]
    Full(usize),
    #[error(
        "{0} clients of this address (IPv6: of its /64 network) are connected, which is the maximum \
         (max_clients_per_address)"
    )]
    FullForAddress(usize),
    #[error("the server is stopping")]
    Stopping,
    #[error("the server serves one client, and has let another one in")]
    Taken,
}

impl Refusal {
    /// As metrics count it.
    pub(super) fn reason(&self) -> Refused {
        match self {
            Refusal::Full(_) | Refusal::Taken => Refused::Full,
            Refusal::FullForAddress(_) => Refused::AddressFull,
            Refusal::Stopping => Refused::Stopping,
        }
    }
}

/// Why a client wasn't served, as metrics count it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    AddressFull,
    Authentication,
    Full,
    HandshakeTimeout,
    Service,
    Stopping,
    System,
}

impl Refused {
    pub(super) fn label(self) -> &'static str {
        match self {
            Refused::AddressFull => "address_full",
            Refused::Authentication => "authentication",
            Refused::Full => "full",
            Refused::HandshakeTimeout => "handshake_timeout",
            Refused::Service => "service",
            Refused::Stopping => "stopping",
            Refused::System => "system",
        }
    }
}
