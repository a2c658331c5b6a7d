//! The server's end of a connection as Python code gets it from `conn.root.getconn()`: through it, code
//! on the server's side drives the client.

mod channel;
mod config;
mod modules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use rpyc_core::Connection;
use rpyc_core::Exception;
use rpyc_core::args;
use rpyc_core::object::{Any, Context, IdParts, MethodInfo, Object, ObjectRef, ObjectResult};
use rpyc_core::session::WeakConnection;
use rpyc_core::wire::{Handler, Str, Value};

use self::channel::Channel;
use self::config::ConfigView;
use self::modules::Modules;
pub(crate) use self::modules::is_import_error;
use crate::arguments::{MethodDef, method};
use crate::evaluator::Session;
use crate::options::BeforeClosed;
use crate::target::raised;
use crate::threads::lock;

/// What keeps a connection open that Python code has made: it is closed when nothing holds this any
/// more. There before the connection is, for what comes over it first.
#[derive(Debug, Default)]
pub struct Keeper {
    connection: OnceLock<Connection>,
    // What the code has given it: `conn.name = ...`.
    attributes: Mutex<HashMap<String, Any>>,
}

impl Keeper {
    /// Keeps the connection from now on.
    pub fn keep(&self, connection: Connection) {
        // Whoever makes a connection does it once.
        let _ = self.connection.set(connection);
    }

    /// The connection, once it is there: also when it is closed.
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.connection.get().cloned()
    }
}

/// The connection of a session, or one that Python code has made.
pub struct ServerConnection {
    connection: WeakConnection,
    // Of a connection that Python code has made: it is closed when nothing holds it any more.
    keeper: Option<Arc<Keeper>>,
    session: Weak<dyn Session>,
    // What this side offers, as long as the connection is open.
    root: Weak<dyn Object>,
    // Where a service has it, rather than code of clients'.
    before_closed: Option<Arc<Mutex<BeforeClosed>>>,
    this: Weak<ServerConnection>,
}

impl ServerConnection {
    /// The object for a session's connection; it doesn't keep the connection.
    #[must_use]
    pub fn object(
        connection: &Connection,
        session: Weak<dyn Session>,
        root: &ObjectRef,
    ) -> ObjectRef {
        ServerConnection::made(
            connection.downgrade(),
            session,
            Arc::downgrade(root),
            None,
            None,
        )
    }

    /// The same as a service in Python gets it, which may change all of its connection's options.
    #[must_use]
    pub(crate) fn of_service(
        connection: &Connection,
        session: Weak<dyn Session>,
        root: &ObjectRef,
        before_closed: Arc<Mutex<BeforeClosed>>,
    ) -> ObjectRef {
        let (connection, root) = (connection.downgrade(), Arc::downgrade(root));
        ServerConnection::made(connection, session, root, Some(before_closed), None)
    }

    fn made(
        connection: WeakConnection,
        session: Weak<dyn Session>,
        root: Weak<dyn Object>,
        before_closed: Option<Arc<Mutex<BeforeClosed>>>,
        keeper: Option<Arc<Keeper>>,
    ) -> ObjectRef {
        Arc::new_cyclic(|this| ServerConnection {
            connection,
            keeper,
            session,
            root,
            before_closed,
            this: this.clone(),
        })
    }

    /// The same as `object`, and it keeps the connection open: what the code of an evaluator opens.
    ///
    /// None where `object` isn't one that [`object`](ServerConnection::object) has made.
    #[must_use]
    pub fn keeping(object: &ObjectRef, keeper: Arc<Keeper>) -> Option<ObjectRef> {
        let object: &dyn std::any::Any = &**object;
        let object = object.downcast_ref::<ServerConnection>()?;
        let (connection, session) = (object.connection.clone(), object.session.clone());
        let (root, before_closed) = (object.root.clone(), object.before_closed.clone());
        let made = ServerConnection::made(connection, session, root, before_closed, Some(keeper));
        Some(made)
    }

    fn connection(&self) -> Result<Connection, Exception> {
        self.connection.upgrade().ok_or_else(gone)
    }

    fn is_closed(&self) -> bool {
        self.connection()
            .map_or(true, |connection| connection.is_closed())
    }

    fn peer_root(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        let root = self.connection()?.root().map_err(raised)?;
        attr(cx, &root, name)
    }
}

opaque!(ServerConnection);

/// An attribute of a peer's or a local object.
fn attr(cx: &Context<'_>, of: &Any, name: &str) -> ObjectResult {
    match of {
        Any::Netref(netref) => netref.attr(name).map_err(raised),
        Any::Local(object) => object.attr(cx, name),
        Any::Value(_) | Any::Tuple(_) => Err(Exception::attribute_error(format!(
            "'{}' object has no attribute '{name}'",
            of.type_name()
        ))),
    }
}

