//! `--check`: what it asks the system, and asking it in another process.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::Type;

use crate::program::failure::Failure;
use crate::sockets::bound;
use crate::threads;

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

/// What this program says in a process of its own, which ends by itself. What that leaves behind may hold its outputs
/// for as long as it lives: nobody waits for it.
pub(crate) fn apart(mut command: Command, failed: impl Fn() -> Failure) -> Result<String, Failure> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let checked = piped.stderr(Stdio::piped()).spawn();
    let mut checked = checked.map_err(|error| failed().because(error))?;
    let outputs = [
        reading(checked.stdout.take()),
        reading(checked.stderr.take()),
    ];
    let status = checked.wait().map_err(|error| failed().because(error))?;
    let [said, complaint] = outputs.map(|(text, ended)| {
        // What it has written itself is read by then.
        let _ = ended.recv_timeout(LEFT_OPEN);
        String::from_utf8_lossy(&text.lock()).into_owned()
    });
    if status.success() {
        return Ok(said);
    }
    let said = complaint.trim().to_owned();
    let code = status.code().and_then(|code| code.try_into().ok());
    Err(Failure::told(&said, code.unwrap_or(1)).unwrap_or_else(|| failed().because(said)))
}

/// Reads to the end, on a thread that says when that has come.
fn reading(stream: Option<impl Read + Send + 'static>) -> (Arc<Mutex<Vec<u8>>>, Receiver<()>) {
    let text = Arc::<Mutex<Vec<u8>>>::default();
    let (tell, ended) = mpsc::channel();
    let into = text.clone();
    let read = move || {
        let mut buffer = [0; 4096];
        let mut stream = stream;
        while let Some(Ok(count @ 1..)) = stream.as_mut().map(|stream| stream.read(&mut buffer)) {
            into.lock().extend(buffer.iter().take(count));
        }
        let _ = tell.send(());
    };
    // Without a thread there is nothing to tell but how it ended.
    let _ = threads::start("rpyc-check", read);
    (text, ended)
}

/// How long an output may stay open behind the process whose it was.
const LEFT_OPEN: Duration = Duration::from_secs(1);
