//! `--check`: what it asks the system, and asking it in another process.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use socket2::Type;

use crate::program::failure::Failure;
use crate::sockets::bound;

/// Whether one of the addresses is this machine's and this user's to have. One that is taken is:
/// the options of a server that runs are checked, too.
pub(crate) fn addresses(option: &str, addresses: &[SocketAddr]) -> Result<(), Failure> {
    let mut refused = None;
    for address in addresses {
        match bound(*address, Type::STREAM) {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                refused =
                    Some(Failure::new(format!("{option}: {address} can't be had")).because(error));
            }
            _ => return Ok(()),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// What this program says in a process of its own, which ends by itself.
pub(crate) fn apart(mut command: Command, failed: impl Fn() -> Failure) -> Result<String, Failure> {
    let checked = command.stdin(Stdio::null()).output();
    let checked = checked.map_err(|error| failed().because(error))?;
    if checked.status.success() {
        return Ok(String::from_utf8_lossy(&checked.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&checked.stderr).trim().to_owned();
    let code = checked.status.code().and_then(|code| code.try_into().ok());
    Err(Failure::told(&said, code.unwrap_or(1)).unwrap_or_else(|| failed().because(said)))
}
