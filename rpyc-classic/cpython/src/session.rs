//! [`PythonSession`]: what one connection owns inside the interpreter.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rpyc_classic::Session;
use rpyc_classic::connections::Connections;
use rpyc_classic::getconn::Keeper;
use rpyc_classic::interrupt::Work;
use rpyc_classic::peer::{Current, Peer};
use rpyc_core::Connection;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Context, ObjectRef, ObjectResult, Space};

use crate::attach::{self, DeferredDrop, attached, lock};
use crate::convert::{to_any, to_python};
use crate::ending::end_child;
use crate::exception::to_exception;
use crate::interrupt;
use crate::policy::policy;
use crate::thread_state::{self, Kept};

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) spaces: Spaces,
    pub(crate) connections: Connections,
    pub(crate) executor: Arc<dyn Executor>,
}

/// What the evaluator of this process shares, once it is started.
pub(crate) fn shared() -> Option<&'static Arc<Shared>> {
    SHARED.get()
}

/// Sets what [`shared`] gives: once, there is one evaluator.
pub(crate) fn share(shared: &Arc<Shared>) {
    let _ = SHARED.set(shared.clone());
}

/// Identities of Python's, apart from everything else in this process.
#[derive(Clone, Copy)]
pub(crate) struct Spaces {
    pub(crate) classes: Space,
    pub(crate) objects: Space,
}

/// A namespace, and what is known of one peer.
pub(crate) struct PythonSession {
    shared: Arc<Shared>,
    // The object of the sources' class Session, made at its first use.
    object: OnceLock<DeferredDrop>,
    peer: Peer,
    state: Mutex<Kept>,
    work: Arc<Work>,
}

impl PythonSession {
    /// The session of a client, which may run code here or not.
    pub(crate) fn new(shared: Arc<Shared>, runs_code: bool) -> Arc<PythonSession> {
        PythonSession::keeping(shared, Weak::new(), runs_code)
    }

    /// The session of a connection that Python code makes, and that `keeper` is to keep.
    pub(crate) fn keeping(
        shared: Arc<Shared>,
        keeper: Weak<Keeper>,
        runs_code: bool,
    ) -> Arc<PythonSession> {
        Arc::new(PythonSession {
            shared,
            object: OnceLock::new(),
            peer: Peer::new(runs_code, keeper),
            state: Mutex::default(),
            work: Arc::new(Work::new()),
        })
    }

    pub(crate) fn spaces(&self) -> Spaces {
        self.shared.spaces
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.shared.connections
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The connection, as long as there is one, and the object that stands for it.
    pub(crate) fn connection(&self) -> Option<(Connection, ObjectRef)> {
        self.peer.connection()
    }

    /// The session whose code this thread runs, the innermost one.
    pub(crate) fn current() -> Option<Arc<PythonSession>> {
        Current::innermost(&CURRENT)
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    pub(crate) fn run<R>(
        self: &Arc<PythonSession>,
        work: impl FnOnce(Python<'_>) -> PyResult<R>,
    ) -> ObjectResult<R> {
        let work = |py: Python<'_>| {
            let call = self.work.begin();
            let current = Current::enter(&CURRENT, self);
            let outcome = work(py).map_err(|error| to_exception(py, self, error));
            drop(current);
            drop(call);
            if attach::is_forked() {
                // The child of a fork has nobody to answer.
                end_child(py);
            }
            outcome
        };
        let outcome = attached(|py| {
            thread_state::in_place(py, self, work)
                .unwrap_or_else(|error| Err(to_exception(py, self, error)))
        });
        outcome?
    }

    /// The number of its work, by which Python code knows it.
    pub(crate) fn work_number(&self) -> u64 {
        self.work.number()
    }

    /// Forgets what its code has set for the whole process, and what was to hold for it alone.
    pub(crate) fn forget_limits(&self, py: Python<'_>) -> PyResult<()> {
        let number = self.work.number();
        policy().session_ended.call1(py, (number,)).map(drop)
    }

    /// What code has set for its thread.
    pub(crate) fn take_state(&self) -> Kept {
        std::mem::replace(&mut *lock(&self.state), Kept::Taken)
    }

    /// Keeps what a thread leaves behind for the next one.
    pub(crate) fn park_state(&self, kept: Kept) {
        let before = match self.peer.is_over() {
            false => std::mem::replace(&mut *lock(&self.state), kept),
            true => kept,
        };
        // Without a lock: it runs Python.
        drop(before);
    }

    /// Keeps the traceback for a post-mortem debugger.
    pub(crate) fn remember_traceback(
        &self,
        py: Python<'_>,
        traceback: Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if self.peer.is_over() || traceback.is_none() {
            return Ok(());
        }
        let object = self.object(py)?;
        object.setattr(intern!(py, "last_traceback"), traceback)
    }

    /// Calls a builtin function, whose caller has no frame.
    pub(crate) fn call_builtin<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let kwargs = kwargs.unwrap_or_else(|| PyDict::new(py));
        let call = intern!(py, "call_builtin");
        self.object(py)?
            .call_method1(call, (function, args, kwargs))
    }

    /// The arguments of a call of a peer's whose names come as bytes, with text for names.
    pub(crate) fn names_as_text<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
        args: Bound<'py, PyTuple>,
        kwargs: Option<Bound<'py, PyDict>>,
    ) -> PyResult<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
        let namespace = self.object(py)?.getattr(intern!(py, "namespace"))?;
        let kwargs = kwargs.unwrap_or_else(|| PyDict::new(py));
        let names_as_text = policy().names_as_text.bind(py);
        let named = names_as_text.call1((function, namespace, args, kwargs))?;
        let (args, kwargs): (Bound<'_, PyTuple>, Bound<'_, PyDict>) = named.extract()?;
        Ok((args, Some(kwargs).filter(|kwargs| !kwargs.is_empty())))
    }

    fn object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if self.object.get().is_none() {
            let made = DeferredDrop::new(policy().session.bind(py).call0()?);
            // Where another thread was faster, its object is the one.
            drop(self.object.set(made));
        }
        match self.object.get() {
            Some(object) => Ok(object.bind(py).clone()),
            None => unreachable!("it was set above"),
        }
    }

    /// A method of the session's object.
    fn evaluate(self: &Arc<PythonSession>, method: &str, source: Any) -> ObjectResult {
        self.run(|py| {
            let source = to_python(py, self, source)?;
            let result = self.object(py)?.call_method1(method, (source,))?;
            to_any(py, self, &result)
        })
    }

    fn attribute(self: &Arc<PythonSession>, name: &str) -> ObjectResult {
        self.run(|py| to_any(py, self, &self.object(py)?.getattr(name)?))
    }
}

