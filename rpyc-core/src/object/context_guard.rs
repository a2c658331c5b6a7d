//! [`ContextGuard`]: a remote context manager that has been entered.

use super::{Any, Args, FromAny, Netref, Raised};
use crate::config::NO_VERSION;
use crate::error::Error;
use crate::exception::Exception;
use crate::wire::{Handler, Value};

/// A remote context manager between its `__enter__` and its `__exit__`; made by
/// [`Netref::enter`].
///
/// Dropped, it leaves the context: cleanly or, while a panic unwinds, with a RuntimeError. It doesn't
/// wait for that: `__exit__` is asked for, in the order of the other requests, and what it raises is
/// logged. Use `exit` to know.
#[derive(Debug)]
pub struct ContextGuard {
    // Taken when it is left.
    manager: Option<Netref>,
    value: Any,
}

impl ContextGuard {
    pub(super) fn enter(manager: &Netref) -> Result<ContextGuard, Error> {
        let value = manager.call_method("__enter__", Args::new())?;
        Ok(ContextGuard {
            manager: Some(manager.clone()),
            value,
        })
    }

    /// What `__enter__` returned: what Python's `as` binds.
    pub fn value(&self) -> &Any {
        &self.value
    }

    /// Leaves the context with the outcome of what was done in it; an error goes to `__exit__` as
    /// an exception, which may swallow it: then the result is `None`.
    ///
    /// # Errors
    /// The error itself, unless it was swallowed; what `__exit__` raised.
    pub fn exit<T, E>(mut self, outcome: Result<T, E>) -> Result<Option<T>, E>
    where
        E: Clone + Into<Exception> + From<Error>,
    {
        let Some(manager) = self.manager.take() else {
            return outcome.map(Some);
        };
        match outcome {
            Ok(value) => {
                manager.leave(Any::NONE)?;
                Ok(Some(value))
            }
            Err(error) => {
                let raised = Any::object(Raised::new(error.clone().into()));
                if is_true(&manager.leave(raised)?) {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        let Some(manager) = self.manager.take() else {
            return;
        };
        let exc = if std::thread::panicking() {
            Any::object(Raised::new(Exception::runtime_error("the caller panicked")))
        } else {
            Any::NONE
        };
        if let Ok(exc) = manager.left_by(exc) {
            let args = manager.followed_by([exc]);
            let what = "leaving a remote context";
            manager.link().post_request(Handler::CtxExit, args, what);
        }
    }
}

/// Truth in Python's sense, as far as it can be told from here.
fn is_true(answer: &Any) -> bool {
    match answer {
        Any::Value(Value::None | Value::Bool(false)) => false,
        Any::Value(Value::Int(int)) => int.to_i64() != Some(0),
        Any::Value(Value::Str(text)) => !text.is_empty(),
        Any::Value(Value::Tuple(items)) => !items.is_empty(),
        _ => true,
    }
}

/// Leaving a context.
impl Netref {
    /// Leaves the object as a context manager: with `None`, or with an exception, be it [`Raised`] or an object of the
    /// peer's. It goes as the peer wants it: to rpyc-ng by value, to others by reference.
    ///
    /// # Errors
    /// As [`call`](Netref::call); [`Error::Conversion`] where it is no exception.
    pub fn leave(&self, exc: Any) -> Result<Any, Error> {
        let exc = self.left_by(exc)?;
        self.request(Handler::CtxExit, [exc])
    }

    /// Whether the peer wants an exception that leaves a context by value.
    pub fn is_left_by_value(&self) -> bool {
        self.link().dialect().leaves_by_value()
    }

    fn left_by(&self, exc: Any) -> Result<Any, Error> {
        if exc.is_none() || !self.is_left_by_value() {
            return Ok(exc);
        }
        let exception = match Raised::of(&exc) {
            Some(exception) => exception.clone(),
            None => Exception::from_any(exc)?,
        };
        let dumped = exception.dump(true, NO_VERSION);
        Ok(Any::Value(dumped.to_value(self.link().limits())))
    }
}
