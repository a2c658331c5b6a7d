//! [`ServiceFactory`]: which service a server's clients get.

use std::sync::Arc;

use super::{IntoService, Service};
use crate::exception::Exception;

/// Makes the service of each new connection.
pub trait ServiceFactory: Send + Sync + 'static {
    /// The service of a connection that is about to be made.
    ///
    /// # Errors
    /// An exception refuses the connection.
    fn create(&self) -> Result<Arc<dyn Service>, Exception>;
}

impl<F, S> ServiceFactory for F
where
    F: Fn() -> S + Send + Sync + 'static,
    S: IntoService,
{
    fn create(&self) -> Result<Arc<dyn Service>, Exception> {
        Ok(self().into_service())
    }
}

/// What a server is built of: a service, which is the same one for all clients, or a closure that
/// makes one for each: `Lab`, or `|| Lab::new()`.
///
/// `Kind` tells the compiler the two apart; it is never written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a service nor a closure that makes one",
    note = "a type with `#[service]` on its `impl` block is one service for all clients, `|| Lab::new()` makes one for each"
)]
pub trait IntoFactory<Kind> {
    /// The factory.
    fn into_factory(self) -> Arc<dyn ServiceFactory>;
}

impl<S: IntoService> IntoFactory<OneForAll> for S {
    fn into_factory(self) -> Arc<dyn ServiceFactory> {
        let service = self.into_service();
        Arc::new(move || service.clone())
    }
}

impl<F: ServiceFactory> IntoFactory<OneEach> for F {
    fn into_factory(self) -> Arc<dyn ServiceFactory> {
        Arc::new(self)
    }
}

impl IntoFactory<OneEach> for Arc<dyn ServiceFactory> {
    fn into_factory(self) -> Arc<dyn ServiceFactory> {
        self
    }
}

#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct OneForAll;

#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub struct OneEach;
