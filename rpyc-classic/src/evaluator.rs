//! [`Evaluator`]: what [`SlaveService`](crate::SlaveService) needs of a Python engine.
//!
//! What crosses this boundary are RPyC's own values and objects; no type of an engine's stands
//! here, so that another engine (a CPython behind a C interface, say) fits as well.

use std::sync::Arc;

use rpyc_core::Connection;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Context, ObjectRef, ObjectResult};

/// A Python engine: it evaluates the clients' code.
///
/// One engine serves all connections of a process. Everything that a
/// [`Session`] hands out runs on the threads of [`executor`](Evaluator::executor), which the
/// engine prepares for its code: they belong to the interpreter for their whole life and are attached
/// to it while they run code (not while they wait for a peer), with a stack that deep recursion fits
/// in.
pub trait Evaluator: Send + Sync + 'static {
    /// The engine's name and version, for people.
    fn name(&self) -> String;

    /// The threads that run the clients' requests.
    fn executor(&self) -> Arc<dyn Executor>;

    /// Begins a session: what one connection owns inside the engine. `peer_runs_code` says whether its
    /// peer may run code here, as that of classic mode may.
    fn open(&self, peer_runs_code: bool) -> Arc<dyn Session>;

    /// Stops the engine: functions of Python's `atexit` run and the standard streams are flushed.
    ///
    /// Code that is still running isn't waited for longer than a moment. Stopping again does
    /// nothing.
    fn stop(&self) {}
}

/// What one connection owns inside the engine: its namespace, and the traceback of its last
/// exception.
///
/// Exceptions come out as [`Exception`](rpyc_core::Exception) with the engine's own
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
    /// When the engine has been stopped.
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

    /// The namespace: a dict.
    ///
    /// # Errors
    /// When the engine has been stopped.
    fn namespace(&self, cx: &Context<'_>) -> ObjectResult;

    /// The traceback of the last exception that went out, or None.
    ///
    /// # Errors
    /// When the engine has been stopped.
    fn last_traceback(&self, cx: &Context<'_>) -> ObjectResult;

    /// The connection is closed: lets go of everything.
    fn disconnected(&self);
}
