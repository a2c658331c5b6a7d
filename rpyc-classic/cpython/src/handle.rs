//! [`PyHandle`]: a Python object that peers may hold references to.

use std::sync::Arc;

use bytes::Bytes;
use pyo3::exceptions::{PyAttributeError, PyMemoryError, PyStopIteration, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCFunction, PyString, PyTuple, PyType};
use rpyc_classic::target::pickle_protocol;
use rpyc_core::Exception;
use rpyc_core::object::{
    Access, Any, Args, Context, IdParts, Identity, MethodInfo, Object, ObjectRef, ObjectResult,
    Raised,
};
use rpyc_core::wire::{PlainType, Str};

use crate::attach::DeferredDrop;
use crate::convert::{plain_type, to_any, to_call, to_python};
use crate::exception::raise_of_peer;
use crate::names;
use crate::policy::policy;
use crate::session::PythonSession;

/// A Python object, as the protocol sees it.
pub(crate) struct PyHandle {
    held: DeferredDrop,
    session: Arc<PythonSession>,
    // Settled when the object goes out: later it may be asked for where no Python may run.
    id_parts: IdParts,
    plain_type: Option<PlainType>,
    // Whether its class decides by itself who may do what.
    has_hooks: bool,
}

impl PyHandle {
    pub(crate) fn new(
        py: Python<'_>,
        session: &Arc<PythonSession>,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<PyHandle> {
        let parts = policy().id_parts.bind(py).call1((object,))?;
        let (name, class, instance, has_hooks): (Bound<'_, PyString>, _, Option<u64>, _) =
            parts.extract()?;
        let spaces = session.spaces();
        Ok(PyHandle {
            held: DeferredDrop::new(object.clone()),
            session: session.clone(),
            plain_type: plain_type(object),
            has_hooks,
            id_parts: IdParts {
                name: text(&name),
                class: Identity::new(spaces.classes, class),
                instance: instance.map(|number| Identity::new(spaces.objects, number)),
            },
        })
    }

    /// The object.
    pub(crate) fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.held.bind(py)
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    fn run<R>(
        &self,
        work: impl for<'py> FnOnce(Python<'py>, &Bound<'py, PyAny>) -> PyResult<R>,
    ) -> ObjectResult<R> {
        self.session.run(|py| work(py, self.object(py)))
    }

    /// The same for an operation whose result goes to the peer.
    fn give(
        &self,
        work: impl for<'py> FnOnce(Python<'py>, &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> ObjectResult {
        self.run(|py, object| to_any(py, &self.session, &work(py, object)?))
    }

    fn call_object<'py>(
        &self,
        py: Python<'py>,
        cx: &Context<'_>,
        function: &Bound<'py, PyAny>,
        args: Args,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (mut args, mut kwargs) = to_call(py, &self.session, args)?;
        if cx.connection().dialect().has_names_in_bytes() {
            (args, kwargs) = self.session.names_as_text(py, function, args, kwargs)?;
        }
        if function.is_exact_instance_of::<PyCFunction>() {
            return self.session.call_builtin(py, function, args, kwargs);
        }
        function.call(args, kwargs.as_ref())
    }
}

impl Object for PyHandle {
    fn id_parts(&self) -> IdParts {
        self.id_parts.clone()
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.give(|_, object| object.getattr(name))
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        self.run(|_, object| object.hasattr(name)).unwrap_or(false)
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.run(|py, object| {
            let value = to_python(py, &self.session, value)?;
            if !names::admit(name) {
                return Err(no_room());
            }
            object.setattr(name, value)
        })
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        self.run(|py, object| {
            // The interpreter might keep the name, though there is no such attribute.
            if !names::is_known(name) {
                let is_plain_class = object.get_type().is(py.get_type::<PyType>());
                if is_plain_class && object.getattr_opt(name)?.is_none() {
                    let class = object.cast::<PyType>()?.name()?;
                    let message = format!("type object '{class}' has no attribute '{name}'");
                    return Err(PyAttributeError::new_err(message));
                }
                if !names::admit(name) {
                    return Err(no_room());
                }
            }
            object.delattr(name)
        })
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        name: &str,
        value: Option<&Any>,
    ) -> Option<ObjectResult> {
        if !self.has_hooks {
            return None;
        }
        let outcome = self.run(|py, object| {
            let hook = match access {
                Access::Get => intern!(py, "_rpyc_getattr"),
                Access::Set => intern!(py, "_rpyc_setattr"),
                Access::Del => intern!(py, "_rpyc_delattr"),
            };
            let Some(hook) = object.get_type().getattr_opt(hook)? else {
                return Ok(None);
            };
            let result = match value {
                Some(value) => {
                    let value = to_python(py, &self.session, value.clone())?;
                    hook.call1((object, name, value))?
                }
                None => hook.call1((object, name))?,
            };
            to_any(py, &self.session, &result).map(Some)
        });
        outcome.transpose()
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        self.give(|py, object| self.call_object(py, cx, object, args))
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        self.give(|py, object| self.call_object(py, cx, &object.getattr(name)?, args))
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.run(|_, object| strict_text(&object.repr()?))
    }

    fn str(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.run(|_, object| strict_text(&object.str()?))
    }

    fn hash(&self, _: &Context<'_>) -> ObjectResult<i64> {
        self.run(|_, object| object.hash().map(|hash| hash as i64))
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        self.give(|py, object| {
            let other = to_python(py, &self.session, other.clone())?;
            policy().compare.bind(py).call1((object, op, other))
        })
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        self.run(|_, object| {
            let names = object.dir()?;
            let names = names.iter();
            Ok(names
                .filter_map(|name| Some(text(name.cast::<PyString>().ok()?)))
                .collect())
        })
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        self.run(|py, object| {
            let methods = policy().methods.bind(py).call1((object,))?;
            let methods: Vec<(Bound<'_, PyString>, Option<Bound<'_, PyString>>)> =
                methods.extract()?;
            let methods = methods.iter();
            Ok(methods
                .map(|(name, doc)| (text(name), doc.as_ref().map(text)))
                .collect())
        })
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        self.run(
            |py, object| match object.call_method0(intern!(py, "__next__")) {
                Ok(item) => to_any(py, &self.session, &item).map(Some),
                Err(end) if end.is_instance_of::<PyStopIteration>(py) => Ok(None),
                Err(error) => Err(error),
            },
        )
    }

    fn buffiter(&self, _: &Context<'_>, count: usize) -> ObjectResult<Vec<Any>> {
        self.run(|py, object| {
            let items = policy().buffiter.bind(py).call1((object, count))?;
            let items = items.cast_into::<PyTuple>()?;
            items
                .iter()
                .map(|item| to_any(py, &self.session, &item))
                .collect()
        })
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        self.give(|py, object| {
            let exc = match Raised::of(&exc) {
                Some(raised) => raise_of_peer(py, &self.session, raised)
                    .into_value(py)
                    .into_bound(py)
                    .into_any(),
                None => to_python(py, &self.session, exc)?,
            };
            policy().leave.bind(py).call1((object, exc))
        })
    }

    fn pickle(&self, _: &Context<'_>, protocol: i64) -> ObjectResult<Bytes> {
        self.run(|py, object| {
            let args = (object, pickle_protocol(protocol));
            let pickled = policy().dumps.bind(py).call1(args)?;
            match pickled.cast::<PyBytes>() {
                Ok(bytes) => Ok(Bytes::copy_from_slice(bytes.as_bytes())),
                Err(_) => Err(PyTypeError::new_err("pickle.dumps() returned no bytes")),
            }
        })
    }

    fn is_instance(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.run(|py, object| to_python(py, &self.session, other.clone())?.is_instance(object))
    }

    fn is_subclass(&self, _: &Context<'_>, other: &Any) -> ObjectResult<bool> {
        self.run(|py, object| {
            let other = to_python(py, &self.session, other.clone())?;
            let builtins = py.import(intern!(py, "builtins"))?;
            let answer = builtins.call_method1(intern!(py, "issubclass"), (other, object))?;
            answer.is_truthy()
        })
    }

    fn is_true(&self, _: &Context<'_>) -> ObjectResult<bool> {
        self.run(|_, object| object.is_truthy())
    }

    fn class(&self, _: &Context<'_>) -> ObjectResult<ObjectRef> {
        self.run(|py, object| {
            let class = PyHandle::new(py, &self.session, &object.get_type())?;
            let class: ObjectRef = Arc::new(class);
            Ok(class)
        })
    }

    fn plain_type(&self) -> Option<PlainType> {
        self.plain_type
    }

    fn no_attribute(&self, name: &str) -> Exception {
        let class = self.id_parts.name.rsplit('.').next().unwrap_or_default();
        Exception::attribute_error(format!("'{class}' object has no attribute '{name}'"))
    }
}

/// Text as it travels; a UnicodeEncodeError where there are lone surrogates in it.
fn strict_text(text: &Bound<'_, PyString>) -> PyResult<Str> {
    text.to_str().map(Str::from)
}

fn no_room() -> PyErr {
    PyMemoryError::new_err("no room for more names of attributes")
}

/// Text as it travels, with escapes for lone surrogates.
pub(crate) fn text(text: &Bound<'_, PyString>) -> Str {
    if let Ok(text) = text.to_str() {
        return Str::from(text);
    }
    let escaped = text.call_method1("encode", ("utf-8", "backslashreplace"));
    match escaped.as_ref().map(|bytes| bytes.extract::<&[u8]>()) {
        Ok(Ok(bytes)) => Str::from(String::from_utf8_lossy(bytes).into_owned()),
        _ => Str::from(text.to_string_lossy().into_owned()),
    }
}
