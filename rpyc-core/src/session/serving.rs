//! Serving a connection: on the caller's thread, on several, in the background, or when something has
//! come.

use std::time::{Duration, Instant};

use super::background::BackgroundServing;
use super::connection::Connection;
use crate::dispatch::waits::{ForEnd, ForMessage};
use crate::dispatch::{GRACE, Protocol as _};
use crate::error::{CloseReason, Error};
use crate::executor::spawn;
use crate::sync::{left, passed};

impl Connection {
    /// Serves until one message has come and, if it is a request, has been answered; `None` waits
    /// for ever. Says whether one has come.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection closes.
    pub fn serve(&self, timeout: Option<Duration>) -> Result<bool, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let served = self.link.wait_for(ForMessage::default(), deadline);
        served.map_err(Error::Closed)
    }

    /// Serves until the connection has closed and its service knows; says why it closed. In a handler
    /// of the same connection it doesn't wait for the service, which is told when that handler has ended.
    ///
    /// Within [`interruptible`](crate::executor::interruptible) it may end before the connection does, with
    /// [`CloseReason::Interrupted`].
    pub fn serve_all(&self) -> CloseReason {
        let reason = self.link.wait_for(ForEnd, None);
        if !matches!(reason, CloseReason::Interrupted) {
            self.link.finish_within(GRACE);
        }
        reason
    }

    /// Serves one message if one comes in time; says whether one has.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection closes.
    pub fn poll(&self, timeout: Duration) -> Result<bool, Error> {
        self.serve(Some(timeout))
    }

    /// Serves what comes in the given time; says whether anything has.
    ///
    /// # Errors
    /// [`Error::Closed`] when the connection was closed before anything came.
    pub fn poll_all(&self, timeout: Duration) -> Result<bool, Error> {
        // One that can't be counted never comes.
        let deadline = Instant::now().checked_add(timeout);
        let mut served = false;
        loop {
            match self.serve(deadline.map(left)) {
                Ok(true) => served = true,
                Ok(false) => return Ok(served),
                Err(_) if served => return Ok(true),
                Err(error) => return Err(error),
            }
            if deadline.is_some_and(passed) {
                return Ok(served);
            }
        }
    }

    /// Serves the connection on a thread of its own until the handle is dropped, or the connection
    /// closes. Calls of other threads stay as fast as they are.
    ///
    /// The handle doesn't keep the connection open.
    ///
    /// # Errors
    /// [`Error::Io`] when no thread can be had.
    pub fn serve_in_background(&self) -> Result<BackgroundServing, Error> {
        BackgroundServing::start(self.link.clone())
    }

    /// Serves on `threads` threads, this one among them, until the connection has closed; up to so
    /// many of the peer's requests run at the same time, in no particular order. Says why the
    /// connection closed.
    ///
    /// Where the system has no more threads, it serves on those that there are. Where this thread is interrupted,
    /// it stops as [`serve_all`](Connection::serve_all) does, and the others serve on.
    pub fn serve_threaded(&self, threads: usize) -> CloseReason {
        self.update_config(|config| config.concurrency = threads);
        let serve = |number: usize| {
            let connection = Connection::internal(self.link.clone());
            let name = format!("{}-{number}", self.link.session.connid);
            let spawned = spawn(&name, move || connection.serve_all());
            if let Err(error) = &spawned {
                let session = &self.link.session;
                session.log(
                    log::Level::Warn,
                    format_args!("no thread to serve on: {error}"),
                );
            }
            spawned.ok()
        };
        let others: Vec<_> = (1..threads).map_while(serve).collect();
        let reason = self.serve_all();
        if matches!(reason, CloseReason::Interrupted) {
            return reason;
        }
        for other in others {
            // A thread that panicked has said so.
            let _ = other.join();
        }
        reason
    }
}