impl Object for ServerConnection {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.protocol.Connection", self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "root" | "_remote_root" => {
                return self.connection()?.root().map_err(raised);
            }
            "eval" | "execute" | "namespace" => return self.peer_root(cx, name),
            "builtins" | "builtin" => {
                return self
                    .peer_root(cx, "getmodule")?
                    .call_in(cx, args!["builtins"]);
            }
            "modules" => {
                let getmodule = self.peer_root(cx, "getmodule")?;
                return Ok(Any::object(Modules {
                    getmodule,
                    _keeper: self.keeper.clone(),
                }));
            }
            "closed" | "_closed" => return Ok(Any::from(self.is_closed())),
            "_bind_threads" => return Ok(Any::from(self.connection()?.config().bind_threads)),
            "_channel" => {
                return Ok(Channel::object(
                    self.connection.clone(),
                    self.session.clone(),
                ));
            }
            "_config" => {
                return Ok(ConfigView::object(
                    self.connection.clone(),
                    self.before_closed.clone(),
                ));
            }
            "_local_root" => {
                let root = self.root.upgrade().filter(|_| !self.is_closed());
                return Ok(root.map_or(Any::NONE, Any::Local));
            }
            "_last_traceback" => {
                return match self.session.upgrade() {
                    Some(session) => session.last_traceback(cx),
                    None => Ok(Any::NONE),
                };
            }
            "teleport" => return self.teleport(cx),
            "__doc__" => return Ok(Any::NONE),
            _ => {}
        }
        if let Some(method) = MethodDef::bound(CONNECTION_METHODS, &self.this, name) {
            return Ok(method);
        }
        let keeper = self.keeper.as_ref();
        let given = keeper.and_then(|keeper| lock(&keeper.attributes).get(name).cloned());
        given.ok_or_else(|| self.no_attribute(name))
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        let Some(keeper) = &self.keeper else {
            return Err(self.no_attribute(name));
        };
        let before = lock(&keeper.attributes).insert(name.to_owned(), value);
        drop(before);
        Ok(())
    }

    fn exit(&self, _: &Context<'_>, _: Any) -> ObjectResult {
        self.close()
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        let connection = self.connection()?;
        let connid = connection.connid();
        Ok(Str::from(format!(
            "<rpyc.core.protocol.Connection '{connid}' object>"
        )))
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let attributes = [
            "_bind_threads",
            "_channel",
            "_closed",
            "_config",
            "_last_traceback",
            "_local_root",
            "_remote_root",
            "builtin",
            "builtins",
            "closed",
            "eval",
            "execute",
            "modules",
            "namespace",
            "root",
            "teleport",
        ];
        let methods = CONNECTION_METHODS.iter().map(|method| method.name);
        Ok(methods.chain(attributes).map(Str::from_static).collect())
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(method_names(CONNECTION_METHODS))
    }
}

static CONNECTION_METHODS: &[MethodDef<ServerConnection>] = &[
    method("ping", &["data", "timeout"], 0, |this, _, args| {
        this.ping(args)
    }),
    method("close", &[], 0, |this, _, _| this.close()),
    method(
        "serve",
        &["timeout", "wait_for_lock", "waiting"],
        0,
        |this, cx, args| {
            // What Python's AsyncResult passes: whether its answer is still to come.
            if let Some(waiting) = &args[2]
                && waiting
                    .call_in(cx, args![])?
                    .as_value()
                    .and_then(Value::as_bool)
                    == Some(false)
            {
                return Ok(Any::from(false));
            }
            let served = this.connection()?.serve(timeout(&args[0], 1.0)?);
            Ok(Any::from(served.map_err(raised)?))
        },
    ),
    method("poll", &["timeout"], 0, |this, _, args| {
        let served = this.connection()?.serve(timeout(&args[0], 0.0)?);
        Ok(Any::from(served.map_err(raised)?))
    }),
    method("poll_all", &["timeout"], 0, |this, _, args| {
        let timeout = timeout(&args[0], 0.0)?.unwrap_or(Duration::MAX);
        let served = this.connection()?.poll_all(timeout);
        Ok(Any::from(served.map_err(raised)?))
    }),
    method("serve_all", &[], 0, |this, _, _| {
        this.connection()?.serve_all();
        Ok(Any::NONE)
    }),
    method("serve_threaded", &["thread_count"], 0, |this, _, args| {
        this.serve_threaded(args[0].as_ref())
    }),
    method("fileno", &[], 0, |this, _, _| {
        match this.connection()?.fileno() {
            Some(descriptor) => Ok(Any::from(i64::from(descriptor))),
            None => Err(Exception::value_error("the stream has no descriptor")),
        }
    }),
    method("sync_request", &["handler", "*args"], 1, |this, _, args| {
        this.sync_request(args)
    }),
    method(
        "async_request",
        &["handler", "*args", "timeout"],
        1,
        |this, _, args| this.async_request(args),
    ),
    method("__enter__", &[], 0, |this, _, _| {
        this.this
            .upgrade()
            .map(|this| Any::Local(this))
            .ok_or_else(gone)
    }),
];

