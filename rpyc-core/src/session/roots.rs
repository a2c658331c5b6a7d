//! [`Roots`]: the two objects that a connection begins with.

use crate::object::{Any, ObjectRef};
use crate::sync::Mutex;

/// The root objects of both sides.
pub(crate) struct Roots {
    ours: Mutex<Option<ObjectRef>>,
    // Once it was asked for.
    peers: Mutex<Option<Any>>,
}

impl Roots {
    pub(super) fn new(ours: ObjectRef) -> Roots {
        Roots {
            ours: Mutex::new(Some(ours)),
            peers: Mutex::new(None),
        }
    }

    /// Ours, unless the connection has ended.
    pub(super) fn ours(&self) -> Option<ObjectRef> {
        self.ours.lock().clone()
    }

    /// The peer's, if it was asked for already.
    pub(super) fn peers(&self) -> Option<Any> {
        self.peers.lock().clone()
    }

    pub(super) fn set_peers(&self, root: Any) {
        let before = self.peers.lock().replace(root);
        drop(before);
    }

    /// Both, for good.
    pub(super) fn take(&self) -> impl Iterator<Item = Any> + use<> {
        let ours = self.ours.lock().take().map(Any::Local);
        let peers = self.peers.lock().take();
        ours.into_iter().chain(peers)
    }
}
