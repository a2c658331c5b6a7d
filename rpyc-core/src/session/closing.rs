//! The end of a connection by this side, and what the service is told of any end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::connection::Connection;
use super::session::Link;
use crate::dispatch::Current;
use crate::dispatch::{GRACE, panic_message};
use crate::error::{CloseReason, Error};
use crate::sync::atomic::Ordering;
use crate::wire::Handler;

impl Link {
    /// Closes by this side: tells the peer, waits a little for its consent, cleans up.
    pub(super) fn close(self: &Arc<Self>) -> Result<(), Error> {
        let session = &self.session;
        if session.closes.swap(true, Ordering::SeqCst) || self.has_ended() {
            return Ok(());
        }
        if self.is_leaving() {
            self.finish_within(GRACE);
            return Ok(());
        }
        let config = session.config();
        if let Some(before_closed) = &config.before_closed {
            let connection = Connection::internal(self.clone());
            let told = catch_unwind(AssertUnwindSafe(|| before_closed(&connection)));
            if let Err(panic) = told {
                let what = panic_message(&*panic);
                log::error!(target: &config.logger, "{}: before_closed panicked: {what}", session.connid);
            }
        }
        let timeout = config.sync_request_timeout.unwrap_or(GRACE).min(GRACE);
        let answer = self.request_within(Handler::Close, Vec::new(), Some(timeout));
        self.end(CloseReason::Local);
        // A handler that closes its own connection can't wait for its own end.
        if Current::task(self.number).is_none() {
            self.finish_within(GRACE);
        }
        match answer {
            Ok(_) | Err(Error::Closed(_)) => Ok(()),
            Err(_) if config.close_catchall => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells the service that the connection has ended.
    pub(super) fn tell_service_of_end(self: &Arc<Self>) {
        let connection = Connection::internal(self.clone());
        let service = &self.session.service;
        let told = catch_unwind(AssertUnwindSafe(|| service.on_disconnect(&connection)));
        if told.is_err() {
            let config = self.session.config();
            log::error!(target: &config.logger, "{}: on_disconnect panicked", self.session.connid);
        }
    }
}
