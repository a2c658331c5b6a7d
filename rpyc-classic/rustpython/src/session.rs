//! [`PythonSession`]: what one connection owns inside the interpreter.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use rpyc_classic::connections::Connections;
use rpyc_classic::embedding::Imports;
use rpyc_classic::evaluator::Session;
use rpyc_classic::getconn::Keeper;
use rpyc_classic::interrupt::Work;
use rpyc_classic::peer::{Current, Peer};
use rpyc_classic::threads::lock;
use rpyc_core::Connection;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Context, MethodInfo, ObjectRef, ObjectResult, Space};
use rustpython_vm::builtins::PyList;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyResult, VirtualMachine};

use super::classes::Classes;
use super::convert::{to_any, to_python};
use super::exception::to_exception;
use super::interrupt;
use super::library::library;
use super::memory;
use super::policy::Policy;
use super::state::{InPlace, Kept, Parked, ThreadState};
use super::thread::{Held, Source};

/// What sessions and objects share.
pub(crate) struct Shared {
    pub(crate) source: Arc<Source>,
    pub(crate) executor: Arc<dyn Executor>,
    // Python objects' identities, apart from everything else in this process.
    pub(crate) space: Space,
    pub(crate) classes: Classes,
    pub(crate) connections: Connections,
    pub(crate) imports: Imports,
    pub(crate) tidying: memory::Tidying,
    pub(crate) policy: Policy,
}

impl Shared {
    /// Functions of the Python sources.
    pub(super) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the peer of that connection may run any code here.
    pub(super) fn may_run_code(&self, peer_number: u64) -> bool {
        self.imports.is_all() && self.connections.runs_code(peer_number)
    }

    /// The methods of an object: its class's, and a class's own as well.
    pub(super) fn methods(
        &self,
        vm: &VirtualMachine,
        object: &PyObject,
    ) -> PyResult<Arc<[MethodInfo]>> {
        self.classes
            .methods(vm, self.policy.methods.object(), object)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustPython")
    }
}

/// A namespace, and what is known of one peer.
pub(super) struct PythonSession {
    shared: Arc<Shared>,
    // The object of the sources' class Session, made at its first use.
    object: OnceLock<Held>,
    state: Mutex<Kept>,
    peer: Peer,
    work: Arc<Work>,
    // How many expressions have been evaluated.
    evals: AtomicUsize,
    // Whether it belongs to no client.
    is_home: bool,
}

impl PythonSession {
    /// The session of a client, which may run code here or not.
    pub(super) fn new(shared: Arc<Shared>, runs_code: bool) -> Arc<PythonSession> {
        PythonSession::keeping(shared, Weak::new(), runs_code)
    }

    /// The session of a connection that Python code makes, and that `keeper` is to keep.
    pub(super) fn keeping(
        shared: Arc<Shared>,
        keeper: Weak<Keeper>,
        runs_code: bool,
    ) -> Arc<PythonSession> {
        Arc::new(PythonSession::with(shared, keeper, runs_code))
    }

    /// The session for what belongs to no client.
    pub(super) fn home(
        shared: Arc<Shared>,
        connection: &Connection,
        this: ObjectRef,
    ) -> Arc<PythonSession> {
        let session = PythonSession {
            is_home: true,
            ..PythonSession::with(shared, Weak::new(), true)
        };
        session.peer.belongs_to(connection, this);
        Arc::new(session)
    }

    fn with(shared: Arc<Shared>, keeper: Weak<Keeper>, runs_code: bool) -> PythonSession {
        PythonSession {
            shared,
            object: OnceLock::new(),
            state: Mutex::default(),
            peer: Peer::new(runs_code, keeper),
            work: Arc::new(Work::new()),
            evals: 0.into(),
            is_home: false,
        }
    }

