//! Python exceptions to RPyC's and back.

use std::sync::Arc;

use rpyc_core::Exception;
use rpyc_core::wire::{Str, Value};

use super::values::{fixed, str_of, to_value, tuple};
use super::{PySession, Runtime, Shared};

impl<P: Runtime> PySession<P> {
    /// What was raised, as it goes to a peer; the session remembers its traceback.
    pub fn to_exception(self: &Arc<PySession<P>>, vm: P::Vm<'_>, error: P::Error) -> Exception {
        let raised = P::exception(vm, error);
        match describe(vm, self.shared(), &raised) {
            Ok((exception, trail)) => {
                if let Some(trail) = trail {
                    self.remember_traceback(vm, trail);
                }
                exception
            }
            // Out of stack, or of memory.
            Err(error) => {
                let name = Str::from(P::class_name(&raised));
                let why = P::class_name(&P::exception(vm, error));
                let what = format!("it can't be described: {why}");
                Exception::new(Str::from_static("builtins"), name).with_arg(what)
            }
        }
    }

    /// The exception in Python, to be raised: one of the session's peer.
    pub(super) fn raise(&self, vm: P::Vm<'_>, exception: &Exception) -> P::Error {
        self.shared()
            .raise(vm, exception, self.peer().custom_exceptions())
    }
}

type Described<'a, P> = (Exception, Option<<P as Runtime>::Object<'a>>);

/// The exception as it goes to a peer, and its traceback.
fn describe<'a, P: Runtime>(
    vm: P::Vm<'a>,
    shared: &Shared<P>,
    raised: &P::Object<'a>,
) -> Result<Described<'a, P>, P::Error> {
    let parts = Shared::<P>::call(vm, &shared.functions.describe, vec![raised.clone()])?;
    let parts = tuple::<P>(vm, &parts)?;
    let [module, class, args, attributes, traceback, trail] = &parts[..] else {
        return Ok((Exception::stop_iteration(), None));
    };
    let text = |object: &P::Object<'a>| str_of::<P>(vm, object).unwrap_or_default();
    let value = |object: &P::Object<'a>| to_value::<P>(vm, object, 0).unwrap_or(Value::None);
    let mut exception = Exception::new(text(module), text(class));
    for arg in tuple::<P>(vm, args)? {
        exception = exception.with_arg(value(&arg));
    }
    for attribute in tuple::<P>(vm, attributes)? {
        let [name, held] = fixed::<P, 2>(vm, &attribute)?;
        exception = exception.with_attr(text(&name), value(&held));
    }
    Ok((
        exception.with_traceback(text(traceback)),
        Some(trail.clone()),
    ))
}

impl<P: Runtime> Shared<P> {
    /// The exception in Python, to be raised: one of this side's own.
    pub(super) fn raise_own(&self, vm: P::Vm<'_>, exception: &Exception) -> P::Error {
        self.raise(vm, exception, (true, false))
    }

    fn raise(&self, vm: P::Vm<'_>, exception: &Exception, custom: (bool, bool)) -> P::Error {
        if let Some(raised) = P::raised_meanwhile() {
            return raised;
        }
        let made = match exception.is("StopIteration") {
            true => Shared::<P>::call(vm, &self.functions.stop_iteration, Vec::new()),
            false => self.rebuild(vm, exception, custom),
        };
        let raised = made.map(|made| P::error(vm, made));
        let wrong = || P::own_error(vm, "TypeError", "this is no exception".to_owned());
        raised.map_or_else(|failure| failure, |raised| raised.unwrap_or_else(wrong))
    }

    fn rebuild<'a>(
        &self,
        vm: P::Vm<'a>,
        exception: &Exception,
        (instantiate, may_import): (bool, bool),
    ) -> Result<P::Object<'a>, P::Error> {
        let attributes = exception.attrs().iter();
        let attributes = attributes.filter(|(name, _)| P::admits_attribute(name));
        let attributes = attributes.map(|(name, value)| Value::from((name.clone(), value.clone())));
        let parts = [
            Value::from(exception.module().clone()),
            Value::from(exception.class().clone()),
            Value::Tuple(exception.args().to_vec()),
            Value::Tuple(attributes.collect()),
            Value::from(exception.traceback().cloned()),
            Value::Bool(instantiate),
            Value::Bool(may_import),
        ];
        let parts = parts.into_iter().map(|part| self.value(vm, part));
        Shared::<P>::call(vm, &self.functions.load, parts.collect::<Result<_, _>>()?)
    }
}
