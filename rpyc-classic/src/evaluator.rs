//! [`Evaluator`]: what [`SlaveService`](crate::SlaveService) needs of a Python.
//!
//! What crosses this boundary are RPyC's own values and objects; no type of an interpreter's stands here.

use std::sync::Arc;

use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Context, ObjectRef, ObjectResult};
use rpyc_core::{AsyncResult, Connection};

/// A Python: it evaluates the clients' code.
///
/// One evaluator serves all connections of a process.
///
/// # Threads
/// Everything that a [`Session`] hands out runs on the threads of [`executor`](Evaluator::executor), which
/// the evaluator prepares for its code: they belong to the interpreter for their whole life, with a stack
/// that deep recursion fits in. Their callers needn't know: such a thread comes *detached* into a method of
/// a session or of one of its objects, is attached for as long as that works with Python's objects, and
/// detached while it waits for a peer. So each of these methods may block, and may run other requests of
/// the peer's meanwhile: no lock is held over a call. Only [`Session::connected`], [`Session::this`] and
/// what an [`Object`](rpyc_core::object::Object) says of itself without a context (its id_pack, its plain
/// type) don't touch the interpreter, and are for any thread.
///
/// # Drops
/// Sessions and their objects may be dropped on any thread, under no lock: on an executing thread what they
/// hold of Python's is let go of at once, and destructors run, which may call clients; elsewhere that is left
/// to an executing thread.
pub trait Evaluator: Send + Sync + 'static {
    /// Its name and version, for people.
    fn name(&self) -> String;

    /// The threads that run the clients' requests.
    fn executor(&self) -> Arc<dyn Executor>;

    /// Begins a session: what one connection owns inside the interpreter. `peer_runs_code` says whether its
    /// peer may run code here, as that of classic mode may.
    fn open(&self, peer_runs_code: bool) -> Arc<dyn Session>;

    /// Stops the interpreter: functions of Python's `atexit` run and the standard streams are flushed.
    ///
    /// Code that is still running isn't waited for longer than a moment. Stopping again does
    /// nothing.
    fn stop(&self) {}
}

/// What one connection owns inside the interpreter: its namespace, and the traceback of its last
/// exception.
///
/// Exceptions come out as [`Exception`](rpyc_core::Exception) with Python's own
/// traceback; so do `SystemExit` and `KeyboardInterrupt`, of which the connection's config says
/// whether they end the request or the connection, and never more.
pub trait Session: Send + Sync {
    /// The connection works: `this` is the object by which Python code knows it.
    fn connected(&self, connection: &Connection, this: ObjectRef);

    /// The object that [`connected`](Session::connected) was given, while there is a connection.
    fn this(&self) -> Option<ObjectRef>;

    /// Evaluates an expression in the session's namespace.
    ///
    /// # Errors
    /// What the expression raised, a SyntaxError included.
    fn eval(&self, cx: &Context<'_>, source: Any) -> ObjectResult;

    /// Executes statements in the session's namespace.
    ///
    /// # Errors
    /// What the statements raised, a SyntaxError included.
    fn execute(&self, cx: &Context<'_>, source: Any) -> ObjectResult;

    /// Puts a value, or an object of this process's, into the namespace.
    ///
    /// # Errors
    /// When the interpreter has been stopped.
    fn define(&self, cx: &Context<'_>, name: &str, value: Any) -> ObjectResult<()>;

    /// Imports the module of that dotted name and returns it.
    ///
    /// # Errors
    /// An ImportError where there is none, or what the module raised.
    fn import(&self, cx: &Context<'_>, name: &str) -> ObjectResult;

    /// Calls a function of a module for the program rather than for the peer, whose restrictions
    /// don't count.
    ///
    /// # Errors
    /// What importing or calling raised.
    fn call(&self, module: &str, function: &str, args: Vec<Any>) -> ObjectResult;

    /// The AsyncResult of Python code for the answer to a request.
    ///
    /// # Errors
    /// When the interpreter has been stopped.
    fn async_result(&self, answer: AsyncResult) -> ObjectResult;

    /// The namespace: a dict.
    ///
    /// # Errors
    /// When the interpreter has been stopped.
    fn namespace(&self, cx: &Context<'_>) -> ObjectResult;

    /// The traceback of the last exception that went out, or None.
    ///
    /// # Errors
    /// When the interpreter has been stopped.
    fn last_traceback(&self, cx: &Context<'_>) -> ObjectResult;

    /// The connection is closed: lets go of everything.
    fn disconnected(&self);
}
