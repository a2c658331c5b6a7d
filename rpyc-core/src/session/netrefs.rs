//! What netrefs have of the connection that they came over, beside requests.

use std::sync::Arc;

use super::keep_alive;
use super::session::Link;
use crate::dispatch::GRACE;
use crate::error::CloseReason;
use crate::wire::{Dialect, IdPack, Limits};

impl Link {
    /// The peer's terms, as far as they are known.
    pub(crate) fn dialect(&self) -> Dialect {
        self.session.encoding.dialect()
    }

    /// The bounds on what is sent.
    pub(crate) fn limits(&self) -> &Limits {
        &self.session.encoding.limits
    }

    /// A netref was handed on to the peer of another connection, which is named by its number. While
    /// that stays open, so does this one, unless nobody has needed it already.
    pub(crate) fn retain_for(&self, other: u64) {
        keep_alive::retain(self.number, other);
    }

    /// That peer has given the netref back. Never blocks, as [`release`](Dispatcher::release).
    pub(crate) fn release_for(self: &Arc<Self>, other: u64) {
        if keep_alive::release(self.number, other) {
            self.leave(CloseReason::Dropped, Some(GRACE));
        }
    }

    /// Gives `count` references back. Never blocks: it is called by destructors.
    pub(crate) fn release(&self, id_pack: &IdPack, count: u64) {
        self.session.imports.lock().forget(id_pack);
        self.send_release(id_pack, count);
    }
}
