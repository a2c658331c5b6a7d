//! [`PythonSession`]: what one connection owns inside the interpreter.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rpyc_core::Exception;
use rpyc_core::object::{Any, Context, ObjectRef, ObjectResult};
use rpyc_core::{Connection, WeakConnection};
use rustpython_vm::builtins::{PyBytes, PyCode, PyStr, PyTypeRef};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::Shared;
use super::convert::{to_any, to_python};
use super::embed::{Acting, check_import};
use super::exception;
use super::interrupt::{self, Work};
use super::proxy::ClassKey;
use super::sources::{Kind, Sources};
use super::state::{InPlace, Kept, Parked, ThreadState};
use super::thread::{Held, lock};
use super::{memory, modules};
use rpyc_classic::evaluator::Session;
use rpyc_classic::getconn::Keeper;

/// A namespace, and what is known of one peer.
pub(super) struct PythonSession {
    shared: Arc<Shared>,
    // None before the first use and after the end.
    namespace: Mutex<Option<Held>>,
    last_traceback: Mutex<Option<Held>>,
    state: Mutex<Kept>,
    connection: Mutex<Option<(WeakConnection, ObjectRef)>>,
    work: Arc<Work>,
    // The classes of proxies.
    classes: Mutex<HashMap<ClassKey, Known>>,
    sources: Sources,
    // The connection's number, once there is one.
    number: AtomicU64,
    is_over: AtomicBool,
    // Whether the peer may run code.
    runs_code: bool,
    // Whether it belongs to no client.
    is_home: bool,
    keeper: Weak<Keeper>,
}

/// A class of proxies.
struct Known {
    class: Arc<Held>,
    // The live proxies of it. A peer may free its class with the last object that is held here,
    // and make another one under the same id.
    users: usize,
}

/// A proxy's share in its class.
pub(super) struct ClassLease {
    session: Arc<PythonSession>,
    key: ClassKey,
}

impl PythonSession {
    /// The session of a client, which may run code here or not.
    pub(super) fn new(shared: Arc<Shared>, runs_code: bool) -> Arc<PythonSession> {
        Arc::new(PythonSession {
            sources: Sources::new(&shared.names),
            shared,
            namespace: Mutex::new(None),
            last_traceback: Mutex::new(None),
            state: Mutex::default(),
            connection: Mutex::new(None),
            classes: Mutex::new(HashMap::new()),
            work: Arc::new(Work::new()),
            number: 0.into(),
            is_over: false.into(),
            runs_code,
            is_home: false,
            keeper: Weak::new(),
        })
    }

    /// The session of a connection that Python code makes, and that `keeper` is to keep. The peer may
    /// run code here or serves this side's code alone.
    pub(super) fn keeping(
        shared: Arc<Shared>,
        keeper: &Arc<Keeper>,
        runs_code: bool,
    ) -> Arc<PythonSession> {
        let mut session = PythonSession::new(shared, runs_code);
        if let Some(session) = Arc::get_mut(&mut session) {
            session.keeper = Arc::downgrade(keeper);
        }
        session
    }

    /// The session for what belongs to no client.
    pub(super) fn home(
        shared: Arc<Shared>,
        connection: &Connection,
        this: ObjectRef,
    ) -> Arc<PythonSession> {
        let mut session = PythonSession::new(shared, false);
        if let Some(session) = Arc::get_mut(&mut session) {
            session.is_home = true;
            session.connection = Mutex::new(Some((connection.downgrade(), this)));
        }
        session
    }

    pub(super) fn is_home(&self) -> bool {
        self.is_home
    }

    /// The interpreter.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The connection, as long as there is one, and the object that stands for it.
    pub(super) fn connection(&self) -> Option<(Connection, ObjectRef)> {
        let (connection, this) = lock(&self.connection).clone()?;
        Some((connection.upgrade()?, this))
    }

