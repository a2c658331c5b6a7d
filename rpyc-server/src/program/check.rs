//! What `--check` asks the system: whether the addresses could be listened on.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

use crate::program::failure::Failure;

/// Whether one of the addresses is this machine's and this user's to have. One that is taken is:
/// the options of a server that runs are checked, too.
pub(crate) fn addresses(option: &str, addresses: &[SocketAddr]) -> Result<(), Failure> {
    let mut refused = None;
    for address in addresses {
        match bind(address) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                refused =
                    Some(Failure::new(format!("{option}: {address} can't be had")).because(error));
            }
            _ => return Ok(()),
        }
    }
    refused.map_or(Ok(()), Err)
}

fn bind(address: &SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
    socket.bind(&(*address).into())
}
