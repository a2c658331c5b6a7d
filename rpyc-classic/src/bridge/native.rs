//! The functions of the native module that both evaluators have.

use std::sync::Arc;

use bytes::Bytes;
use rpyc_core::object::Any;
use rpyc_core::wire::{Limits, Value, decode_value_strict, encode_to_vec};

use super::values::to_value;
use super::{OpenSession, Plain, PySession, Runtime, Shared};
use crate::connections::{Address, Offered};
use crate::getconn::Keeper;
use crate::options;

type Made<'a, P> = Result<<P as Runtime>::Object<'a>, <P as Runtime>::Error>;

/// Makes a connection on which this side offers the service: the address, the service and the config.
///
/// # Errors
/// What connecting raises: of the class that its number belongs to, without a remote traceback.
pub fn connect<'a, P: Runtime>(
    vm: P::Vm<'a>,
    shared: &Arc<Shared<P>>,
    [address, service, config]: [P::Object<'a>; 3],
    runs_code: bool,
    keepalive: bool,
) -> Made<'a, P> {
    let keeper = Arc::<Keeper>::default();
    let session = PySession::keeping(shared.clone(), Arc::downgrade(&keeper), runs_code);
    let address = Address::new(session.to_any(vm, &address)?);
    let address = address.map_err(|exception| shared.raise_own(vm, &exception))?;
    let offered = Offered {
        service: session.to_any(vm, &service)?,
        config: session.to_any(vm, &config)?,
        keepalive,
    };
    let open = Arc::new(OpenSession(session.clone()));
    let connected = P::ask(vm, || {
        let executor = shared.executor.clone();
        let connections = &shared.connections;
        connections.connect(address, offered, &keeper, open, executor)
    });
    match connected.flatten() {
        Ok(this) => session.to_python(vm, Any::Local(this)),
        Err(exception) if exception.is("OSError") => {
            let args = exception.args().iter().cloned();
            let args = args
                .map(|arg| shared.value(vm, arg))
                .collect::<Result<_, _>>()?;
            let made = Shared::<P>::call(vm, &shared.functions.os_error, args)?;
            let raised = P::error(vm, made);
            Err(raised.unwrap_or_else(|| shared.raise_own(vm, &exception)))
        }
        Err(exception) => Err(shared.raise_own(vm, &exception)),
    }
}

/// The connection of the client whose code runs on this thread, or None.
///
/// # Errors
/// When the interpreter can't make the netref.
pub fn current_connection<P: Runtime>(vm: P::Vm<'_>) -> Made<'_, P> {
    let session = PySession::<P>::current();
    let session = session.and_then(|session| Some((session.peer().connection()?, session)));
    match session {
        Some(((_, this), session)) => session.to_python(vm, Any::Local(this)),
        None => P::make(vm, Plain::Value(Value::None)),
    }
}

/// Whether the object goes by value.
pub fn dumpable<'a, P: Runtime>(vm: P::Vm<'a>, object: &P::Object<'a>) -> bool {
    to_value::<P>(vm, object, 0).is_some()
}

/// The bytes of what goes by value.
///
/// # Errors
/// A TypeError for what doesn't, a ValueError for what is too large.
pub fn dump<'a, P: Runtime>(vm: P::Vm<'a>, object: &P::Object<'a>) -> Made<'a, P> {
    let Some(value) = to_value::<P>(vm, object, 0) else {
        let class = P::class_name(object);
        let what = format!("cannot dump {class}: it doesn't go by value");
        return Err(P::own_error(vm, "TypeError", what));
    };
    match encode_to_vec(&value, &Limits::default()) {
        Ok(bytes) => P::make(vm, Plain::Value(Value::from(bytes))),
        Err(error) => Err(P::own_error(vm, "ValueError", error.to_string())),
    }
}

/// A connection's options and their values, as a tuple of pairs.
///
/// # Errors
/// When the interpreter can't make it.
pub fn default_options<'a, P: Runtime>(vm: P::Vm<'a>, shared: &Shared<P>) -> Made<'a, P> {
    shared.value(vm, options::defaults())
}

/// What those bytes say.
///
/// # Errors
/// A ValueError for bytes that say nothing.
pub fn load<'a, P: Runtime>(vm: P::Vm<'a>, shared: &Shared<P>, data: &[u8]) -> Made<'a, P> {
    match decode_value_strict(&Bytes::copy_from_slice(data), &Limits::default()) {
        Ok(value) => shared.value(vm, value),
        Err(error) => Err(P::own_error(vm, "ValueError", error.to_string())),
    }
}
