//! [`PySession`]: what one connection owns inside the interpreter.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use rpyc_core::object::{Any, Context, ObjectRef, ObjectResult};
use rpyc_core::wire::{Str, Value};
use rpyc_core::{AsyncResult, Connection, Exception};

use super::shared::Functions;
use super::values::{fixed, str_of, text, tuple};
use super::{Answer, Plain, Runtime, Shared};
use crate::embedding::EvaluatorOptions;
use crate::evaluator::Session;
use crate::getconn::Keeper;
use crate::interrupt::Work;
use crate::peer::{Current, Peer};
use crate::threads::lock;

/// A namespace, and what is known of one peer.
pub struct PySession<P: Runtime> {
    shared: Arc<Shared<P>>,
    // The object of the sources' class Session, made at its first use.
    object: OnceLock<P::Held>,
    state: Mutex<SavedState<P::State>>,
    peer: Peer,
    work: Arc<Work>,
    // Whether it belongs to no client.
    is_home: bool,
}

/// Where is what a session's code has set for its thread.
#[derive(Debug, Default)]
pub enum SavedState<S> {
    /// Nothing is set.
    #[default]
    None,
    /// A thread has it in place.
    Taken,
    /// No thread runs the session.
    Parked(S),
}

impl<P: Runtime> PySession<P> {
    /// The session of a client, which may run code here or not.
    pub fn new(shared: Arc<Shared<P>>, runs_code: bool) -> Arc<PySession<P>> {
        PySession::keeping(shared, Weak::new(), runs_code)
    }

    /// The session of a connection that Python code makes, and that `keeper` is to keep.
    pub(super) fn keeping(
        shared: Arc<Shared<P>>,
        keeper: Weak<Keeper>,
        runs_code: bool,
    ) -> Arc<PySession<P>> {
        Arc::new(PySession::with(shared, keeper, runs_code))
    }

    /// The session for what belongs to no client, which is used in the name of the one whose code calls.
    pub fn home(
        shared: Arc<Shared<P>>,
        connection: &Connection,
        this: ObjectRef,
    ) -> Arc<PySession<P>> {
        let session = PySession {
            is_home: true,
            ..PySession::with(shared, Weak::new(), true)
        };
        session.peer.belongs_to(connection, this);
        Arc::new(session)
    }

    fn with(shared: Arc<Shared<P>>, keeper: Weak<Keeper>, runs_code: bool) -> PySession<P> {
        PySession {
            shared,
            object: OnceLock::new(),
            state: Mutex::default(),
            peer: Peer::new(runs_code, keeper),
            work: Arc::new(Work::new()),
            is_home: false,
        }
    }

    /// What it has in common with the others.
    pub fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    /// What is known of the peer.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What runs for it.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The session of the client whose code this thread runs.
    pub(super) fn current() -> Option<Arc<PySession<P>>> {
        Current::find(P::current(), |session| !session.is_home)
    }

    /// The session for a call to an object of this one.
    pub(super) fn acting(self: &Arc<PySession<P>>) -> Arc<PySession<P>> {
        let current = self.is_home.then(PySession::current);
        current.flatten().unwrap_or_else(|| self.clone())
    }