impl ServerConnection {
    fn close(&self) -> ObjectResult {
        // Else it is closed already.
        if let Ok(connection) = self.connection() {
            connection.close().map_err(raised)?;
        }
        Ok(Any::NONE)
    }

    fn ping(&self, args: Vec<Option<Any>>) -> ObjectResult {
        let timeout = timeout(&args[1], 3.0)?;
        let connection = self.connection()?;
        let answered = match args.into_iter().next().flatten() {
            None | Some(Any::Value(Value::None)) => connection.ping_with(PING_DATA, timeout),
            Some(Any::Value(data)) => connection.ping_with(data, timeout),
            Some(_) => {
                return Err(Exception::type_error(
                    "ping() takes data that goes by value",
                ));
            }
        };
        answered.map_err(raised)?;
        Ok(Any::NONE)
    }

    fn sync_request(&self, args: Vec<Option<Any>>) -> ObjectResult {
        let (handler, args) = request(args)?;
        let answer = self.connection()?.sync_request(handler, args);
        answer.map_err(raised)
    }

    fn async_request(&self, mut args: Vec<Option<Any>>) -> ObjectResult {
        let expiry = timeout(&args.remove(1), -1.0)?;
        let (handler, args) = request(args)?;
        let connection = self.connection()?;
        let result = connection.async_request_within(handler, args, expiry);
        let result = result.map_err(raised)?;
        self.session
            .upgrade()
            .ok_or_else(gone)?
            .async_result(result)
    }

    fn serve_threaded(&self, threads: Option<&Any>) -> ObjectResult {
        let threads = match threads {
            None => Some(10),
            Some(threads) => threads.as_value().and_then(Value::as_u64),
        };
        let threads = threads.and_then(|threads| usize::try_from(threads).ok());
        match threads {
            Some(threads @ 1..=MAX_SERVING) => {
                self.connection()?.serve_threaded(threads);
                Ok(Any::NONE)
            }
            _ => Err(Exception::value_error(format!(
                "a connection is served by 1 to {MAX_SERVING} threads"
            ))),
        }
    }

    /// `conn.teleport`: the function of `rpyc.utils.classic`, bound to this connection.
    fn teleport(&self, cx: &Context<'_>) -> ObjectResult {
        let session = self.session.upgrade().ok_or_else(gone)?;
        let this = self.this.upgrade().ok_or_else(gone)?;
        let classic = session.import(cx, "rpyc.utils.classic")?;
        let function = attr(cx, &classic, "teleport_function")?;
        let partial = attr(cx, &session.import(cx, "functools")?, "partial")?;
        partial.call_in(cx, args![function, Any::Local(this)])
    }
}

/// The handler's number, and what it is given.
fn request(args: Vec<Option<Any>>) -> Result<(Handler, Vec<Any>), Exception> {
    let mut args = args.into_iter().flatten();
    let handler = args.next();
    let handler = handler.as_ref().and_then(Any::as_value);
    let handler = handler
        .and_then(Value::as_i64)
        .ok_or_else(|| Exception::type_error("a handler is an int"))?;
    Ok((Handler::from_number(handler), args.collect()))
}

fn gone() -> Exception {
    Exception::eof_error("the connection is closed")
}

/// Seconds from Python: None waits for ever, as a negative number does.
fn timeout(given: &Option<Any>, default: f64) -> Result<Option<Duration>, Exception> {
    let wrong = || Exception::type_error("a timeout is a number of seconds, or None");
    let seconds = match given.as_ref() {
        None => default,
        Some(given) => match given.as_value() {
            Some(Value::None) => return Ok(None),
            Some(Value::Float(seconds)) => *seconds,
            Some(value) => {
                let seconds = value
                    .as_i64()
                    .and_then(|seconds| i32::try_from(seconds).ok());
                f64::from(seconds.ok_or_else(wrong)?)
            }
            None => return Err(wrong()),
        },
    };
    if seconds < 0.0 {
        return Ok(None);
    }
    Duration::try_from_secs_f64(seconds)
        .map(Some)
        .map_err(|_| wrong())
}

/// Threads that one call of `serve_threaded` may start: it stops a number that was mistyped.
const MAX_SERVING: usize = 1000;

/// What is sent where nothing is given.
const PING_DATA: &str = "abcdefghijklmnopqrstuvwxyz";

fn names(names: &[&'static str]) -> Arc<[MethodInfo]> {
    names
        .iter()
        .map(|name| (Str::from_static(name), None))
        .collect()
}

fn method_names<T>(methods: &[MethodDef<T>]) -> Arc<[MethodInfo]> {
    let methods: Vec<_> = methods.iter().map(|method| method.name).collect();
    names(&methods)
}
