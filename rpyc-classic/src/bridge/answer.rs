//! [`Answer`]: the answer to a request of Python code's, now or later.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::AsyncResult;

use super::{PySession, Runtime, Shared};
use crate::target;

/// The answer to a request, now or later. Its methods are those of the native module's class of that name.
pub struct Answer<P: Runtime> {
    result: AsyncResult,
    session: Arc<PySession<P>>,
}

#[allow(missing_docs)] // `_rpyc_native.pyi` says what they do
impl<P: Runtime> Answer<P> {
    pub(super) fn new(result: AsyncResult, session: &Arc<PySession<P>>) -> Answer<P> {
        let session = session.clone();
        Answer { result, session }
    }

    /// # Errors
    /// What [`Runtime::ask`] has failed with.
    pub fn wait(&self, vm: P::Vm<'_>) -> Result<bool, P::Error> {
        let waited = P::ask(vm, || self.result.wait().is_ok());
        waited.map_err(|exception| self.session.shared().raise_own(vm, &exception))
    }

    /// # Errors
    /// What the peer raised.
    pub fn value<'a>(&self, vm: P::Vm<'a>) -> Result<P::Object<'a>, P::Error> {
        let value = P::ask(vm, || self.result.value().map_err(target::raised));
        self.session.received(vm, value.flatten())
    }

    pub fn ready(&self) -> bool {
        self.result.ready()
    }

    pub fn is_error(&self) -> bool {
        self.result.error()
    }

    pub fn expired(&self) -> bool {
        self.result.expired()
    }

    /// # Errors
    /// A ValueError for a time that is over.
    pub fn set_expiry(&self, vm: P::Vm<'_>, seconds: Option<f64>) -> Result<(), P::Error> {
        self.result.set_expiry(expiry::<P>(vm, seconds)?);
        Ok(())
    }

    /// What the function raises is nobody's: it goes where Python's threads send it.
    ///
    /// # Errors
    /// What [`Runtime::ask`] has failed with.
    pub fn add_callback<'a>(&self, vm: P::Vm<'a>, function: P::Object<'a>) -> Result<(), P::Error> {
        let shared = self.session.shared();
        let (function, its) = (shared.runtime.hold(function), shared.clone());
        let callback = move |_| {
            let called = its.runtime.attached(|vm| {
                if let Err(error) = Shared::<P>::call(vm, &function, Vec::new()) {
                    P::unraisable(vm, error, P::held(vm, &function));
                }
            });
            drop(called);
        };
        let added = P::ask(vm, || self.result.add_callback(callback));
        added.map_err(|exception| shared.raise_own(vm, &exception))
    }
}

/// An expiry of so many seconds.
///
/// # Errors
/// A ValueError for a time that is over.
pub(super) fn expiry<P: Runtime>(
    vm: P::Vm<'_>,
    seconds: Option<f64>,
) -> Result<Option<Duration>, P::Error> {
    let expiry = seconds.map(Duration::try_from_secs_f64).transpose();
    let wrong = "an expiry is in 0 seconds or more";
    expiry.map_err(|_| P::own_error(vm, "ValueError", wrong.to_owned()))
}

impl<P: Runtime> fmt::Debug for Answer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.result.fmt(f)
    }
}
