//! [`Target`]: what a netref in the interpreter stands for, as the native module offers it.

use std::fmt;
use std::sync::Arc;

use rpyc_core::Exception;
use rpyc_core::object::{Any, Netref, ObjectRef, Raised};
use rpyc_core::wire::{Handler, Str, Value};

use super::answer::expiry;
use super::values::{name_of, text, tuple};
use super::{Answer, Plain, PySession, Runtime, Shared};
use crate::getconn::Keeper;
use crate::target::{self, Operation};

/// What a netref stands for. Its methods are those of the native module's class of that name.
pub struct Target<P: Runtime> {
    target: target::Target,
    session: Arc<PySession<P>>,
    // Keeps a connection open that Python code has made.
    keeper: Option<Arc<Keeper>>,
}

type Made<'a, P> = Result<<P as Runtime>::Object<'a>, <P as Runtime>::Error>;

#[allow(missing_docs)] // `_rpyc_native.pyi` says what they do
impl<P: Runtime> Target<P> {
    pub(super) fn peer(session: &Arc<PySession<P>>, netref: Netref) -> Target<P> {
        let connections = &session.shared().connections;
        Target {
            keeper: connections.keeper(netref.peer_number()),
            target: target::Target::Peer(netref),
            session: session.clone(),
        }
    }

    pub(super) fn here(session: &Arc<PySession<P>>, object: ObjectRef) -> Target<P> {
        Target {
            target: target::Target::Here(object),
            session: session.clone(),
            keeper: None,
        }
    }

