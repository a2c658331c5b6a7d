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
        let hooks = self.class().service.as_ref();
        if let Some(configure) = hooks.and_then(|hooks| hooks.configure.as_ref()) {
            configure(self, config, peer);
        }
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        let hooks = self.class().service.as_ref();
        match hooks.and_then(|hooks| hooks.on_connect.as_ref()) {
            Some(on_connect) => on_connect(self, cx),
            None => Ok(()),
        }
    }

    fn before_closed(&self, connection: &Connection) {
        let hooks = self.class().service.as_ref();
        if let Some(before_closed) = hooks.and_then(|hooks| hooks.before_closed.as_ref()) {
            before_closed(self, connection);
        }
    }

    fn on_disconnect(&self, connection: &Connection) {
        let hooks = self.class().service.as_ref();
        if let Some(on_disconnect) = hooks.and_then(|hooks| hooks.on_disconnect.as_ref()) {
            on_disconnect(self, connection);
        }
    }
}
