//! systemd: sockets that it has opened, and what it is told.

use std::io;
use std::os::fd::OwnedFd;

use crate::{Builder, ListenError, Listener};
use listenfd::ListenFd;
use log::debug;
use sd_notify::NotifyState;

/// The listening sockets that this process was started with, by LISTEN_FDS.
pub(crate) fn inherited() -> Result<Vec<Listener>, ListenError> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..sockets.len() {
        let tcp = sockets.take_tcp_listener(index).ok().flatten();
        let socket: Option<OwnedFd> = match tcp {
            Some(socket) => Some(socket.into()),
            None => {
                let unix = sockets.take_unix_listener(index).ok().flatten();
                unix.map(OwnedFd::from)
            }
        };
        let socket = socket.ok_or_else(not_a_stream)?;
        listeners.push(Listener::from_fd(socket)?);
    }
    Ok(listeners)
}

fn not_a_stream() -> ListenError {
    let what = "it isn't a socket of clients' streams (ListenStream=)";
    ListenError::Inherited {
        source: io::Error::new(io::ErrorKind::InvalidInput, what),
    }
}

/// Has systemd know when the server is ready, and when it stops. Does nothing elsewhere.
pub(crate) fn keep_informed(builder: Builder) -> Builder {
    builder
        .on_start(|_| told(sd_notify::notify(false, &[NotifyState::Ready])))
        .on_stop(|| told(sd_notify::notify(false, &[NotifyState::Stopping])))
}

fn told(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        debug!("systemd wasn't told: {error}");
    }
}
