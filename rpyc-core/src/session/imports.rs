//! The table of live netrefs: one for each object of the peer's, held weakly. What they have of the connection
//! that they came over, beside requests.

use std::collections::HashMap;
use std::sync::Arc;

use super::keep_alive;
use super::session::Link;
use crate::dispatch::GRACE;
use crate::error::CloseReason;
use crate::object::Netref;
use crate::object::netref::WeakNetref;
use crate::wire::{ClassId, Dialect, IdPack, InstanceId, Limits};

/// Live netrefs by the peer's ids.
#[derive(Default)]
pub(crate) struct Imports {
    live: HashMap<(ClassId, InstanceId), WeakNetref>,
}

impl Imports {
    /// The netref for a reference that has just come: the live one, told that it came again, or
    /// a new one.
    ///
    /// The result must be dropped outside of the table's lock: its drop comes back here.
    pub(crate) fn receive(&mut self, link: &Arc<Link>, id_pack: IdPack) -> Netref {
        let key = key(&id_pack);
        if let Some(netref) = self.live.get(&key).and_then(WeakNetref::upgrade) {
            netref.receive_again();
            return netref;
        }
        let netref = Netref::new(link.clone(), id_pack);
        self.live.insert(key, netref.downgrade());
        netref
    }

    /// The live netref that stands for the peer's object, without counting an arrival.
    pub(crate) fn find(&self, id_pack: &IdPack) -> Option<Netref> {
        self.live.get(&key(id_pack)).and_then(WeakNetref::upgrade)
    }

    /// A netref has died; a new one for the same object may have taken its place already.
    pub(crate) fn forget(&mut self, id_pack: &IdPack) {
        let key = key(id_pack);
        if self.live.get(&key).is_some_and(WeakNetref::is_dead) {
            self.live.remove(&key);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }
}

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
        keep_alive::table().retain(self.number, other);
    }

    /// That peer has given the netref back. Never blocks, as [`release`](Dispatcher::release).
    pub(crate) fn release_for(self: &Arc<Self>, other: u64) {
        let is_over = keep_alive::table().release(self.number, other);
        if is_over {
            self.leave(CloseReason::Dropped, Some(GRACE));
        }
    }

    /// Gives `count` references back. Never blocks: it is called by destructors.
    pub(crate) fn release(&self, id_pack: &IdPack, count: u64) {
        self.session.imports.lock().forget(id_pack);
        self.send_release(id_pack, count);
    }
}

fn key(id_pack: &IdPack) -> (ClassId, InstanceId) {
    (id_pack.class, id_pack.instance)
}
