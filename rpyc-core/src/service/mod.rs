//! [`Service`]: what a side of a connection offers to the other.

mod exposed;
mod factory;

use std::net::SocketAddr;
use std::sync::Arc;

pub use self::factory::{IntoFactory, ServiceFactory};

use crate::config::Config;
use crate::exception::Exception;
use crate::object::{Any, Context, IdParts, Object, ObjectRef};
use crate::session::Connection;
use crate::transport::PeerAddr;

/// What one side of a connection offers: its root object, and what happens at both ends of a
/// connection's life.
#[allow(unused_variables)] // a default does without
pub trait Service: Send + Sync + 'static {
    /// The object that the peer gets as `conn.root`. Asked for once a connection.
    fn root(&self) -> ObjectRef;

    /// Changes the connection's config before the connection is made, and what is known of its
    /// peer.
    fn configure(&self, config: &mut Config, peer: &mut PeerInfo) {}

    /// A connection is about to be made, on the thread that opens it, which may block; its config is
    /// settled. Here a service makes what its root needs.
    ///
    /// # Errors
    /// An exception refuses the connection.
    fn begin(&self) -> Result<(), Exception> {
        Ok(())
    }

    /// The connection works. Requests of the peer are answered once this has returned, or while
    /// it waits for the peer.
    ///
    /// # Errors
    /// An exception refuses the connection: it is closed, and the exception is the reason. So does
    /// a panic, here or in `configure`, `begin` or `root`; `on_disconnect` isn't called then.
    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        Ok(())
    }

    /// The connection is about to be closed by this side, in
    /// [`Connection::close`](crate::Connection::close), and still works.
    fn before_closed(&self, connection: &Connection) {}

    /// The connection is closed; called exactly once, also where nobody serves it. It must not use
    /// the connection.
    fn on_disconnect(&self, connection: &Connection) {}
}

/// The facts of one connection, which are no options of it: who is at the other end, and what the
/// connection is called.
///
/// A server fills it in, a service may add to it in [`configure`](Service::configure), and
/// whoever has the connection reads it from [`Connection::peer`](crate::Connection::peer).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The connection's name in logs. Default: `conn1`, `conn2`, ...
    pub connid: Option<String>,
    /// What the authenticator found out about the peer.
    pub credentials: Option<Any>,
    /// The addresses of both ends, this side's first. Default: what the stream says.
    pub endpoints: Option<(SocketAddr, SocketAddr)>,
    /// Who connected, as the operating system says; a server sets it.
    pub address: Option<PeerAddr>,
}

impl PeerInfo {
    /// Nothing but the connection's name in logs.
    pub fn named(connid: impl Into<String>) -> PeerInfo {
        PeerInfo {
            connid: Some(connid.into()),
            ..PeerInfo::default()
        }
    }
}

/// What can be offered to a peer: a type with [`#[service]`](macro@crate::service), an
/// [`Exposed`](crate::Exposed) of it where the program keeps a handle, any [`Service`] made by hand, or an `Arc` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't a service",
    note = "put `#[service]` on the `impl` block of its methods, or implement `Service`"
)]
pub trait IntoService {
    /// The service, ready to be asked for its root.
    fn into_service(self) -> Arc<dyn Service>;
}

impl<S: Service> IntoService for S {
    fn into_service(self) -> Arc<dyn Service> {
        Arc::new(self)
    }
}

impl<S: Service> IntoService for Arc<S> {
    fn into_service(self) -> Arc<dyn Service> {
        self
    }
}

impl IntoService for Arc<dyn Service> {
    fn into_service(self) -> Arc<dyn Service> {
        self
    }
}

/// Offers nothing: the service of a side that only calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct VoidService;

impl Service for VoidService {
    fn root(&self) -> ObjectRef {
        Arc::new(VoidRoot(()))
    }
}

#[derive(Debug)]
struct VoidRoot(());

impl Object for VoidRoot {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.service.VoidService", self)
    }
}
