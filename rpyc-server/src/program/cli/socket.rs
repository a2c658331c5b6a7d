//! Where a server listens.

use std::path::PathBuf;

use clap::value_parser;

use super::options::Effect::{self, Listening};
use super::options::{optional, options, path, switch, text, with_default};

options! {
    /// Where a server listens.
    Socket in "Socket" {
        host: Option<String> = text("host", "ADDRESS",
            "Address or name to listen on; :: takes IPv4 and IPv6 [default: 127.0.0.1, with --ipv6 \
             ::1]").in_short("Address to listen on [default: 127.0.0.1]").counts(Listening);
        port: Option<u16> = optional("port", "PORT", value_parser!(u16),
            "TCP port to listen on; 0 takes a free one, which the log names [default: 18812, with \
             TLS 18821]").in_short("TCP port to listen on [default: 18812, with TLS 18821]")
            .with(|arg| arg.short('p')).counts(Listening);
        ipv6: bool = switch("ipv6", "Listen on an IPv6 address")
            .with(|arg| arg.short('6')).counts(Listening);
        unix: Option<PathBuf> = path("unix", "PATH",
            "Listen on a Unix socket; on TCP, too, only where --host or --port is given")
            .in_short("Listen on a Unix socket").counts(Listening);
        unix_mode: u32 = with_default("unix-mode", "MODE", "600", permissions,
            "The Unix socket's permissions: whoever may write to it may connect")
            .counts(Effect::Unix);
    }
}

/// Permissions in octal.
fn permissions(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("not permissions in octal, like 600 or 660".to_owned()),
    }
}