thread_local! {
    static CURRENT: Current<PythonSession> = const { Current::new() };
}

static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();

/// The [`Session`] of an evaluator: a session that hands out references to itself.
pub(crate) struct OpenSession(pub(crate) Arc<PythonSession>);

impl Session for OpenSession {
    fn connected(&self, connection: &Connection, this: ObjectRef) {
        let connections = self.0.connections();
        self.0.peer.connected(connections, connection, this);
    }

    fn this(&self) -> Option<ObjectRef> {
        self.0.connection().map(|(_, this)| this)
    }

    fn eval(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate("eval", source)
    }

    fn execute(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate("execute", source)
    }

    fn define(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.0.run(|py| {
            let value = to_python(py, &self.0, value)?;
            let namespace = self.0.object(py)?.getattr(intern!(py, "namespace"))?;
            namespace.set_item(name, value)
        })
    }

    fn import(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.0.run(|py| {
            let module = policy().import_module.bind(py).call1((name,))?;
            to_any(py, &self.0, &module)
        })
    }

    fn call(&self, module: &str, function: &str, args: Vec<Any>) -> ObjectResult {
        self.0.run(|py| {
            let args = args.into_iter().map(|arg| to_python(py, &self.0, arg));
            let args = PyTuple::new(py, args.collect::<PyResult<Vec<_>>>()?)?;
            let function = py.import(module)?.getattr(function)?;
            to_any(py, &self.0, &function.call1(args)?)
        })
    }

    fn namespace(&self, _: &Context<'_>) -> ObjectResult {
        self.0.attribute("namespace")
    }

    fn last_traceback(&self, _: &Context<'_>) -> ObjectResult {
        self.0.attribute("last_traceback")
    }

    fn disconnected(&self) {
        let session = &self.0;
        let client = session.peer.disconnected(session.connections());
        interrupt::end(&session.work, client);
        let state = std::mem::take(&mut *lock(&session.state));
        let ended = attached(|py| {
            drop(state);
            let forgotten = session.forget_limits(py);
            let ended = session.object.get().map_or(Ok(()), |object| {
                object.bind(py).call_method0(intern!(py, "end")).map(drop)
            });
            if let Err(error) = forgotten.and(ended) {
                log::debug!("the end of a session: {error}");
            }
        });
        // With the interpreter gone there is nothing to let go of.
        drop(ended);
    }
}

impl std::fmt::Debug for PythonSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PythonSession")
    }
}