    /// The netref that stands for it.
    pub(super) fn into_netref<'a>(self, vm: P::Vm<'a>) -> Made<'a, P> {
        let shared = self.session.shared().clone();
        let target = P::wrap(vm, self)?;
        Shared::<P>::call(vm, &shared.functions.netref, vec![target])
    }

    pub(super) fn to_any(&self) -> Any {
        self.target.to_any()
    }

    /// Whether dropping it may close a connection: it blocks then.
    pub fn is_keeping(&self) -> bool {
        self.keeper.is_some()
    }

    pub fn name(&self) -> Str {
        self.target.name()
    }

    pub fn is_class(&self) -> bool {
        self.target.is_class()
    }

    pub fn runs_code(&self) -> bool {
        let netref = self.target.netref();
        netref.is_ok_and(|netref| self.session.shared().may_run_code(netref.peer_number()))
    }

    pub fn key<'a>(&self, vm: P::Vm<'a>) -> Made<'a, P> {
        let key = self.target.key();
        let key = key.map(|(connection, class, object)| [connection, class, object]);
        Self::numbers(vm, key)
    }

    /// With the session's: the object is asked in its name.
    pub fn address<'a>(&self, vm: P::Vm<'a>) -> Made<'a, P> {
        let address = self.target.address().map(|address| {
            let session = Arc::as_ptr(&self.session).addr();
            [session as u64, address as u64]
        });
        Self::numbers(vm, address)
    }

    fn numbers<'a, const N: usize>(vm: P::Vm<'a>, numbers: Option<[u64; N]>) -> Made<'a, P> {
        let Some(numbers) = numbers else {
            return P::make(vm, Plain::Value(Value::None));
        };
        let numbers = numbers.map(|number| P::make(vm, Plain::Value(Value::from(number))));
        let numbers = numbers.into_iter().collect::<Result<_, _>>()?;
        P::make(vm, Plain::Tuple(numbers))
    }

    pub fn id_pack<'a>(&self, vm: P::Vm<'a>) -> Made<'a, P> {
        let id_pack = self.target.id_pack().unwrap_or(Value::None);
        self.session.shared().value(vm, id_pack)
    }

    /// # Errors
    /// An AttributeError where it is closed.
    pub fn connection<'a>(&self, vm: P::Vm<'a>) -> Made<'a, P> {
        let connections = &self.session.shared().connections;
        let this = match &self.target {
            target::Target::Peer(netref) => connections.this(netref.peer_number()),
            target::Target::Here(_) => self.session.peer().connection().map(|(_, this)| this),
        };
        let closed = || P::own_error(vm, "AttributeError", "the connection is closed".to_owned());
        self.session
            .to_python(vm, Any::Local(this.ok_or_else(closed)?))
    }

    /// # Errors
    /// What the peer raised.
    pub fn methods<'a>(&self, vm: P::Vm<'a>) -> Made<'a, P> {
        let methods = P::ask(vm, || self.target.methods(self.session.peer().asking()));
        let methods = methods.flatten();
        let methods = methods.map_err(|exception| self.session.shared().raise_own(vm, &exception));
        let methods = methods?
            .into_iter()
            .filter(|name| P::admits_method(vm, name));
        let methods = methods.map(|name| text::<P>(vm, name));
        P::make(vm, Plain::Tuple(methods.collect::<Result<_, _>>()?))
    }

    /// # Errors
    /// What the peer raised; so for all that follow.
    pub fn attr<'a>(&self, vm: P::Vm<'a>, name: &P::Object<'a>) -> Made<'a, P> {
        self.ask(
            vm,
            Operation::Attr(&name_of(vm, self.session.shared(), name)?),
        )
    }

    /// # Errors
    /// As [`attr`](Target::attr).
    pub fn call<'a>(
        &self,
        vm: P::Vm<'a>,
        args: &P::Object<'a>,
        named: &P::Object<'a>,
    ) -> Made<'a, P> {
        let args = self.session.to_args(vm, args, named)?;
        self.ask(vm, Operation::Call(args))
    }

    /// # Errors
    /// As [`attr`](Target::attr).
    pub fn call_method<'a>(
        &self,
        vm: P::Vm<'a>,
        name: &P::Object<'a>,
        args: &P::Object<'a>,
        named: &P::Object<'a>,
    ) -> Made<'a, P> {
        let args = self.session.to_args(vm, args, named)?;
        self.ask(
            vm,
            Operation::CallMethod(&name_of(vm, self.session.shared(), name)?, args),
        )
    }

    /// # Errors
    /// As [`attr`](Target::attr).
    pub fn request<'a>(&self, vm: P::Vm<'a>, handler: i64, args: &P::Object<'a>) -> Made<'a, P> {
        let handler = Handler::from_number(handler);
        let args = match handler {
            Handler::CtxExit if self.target.netref().is_ok_and(Netref::is_left_by_value) => {
                let left_by = tuple::<P>(vm, args)?.into_iter();
                left_by
                    .map(|left_by| self.left_by(vm, left_by))
                    .collect::<Result<_, _>>()?
            }
            _ => self.session.to_anys(vm, args)?,
        };
        self.ask(vm, Operation::Request(handler, args))
    }

    /// An exception by value.
    fn left_by<'a>(&self, vm: P::Vm<'a>, left_by: P::Object<'a>) -> Result<Any, P::Error> {
        match P::error(vm, left_by.clone()) {
            Some(error) => Ok(Any::object(Raised::new(
                self.session.to_exception(vm, error),
            ))),
            None => self.session.to_any(vm, &left_by),
        }
    }

    /// # Errors
    /// Where it can't be sent; a ValueError for a time that is over.
    pub fn request_later<'a>(
        &self,
        vm: P::Vm<'a>,
        handler: i64,
        args: &P::Object<'a>,
        seconds: Option<f64>,
    ) -> Made<'a, P> {
        let expiry = expiry::<P>(vm, seconds)?;
        let shared = self.session.shared();
        let netref = self.target.netref();
        let netref = netref.map_err(|exception| shared.raise_own(vm, &exception))?;
        let args = self.session.to_anys(vm, args)?;
        let handler = Handler::from_number(handler);
        let sent = P::ask(vm, || {
            let sent = netref.async_request_within(handler, args, expiry);
            sent.map_err(target::raised)
        });
        match sent.flatten() {
            Ok(result) => P::wrap_answer(vm, Answer::new(result, &self.session)),
            Err(exception) => Err(shared.raise_own(vm, &exception)),
        }
    }

    /// Has the object do something, whoever's it is.
    fn ask<'a>(&self, vm: P::Vm<'a>, operation: Operation<'_>) -> Made<'a, P> {
        let session = self.session.acting();
        let answer = P::ask(vm, || {
            self.target.perform(operation, || session.peer().asking())
        });
        session.received(vm, answer.flatten())
    }
}

impl<P: Runtime> PySession<P> {
    /// What a peer has answered.
    pub(super) fn received<'a>(
        self: &Arc<PySession<P>>,
        vm: P::Vm<'a>,
        answer: Result<Any, Exception>,
    ) -> Made<'a, P> {
        match answer {
            Ok(answer) => self.to_python(vm, answer),
            Err(exception) => Err(self.raise(vm, &exception)),
        }
    }
}

impl<P: Runtime> fmt::Debug for Target<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}
