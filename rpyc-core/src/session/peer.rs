//! What netrefs need of the connection that they came over.

use super::async_result::AsyncResult;
use super::connection::Connection;
use super::keep_alive;
use super::session::Link;
use crate::dispatch::GRACE;
use crate::error::{CloseReason, Error};
use crate::object::Any;
use crate::object::peer::Peer;
use crate::wire::{Handler, IdPack};

impl Peer for Link {
    fn request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error> {
        match self.handle() {
            Some(link) => link.sync_request(handler, args),
            None => Err(Error::Closed(CloseReason::Local)),
        }
    }

    fn async_request(&self, handler: Handler, args: Vec<Any>) -> Result<AsyncResult, Error> {
        match self.handle() {
            Some(link) => AsyncResult::send(&link, handler, args),
            None => Err(Error::Closed(CloseReason::Local)),
        }
    }

    fn post(&self, handler: Handler, args: Vec<Any>, what: &'static str) {
        self.post_request(handler, args, what);
    }

    fn connection(&self) -> Option<Connection> {
        self.handle().map(Connection::internal)
    }

    fn retain_for(&self, other: u64) {
        keep_alive::retain(self.number, other);
    }

    fn release_for(&self, other: u64) {
        if keep_alive::release(self.number, other)
            && let Some(link) = self.handle()
        {
            link.leave(CloseReason::Dropped, Some(GRACE));
        }
    }

    fn release(&self, id_pack: &IdPack, count: u64) {
        self.session.imports.lock().forget(id_pack);
        self.send_release(id_pack, count);
    }

    fn number(&self) -> u64 {
        self.number
    }
}
