//! The end of a connection by this side, and what the service is told of any end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::connection::Connection;
use super::session::Link;
use crate::dispatch::GRACE;
use crate::error::{CloseReason, Error};
use crate::wire::Handler;

impl Link {
    /// Closes by this side: tells the peer, waits a little for its consent, cleans up.
    pub(super) fn close(self: &Arc<Self>) -> Result<(), Error> {
        let session = &self.session;
        if !self.begin_close() {
            return Ok(());
        }
        self.tell_service("before_closed", |connection| {
            session.service.before_closed(connection);
        });
        let config = session.config();
        self.await_end_here();
        let timeout = config.sync_request_timeout.unwrap_or(GRACE).min(GRACE);
        self.hold_probes();
        let answer = self.request_within(Handler::Close, Vec::new(), Some(timeout));
        self.end(CloseReason::Local);
        self.finish_within(GRACE);
        match answer {
            Ok(_) | Err(Error::Closed(_)) => Ok(()),
            Err(_) if config.close_catchall => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells the service that the connection has ended.
    pub(super) fn tell_service_of_end(self: &Arc<Self>) {
        self.tell_service("on_disconnect", |connection| {
            self.session.service.on_disconnect(connection);
        });
    }

    fn tell_service(self: &Arc<Self>, hook: &str, tell: impl FnOnce(&Connection)) {
        let connection = Connection::internal(self.clone());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&connection))) {
            self.log_panic(hook, &*panic);
        }
    }
}
