//! Services of Rust types.

use super::{PeerInfo, Service};
use crate::config::Config;
use crate::exception::Exception;
use crate::object::{Context, Exposed, ObjectRef};
use crate::session::Connection;

/// An exposed value is the root object of its connections, and has the hooks of its class.
impl<T: Send + Sync + 'static> Service for Exposed<T> {
    fn root(&self) -> ObjectRef {
        self.object()
    }

    fn configure(&self, config: &mut Config, peer: &mut PeerInfo) {
        (self.class().hooks.configure)(self, config, peer);
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        (self.class().hooks.on_connect)(self, cx)
    }

    fn before_closed(&self, connection: &Connection) {
        (self.class().hooks.before_closed)(self, connection);
    }

    fn on_disconnect(&self, connection: &Connection) {
        (self.class().hooks.on_disconnect)(self, connection);
    }
}