    /// The interpreter.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What is known of the peer.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The connection, as long as there is one, and the object that stands for it.
    pub(super) fn connection(&self) -> Option<(Connection, ObjectRef)> {
        self.peer.connection()
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    pub(super) fn run<R>(
        self: &Arc<PythonSession>,
        work: impl FnOnce(&VirtualMachine) -> PyResult<R>,
    ) -> ObjectResult<R> {
        let outcome = self.shared.source.attached(|vm| {
            let _call = self.work.begin();
            let _state = InPlace::enter(vm, self);
            let _current = Current::enter(&CURRENT, self);
            work(vm).map_err(|error| to_exception(vm, self, &error))
        });
        outcome?
    }

    /// What code has set for its thread.
    pub(super) fn take_state(&self) -> Kept {
        let mut kept = lock(&self.state);
        std::mem::replace(&mut *kept, Kept::Taken)
    }

    /// Keeps what a thread leaves behind for the next one.
    pub(super) fn park_state(&self, state: ThreadState) {
        let parked = Kept::Parked(Box::new(Parked::new(state, &self.shared.source)));
        let before = match self.peer.is_over() {
            false => std::mem::replace(&mut *lock(&self.state), parked),
            true => parked,
        };
        // Without a lock: it runs Python.
        drop(before);
    }

    /// Keeps the traceback for a post-mortem debugger.
    pub(super) fn remember_traceback(&self, vm: &VirtualMachine, traceback: PyObjectRef) {
        if self.peer.is_over() || self.is_home || vm.is_none(&traceback) {
            return;
        }
        let kept = self.object(vm);
        // Out of memory, at the worst: then the one before stays.
        let _ = kept.and_then(|object| object.set_attr("last_traceback", traceback, vm));
    }

    /// Calls a builtin function that looks at its caller, which has no frame.
    pub(super) fn call_builtin(
        &self,
        vm: &VirtualMachine,
        function: &PyObjectRef,
        args: FuncArgs,
    ) -> PyResult {
        let keyword = vm.ctx.new_dict();
        for (name, value) in args.kwargs {
            keyword.set_item(&*vm.ctx.new_str(name), value, vm)?;
        }
        let args = (function.clone(), vm.ctx.new_tuple(args.args), keyword);
        let object = self.object(vm)?;
        vm.call_method(&object, "call_builtin", args)
    }

    /// The namespace of the peer's code.
    pub(super) fn namespace(&self, vm: &VirtualMachine) -> PyResult {
        self.object(vm)?.get_attr("namespace", vm)
    }

    fn object(&self, vm: &VirtualMachine) -> PyResult {
        if self.object.get().is_none() {
            let made = self.shared.policy.session.object().call((), vm)?;
            // Where another thread was faster, its object is the one.
            drop(self.object.set(Held::new(made, &self.shared.source)));
        }
        match self.object.get() {
            Some(object) => Ok(object.object().clone()),
            None => unreachable!("it was set above"),
        }
    }

    /// A method of the session's object.
    fn evaluate(self: &Arc<PythonSession>, method: &'static str, source: Any) -> ObjectResult {
        self.run(|vm| {
            let source = to_python(vm, self, source)?;
            let object = self.object(vm)?;
            let result = vm.call_method(&object, method, (source,))?;
            Ok(to_any(vm, self, result))
        })
    }

    /// What the object's method `eval` does, for plain text: the way that is gone most often, in half
    /// of the time.
    fn eval(self: &Arc<PythonSession>, text: &str) -> ObjectResult {
        self.run(|vm| {
            let policy = &self.shared.policy;
            let object = self.object(vm)?;
            let sources = object.get_attr("sources", vm)?;
            let name = self.name_of_eval(vm, &sources)?;
            let text: PyObjectRef = vm.ctx.new_str(text.trim_start_matches([' ', '\t'])).into();
            let mode = vm.ctx.new_str("eval").into();
            let (flags, inherits_none) = (vm.ctx.new_int(0).into(), vm.ctx.new_bool(true).into());
            let compiled = vec![text.clone(), name.clone(), mode, flags, inherits_none];
            let result = policy.compile.object().call(compiled, vm);
            let result = result.and_then(|code| {
                let namespace = self.namespace(vm)?;
                policy.eval.object().call((code, namespace), vm)
            });
            if result.is_err() {
                vm.call_method(&sources, "show", (text, name))?;
            }
            Ok(to_any(vm, self, result?))
        })
    }

    /// One of the session's names in turn, once it has them all.
    fn name_of_eval(&self, vm: &VirtualMachine, sources: &PyObject) -> PyResult {
        let names = sources.get_attr("evals", vm)?;
        if let Some(names) = names.downcast_ref::<PyList>() {
            let names = names.borrow_vec();
            if names.len() >= MAX_EVALS {
                let turn = self.evals.fetch_add(1, Ordering::Relaxed);
                return Ok(names[turn % names.len()].clone());
            }
        }
        vm.call_method(sources, "name_of_eval", ())
    }

    fn attribute(self: &Arc<PythonSession>, name: &'static str) -> ObjectResult {
        self.run(|vm| Ok(to_any(vm, self, self.object(vm)?.get_attr(name, vm)?)))
    }
}

/// Whether this thread runs that session right now.
pub(super) fn is_innermost(session: &Arc<PythonSession>) -> bool {
    Current::is_innermost(&CURRENT, session)
}

/// The session of the client whose code this thread runs.
pub(super) fn current() -> Option<Arc<PythonSession>> {
    Current::find(&CURRENT, |session| !session.is_home)
}

/// What [`Peer::custom_exceptions`] says for the code that this thread runs.
pub(super) fn custom_exceptions() -> (bool, bool) {
    Current::innermost(&CURRENT).map_or((true, false), |session| session.peer.custom_exceptions())
}

/// The session for a call to an object of that one: what belongs to no client is used in the
/// name of the one whose code calls.
pub(super) fn acting(session: &Arc<PythonSession>) -> Arc<PythonSession> {
    let innermost = session.is_home.then(current);
    innermost.flatten().unwrap_or_else(|| session.clone())
}

thread_local! {
    static CURRENT: Current<PythonSession> = const { Current::new() };
}

/// The [`Session`] of an evaluator: a session that hands out references to itself.
pub(super) struct OpenSession(pub(super) Arc<PythonSession>);

impl Session for OpenSession {
    fn connected(&self, connection: &Connection, this: ObjectRef) {
        let connections = &self.0.shared.connections;
        self.0.peer.connected(connections, connection, this);
    }