    /// Whether exceptions of the peer's become instances of their own classes, and whether their modules
    /// are imported for that. Where the peer's code runs its classes are here, and nothing is imported
    /// unasked.
    pub(super) fn custom_exceptions(&self) -> (bool, bool) {
        if self.runs_code || self.is_home {
            return (true, false);
        }
        self.connection().map_or((false, false), |(connection, _)| {
            let config = connection.config();
            let import = config.import_custom_exceptions;
            (config.instantiate_custom_exceptions, import)
        })
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    pub(super) fn run<R>(
        self: &Arc<PythonSession>,
        work: impl FnOnce(&VirtualMachine) -> PyResult<R>,
    ) -> ObjectResult<R> {
        let outcome = self.shared.source.attached(|vm| {
            let _call = self.work.begin();
            let _state = InPlace::enter(vm, self);
            let _acting = Acting::enter(self);
            work(vm).map_err(|error| exception::to_exception(vm, Some(self), &error))
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
        let before = match self.is_over() {
            false => std::mem::replace(&mut *lock(&self.state), parked),
            true => parked,
        };
        // Without a lock: it runs Python.
        drop(before);
    }

    /// Keeps the traceback for a post-mortem debugger.
    pub(super) fn remember_traceback(&self, traceback: PyObjectRef) {
        if self.is_over() || self.is_home {
            return;
        }
        let traceback = Held::new(traceback, &self.shared.source);
        let before = lock(&self.last_traceback).replace(traceback);
        // A statement of its own: the lock is let go of before Python runs.
        drop(before);
    }

    /// The class for a proxy of that key, made where no live proxy has it.
    pub(super) fn proxy_class(
        self: &Arc<PythonSession>,
        key: ClassKey,
        make: impl FnOnce() -> PyResult<PyTypeRef>,
    ) -> PyResult<(PyTypeRef, ClassLease)> {
        let lease = || ClassLease {
            session: self.clone(),
            key: key.clone(),
        };
        let known = lock(&self.classes).get_mut(&key).map(|known| {
            known.users += 1;
            known.class.clone()
        });
        if let Some(known) = known {
            let lease = lease();
            if let Ok(class) = known.object().clone().downcast() {
                return Ok((class, lease));
            }
        }
        let class = make()?;
        if !self.is_over() {
            let held = Arc::new(Held::new(class.clone().into(), &self.shared.source));
            let known = Known {
                class: held,
                users: 0,
            };
            // Another thread may have been faster; its class is as good.
            let mut classes = lock(&self.classes);
            let (users, spare) = match classes.entry(key.clone()) {
                Entry::Occupied(entry) => (&mut entry.into_mut().users, Some(known)),
                Entry::Vacant(entry) => (&mut entry.insert(known).users, None),
            };
            *users += 1;
            drop(classes);
            drop(spare);
        }
        Ok((class, lease()))
    }

    /// Whether everything has been let go of, and nothing is to be kept any more.
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// The namespace, made at its first use.
    pub(super) fn namespace_object(&self, vm: &VirtualMachine) -> PyObjectRef {
        let known = lock(&self.namespace)
            .as_ref()
            .map(|held| held.object().clone());
        if let Some(known) = known {
            return known;
        }
        let fresh: PyObjectRef = vm.ctx.new_dict().into();
        if let Some(names) = self.shared.beginning.get()
            && let Err(error) = vm.call_method(&fresh, "update", (names.object().clone(),))
        {
            log::error!(
                "a namespace without the program's names: {}",
                error.class().name()
            );
        }
        if self.is_over() {
            return fresh;
        }
        let held = Held::new(fresh.clone(), &self.shared.source);
        let mut namespace = lock(&self.namespace);
        match &*namespace {
            // Another thread was faster.
            Some(known) => known.object().clone(),
            None => {
                *namespace = Some(held);
                fresh
            }
        }
    }

    /// `eval` or `exec` with the session's namespace.
    fn evaluate(self: &Arc<PythonSession>, source: Any, kind: Kind) -> ObjectResult {
        self.run(|vm| {
            let source = to_python(vm, self, source)?;
            let namespace = self.namespace_object(vm);
            let (code, text) = match source_text(&source) {
                Some(text) => {
                    let text = match kind {
                        Kind::Eval => text.trim_start_matches([' ', '\t']).to_owned(),
                        Kind::Execute => text,
                    };
                    let (code, name) = self.sources.compile(vm, &text, kind)?;
                    (code, Some((text, name)))
                }
                None => (source, None),
            };
            let function = modules::builtin(vm, kind.builtin())?;
            let result = function.call((code, namespace), vm);
            if let (Err(_), Some((text, name)), Kind::Eval) = (&result, text, kind) {
                self.sources.show(vm, &text, &name);
            }
            Ok(to_any(vm, self, result?))
        })
    }
}

/// The text of what is to be evaluated, unless it is code already.
fn source_text(source: &PyObjectRef) -> Option<String> {
    if source.downcast_ref::<PyCode>().is_some() {
        return None;
    }
    if let Some(bytes) = source.downcast_ref::<PyBytes>() {
        return String::from_utf8(bytes.as_bytes().to_vec()).ok();
    }
    source.downcast_ref::<PyStr>()?.to_str().map(str::to_owned)
}

/// The [`Session`] of an engine: a session that hands out references to itself.
pub(super) struct OpenSession(pub(super) Arc<PythonSession>);

impl Session for OpenSession {
    fn connected(&self, connection: &Connection, this: ObjectRef) {
        let connections = &self.0.shared.connections;
        let keeper = self.0.keeper.clone();
        connections.add(connection.number(), this.clone(), self.0.runs_code, keeper);
        *lock(&self.0.connection) = Some((connection.downgrade(), this));
        self.0.number.store(connection.number(), Ordering::Release);
    }

    fn this(&self) -> Option<ObjectRef> {
        self.0.connection().map(|(_, this)| this)
    }

    fn eval(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate(source, Kind::Eval)
    }

    fn execute(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate(source, Kind::Execute)
    }

    fn define(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.0.run(|vm| {
            let value = to_python(vm, &self.0, value)?;
            self.0.namespace_object(vm).set_item(name, value, vm)
        })
    }

    fn import(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.0.run(|vm| {
            check_import(vm, &self.0.shared.imports, name)?;
            if let Some(module) = modules::loaded(vm, name) {
                return Ok(to_any(vm, &self.0, module));
            }
            let importlib = modules::library(vm, "importlib")?;
            let import = importlib.get_attr("import_module", vm)?;
            let module = import.call((vm.ctx.new_str(name),), vm)?;
            Ok(to_any(vm, &self.0, module))
        })
    }

    fn call(&self, module: &str, function: &str, args: Vec<Any>) -> ObjectResult {
        self.0.run(|vm| {
            let args = args.into_iter().map(|arg| to_python(vm, &self.0, arg));
            let args = args.collect::<PyResult<Vec<_>>>()?;
            let importlib = modules::library(vm, "importlib")?;
            let import = importlib.get_attr("import_module", vm)?;
            let module = import.call((vm.ctx.new_str(module),), vm)?;
            let result = module
                .get_attr(&vm.ctx.new_str(function), vm)?
                .call(args, vm)?;
            Ok(to_any(vm, &self.0, result))
        })
    }

    fn namespace(&self, _: &Context<'_>) -> ObjectResult {
        self.0
            .run(|vm| Ok(to_any(vm, &self.0, self.0.namespace_object(vm))))
    }

    fn last_traceback(&self, _: &Context<'_>) -> ObjectResult {
        self.0.run(|vm| {
            // One statement: the lock is let go of before anything else happens.
            let last = lock(&self.0.last_traceback)
                .as_ref()
                .map(|held| held.object().clone());
            Ok(last.map_or(Any::NONE, |last| to_any(vm, &self.0, last)))
        })
    }

    fn disconnected(&self) {
        let session = &self.0;
        session.is_over.store(true, Ordering::Release);
        // Taken out one by one, and dropped without a lock: destructors run Python.
        let number = session.number.load(Ordering::Acquire);
        session.shared.connections.remove(number);
        let connection = lock(&session.connection).take();
        let client = connection.as_ref().and_then(|(client, _)| client.upgrade());
        let client = client.map(|client| client.connid().to_owned());
        interrupt::end(
            &session.shared.source,
            &session.work,
            client.unwrap_or_default(),
        );
        drop(connection);
        let namespace = lock(&session.namespace).take();
        drop(namespace);
        let traceback = lock(&session.last_traceback).take();
        drop(traceback);
        drop(session.take_state());
        let classes = std::mem::take(&mut *lock(&session.classes));
        drop(classes);
        // With the interpreter gone there is nothing to forget.
        let _ = session
            .shared
            .source
            .attached(|vm| session.sources.clear(vm));
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        memory::give_back();
        let shared = &self.0.shared;
        shared.tidying.request(&shared.source);
    }
}

impl Drop for ClassLease {
    fn drop(&mut self) {
        // A name means the same class for ever.
        if matches!(self.key, ClassKey::Named(_)) {
            return;
        }
        let mut classes = lock(&self.session.classes);
        let is_last = classes.get_mut(&self.key).is_some_and(|known| {
            known.users = known.users.saturating_sub(1);
            known.users == 0
        });
        let last = if is_last {
            classes.remove(&self.key)
        } else {
            None
        };
        // A Python object isn't dropped under a lock.
        drop(classes);
        drop(last);
    }
}

impl std::fmt::Debug for PythonSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PythonSession")
    }
}

/// The exception for what can't be asked any more.
pub(super) fn closed() -> Exception {
    Exception::eof_error("the connection is closed")
}