    /// Does something in the interpreter; what it raises comes out with its traceback.
    ///
    /// # Errors
    /// What was raised.
    pub fn run<R>(
        self: &Arc<PySession<P>>,
        work: impl for<'a> FnOnce(P::Vm<'a>) -> Result<R, P::Error>,
    ) -> ObjectResult<R> {
        let outcome = self.shared.runtime.attached(|vm| {
            let outcome = P::in_place(vm, self, |vm| {
                let call = self.work.begin();
                let current = Current::enter(P::current(), self);
                let outcome = work(vm).map_err(|error| self.to_exception(vm, error));
                drop(current);
                drop(call);
                outcome
            });
            outcome.unwrap_or_else(|error| Err(self.to_exception(vm, error)))
        });
        outcome?
    }

    /// What code has set for its thread.
    pub fn take_state(&self) -> SavedState<P::State> {
        std::mem::replace(&mut *lock(&self.state), SavedState::Taken)
    }

    /// Keeps what a thread leaves behind for the next one.
    pub fn park_state(&self, kept: SavedState<P::State>) {
        let before = match self.peer.is_over() {
            false => std::mem::replace(&mut *lock(&self.state), kept),
            true => kept,
        };
        // Without a lock: it runs Python.
        drop(before);
    }

    /// Keeps the traceback for a post-mortem debugger.
    pub(super) fn remember_traceback<'a>(&self, vm: P::Vm<'a>, traceback: P::Object<'a>) {
        let is_none = matches!(
            P::take_apart(vm, &traceback),
            Some(Plain::Value(Value::None))
        );
        if self.peer.is_over() || self.is_home || is_none {
            return;
        }
        let kept = self.object(vm);
        // Out of memory, at the worst: then the one before stays.
        let _ = kept.and_then(|object| P::set_attr(vm, &object, "last_traceback", traceback));
    }

    /// Calls a builtin function that looks at its caller, which has no frame.
    pub(super) fn call_builtin<'a>(
        &self,
        vm: P::Vm<'a>,
        function: &P::Object<'a>,
        args: Vec<P::Object<'a>>,
        named: Vec<(Str, P::Object<'a>)>,
    ) -> Result<P::Object<'a>, P::Error> {
        let args = vec![
            function.clone(),
            P::make(vm, Plain::Tuple(args))?,
            pairs::<P>(vm, named)?,
        ];
        self.call_method(vm, "call_builtin", args)
    }

    /// The arguments of a call of a peer's whose names come as bytes, with text for names.
    #[allow(clippy::type_complexity)] // a tuple of them
    pub(super) fn names_as_text<'a>(
        &self,
        vm: P::Vm<'a>,
        function: &P::Object<'a>,
        args: Vec<P::Object<'a>>,
        named: Vec<(Str, P::Object<'a>)>,
    ) -> Result<(Vec<P::Object<'a>>, Vec<(Str, P::Object<'a>)>), P::Error> {
        let call = vec![
            function.clone(),
            P::attr(vm, &self.object(vm)?, "namespace")?,
            P::make(vm, Plain::Tuple(args))?,
            pairs::<P>(vm, named)?,
        ];
        let call = Shared::<P>::call(vm, &self.shared.functions.as_text, call)?;
        let [args, named] = fixed::<P, 2>(vm, &call)?;
        let named = tuple::<P>(vm, &named)?.into_iter().map(|pair| {
            let [name, value] = fixed::<P, 2>(vm, &pair)?;
            Ok((str_of::<P>(vm, &name).unwrap_or_default(), value))
        });
        Ok((tuple::<P>(vm, &args)?, named.collect::<Result<_, _>>()?))
    }

    fn object<'a>(&self, vm: P::Vm<'a>) -> Result<P::Object<'a>, P::Error> {
        if let Some(object) = self.object.get() {
            return Ok(P::held(vm, object));
        }
        let functions = &self.shared.functions;
        let made = Shared::<P>::call(vm, &functions.new_session, Vec::new())?;
        // Where another thread was faster, its object is the one.
        drop(self.object.set(self.shared.runtime.hold(made.clone())));
        Ok(self.object.get().map_or(made, |object| P::held(vm, object)))
    }

    fn call_method<'a>(
        &self,
        vm: P::Vm<'a>,
        name: &str,
        args: Vec<P::Object<'a>>,
    ) -> Result<P::Object<'a>, P::Error> {
        let method = P::attr(vm, &self.object(vm)?, name)?;
        P::call(vm, &method, args, Vec::new())
    }

    /// A method of the session's object.
    fn evaluate(self: &Arc<PySession<P>>, method: &str, source: Any) -> ObjectResult {
        self.run(|vm| {
            let source = self.to_python(vm, source)?;
            let result = self.call_method(vm, method, vec![source])?;
            self.to_any(vm, &result)
        })
    }

    /// A function of the sources.
    fn ask(
        self: &Arc<PySession<P>>,
        function: impl FnOnce(&Functions<P::Held>) -> &P::Held,
        args: impl IntoIterator<Item = Any>,
    ) -> ObjectResult {
        self.run(|vm| {
            let args = args.into_iter().map(|arg| self.to_python(vm, arg));
            let args = args.collect::<Result<_, _>>()?;
            let result = Shared::<P>::call(vm, function(&self.shared.functions), args)?;
            self.to_any(vm, &result)
        })
    }

    fn attribute(self: &Arc<PySession<P>>, name: &str) -> ObjectResult {
        self.run(|vm| {
            let attribute = P::attr(vm, &self.object(vm)?, name)?;
            self.to_any(vm, &attribute)
        })
    }
}