    fn this(&self) -> Option<ObjectRef> {
        self.0.connection().map(|(_, this)| this)
    }

    fn eval(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        match source.as_str() {
            // What defines a function may raise much later.
            Some(text) if !text.contains("lambda") => self.0.eval(text),
            _ => self.0.evaluate("eval", source),
        }
    }

    fn execute(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate("execute", source)
    }

    fn define(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.0.run(|vm| {
            let value = to_python(vm, &self.0, value)?;
            self.0.namespace(vm)?.set_item(name, value, vm)
        })
    }

    fn import(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.0.run(|vm| {
            let import = self.0.shared.policy.import_module.object();
            let module = import.call((vm.ctx.new_str(name),), vm)?;
            Ok(to_any(vm, &self.0, module))
        })
    }

    fn call(&self, module: &str, function: &str, args: Vec<Any>) -> ObjectResult {
        self.0.run(|vm| {
            let args = args.into_iter().map(|arg| to_python(vm, &self.0, arg));
            let args = args.collect::<PyResult<Vec<_>>>()?;
            let importlib = library(vm, "importlib")?;
            let import = importlib.get_attr("import_module", vm)?;
            let module = import.call((vm.ctx.new_str(module),), vm)?;
            let result = module
                .get_attr(&vm.ctx.new_str(function), vm)?
                .call(args, vm)?;
            Ok(to_any(vm, &self.0, result))
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
        let client = session.peer.disconnected(&session.shared.connections);
        interrupt::end(&session.shared.source, &session.work, client);
        if session.object.get().is_some() {
            // With the interpreter gone there is nothing to let go of.
            let _ = session.shared.source.attached(|vm| {
                let object = session.object(vm);
                let ended = object.and_then(|object| vm.call_method(&object, "end", ()));
                if let Err(error) = ended {
                    log::debug!("the end of a session: {}", error.class().name());
                }
            });
        }
        drop(session.take_state());
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        memory::give_back();
        let shared = &self.0.shared;
        shared.tidying.request(&shared.source);
    }
}

impl fmt::Debug for PythonSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PythonSession")
    }
}

/// As many names has a session for expressions: sources.py counts them.
const MAX_EVALS: usize = 64;