/// A tuple of names and values.
fn pairs<'a, P: Runtime>(
    vm: P::Vm<'a>,
    named: Vec<(Str, P::Object<'a>)>,
) -> Result<P::Object<'a>, P::Error> {
    let pairs = named.into_iter().map(|(name, value)| {
        let pair = vec![text::<P>(vm, name)?, value];
        P::make(vm, Plain::Tuple(pair))
    });
    P::make(vm, Plain::Tuple(pairs.collect::<Result<_, _>>()?))
}

/// Puts the program's parts into the interpreter: modules, a start-up script, rules for imports.
///
/// # Errors
/// What the script raised.
pub fn install<P: Runtime>(
    home: &Arc<PySession<P>>,
    options: &EvaluatorOptions,
) -> Result<(), Exception> {
    for module in &options.modules {
        let members = module.members().iter();
        let members =
            members.map(|(name, value)| Any::tuple([name.as_str().into(), value.clone()]));
        let doc = module.docstring().map_or(Any::NONE, Any::from);
        let args = [Any::from(module.name()), doc, Any::tuple(members)];
        home.ask(|its| &its.add_module, args)?;
    }
    if let Some(init) = &options.init {
        let script = [
            Any::from(init.name()),
            Any::from(init.source()),
            Any::from(init.is_compiled_alone()),
        ];
        home.ask(|its| &its.run_init, script)?;
    }
    if !options.imports.is_all() {
        let rules = Any::Value(options.imports.rules());
        home.ask(|its| &its.restrict_imports, [rules])?;
    }
    Ok(())
}

/// The [`Session`] of an evaluator: a session that hands out references to itself.
#[derive(Debug)]
pub struct OpenSession<P: Runtime>(pub Arc<PySession<P>>);

impl<P: Runtime> Session for OpenSession<P> {
    fn connected(&self, connection: &Connection, this: ObjectRef) {
        let connections = &self.0.shared.connections;
        self.0.peer.connected(connections, connection, this);
    }

    fn this(&self) -> Option<ObjectRef> {
        self.0.peer.connection().map(|(_, this)| this)
    }

    fn eval(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate("eval", source)
    }

    fn execute(&self, _: &Context<'_>, source: Any) -> ObjectResult {
        self.0.evaluate("execute", source)
    }

    fn define(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        self.0.run(|vm| {
            let args = vec![text::<P>(vm, name)?, self.0.to_python(vm, value)?];
            self.0.call_method(vm, "define", args).map(drop)
        })
    }

    fn import(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        self.0.ask(|its| &its.import_module, [Any::from(name)])
    }

    fn call(&self, module: &str, function: &str, args: Vec<Any>) -> ObjectResult {
        let call = [Any::from(module), Any::from(function)];
        self.0
            .ask(|its| &its.call_function, call.into_iter().chain(args))
    }

    fn async_result(&self, answer: AsyncResult) -> ObjectResult {
        let class = &self.0.shared.functions.async_result;
        self.0.run(|vm| {
            let answer = P::wrap_answer(vm, Answer::new(answer, &self.0))?;
            let result = Shared::<P>::call(vm, class, vec![answer])?;
            self.0.to_any(vm, &result)
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
        session.shared.runtime.end(&session.work, client);
        let state = session.take_state();
        let ended = session.shared.runtime.attached(|vm| {
            drop(state);
            let forgotten = P::session_ended(vm, session);
            let ended = match session.object.get() {
                Some(_) => session.call_method(vm, "end", Vec::new()).map(drop),
                None => Ok(()),
            };
            if let Err(error) = forgotten.and(ended) {
                let what = P::class_name(&P::exception(vm, error));
                log::debug!("the end of a session: {what}");
            }
        });
        // With the interpreter gone there is nothing to let go of.
        drop(ended);
    }
}

impl<P: Runtime> Drop for OpenSession<P> {
    fn drop(&mut self) {
        self.0.shared.runtime.session_dropped();
    }
}

impl<P: Runtime> fmt::Debug for PySession<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PySession").finish_non_exhaustive()
    }
}
