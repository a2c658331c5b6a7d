//! The server's end of a connection as Python code gets it from `conn.root.getconn()`: through it, code
//! on the server's side drives the client.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rpyc_core::Exception;
use rpyc_core::args;
use rpyc_core::codec::{Handler, Str, Value};
use rpyc_core::object::{Any, Args, Context, IdParts, Method, Object, ObjectRef, ObjectResult};
use rpyc_core::{Connection, WeakConnection};

use crate::arguments::MethodDef;
use crate::evaluator::Session;

/// The connection of a session, or one that Python code has made.
pub(crate) struct ServerConnection {
    connection: WeakConnection,
    // Of a connection that Python code has made: it is closed when nothing holds it any more.
    owner: Option<Arc<Connection>>,
    session: Weak<dyn Session>,
    this: Weak<ServerConnection>,
}

impl ServerConnection {
    pub(crate) fn object(connection: &Connection, session: Weak<dyn Session>) -> ObjectRef {
        ServerConnection::with_owner(connection.downgrade(), None, session)
    }

    /// The same, and it keeps the connection open: what the code of an evaluator opens.
    #[cfg(feature = "rustpython")]
    pub(crate) fn owning(owner: Arc<Connection>, session: Weak<dyn Session>) -> ObjectRef {
        ServerConnection::with_owner(owner.downgrade(), Some(owner), session)
    }

    fn with_owner(
        connection: WeakConnection,
        owner: Option<Arc<Connection>>,
        session: Weak<dyn Session>,
    ) -> ObjectRef {
        Arc::new_cyclic(|this| ServerConnection {
            connection,
            owner,
            session,
            this: this.clone(),
        })
    }

    fn connection(&self) -> Result<Connection, Exception> {
        let connection = match &self.owner {
            Some(owner) => Some(Connection::clone(owner)),
            None => self.connection.upgrade(),
        };
        connection.ok_or_else(gone)
    }

    fn peer_root(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        let root = self.connection()?.root().map_err(Exception::from)?;
        attr(cx, &root, name)
    }
}

/// An attribute of a peer's or a local object.
fn attr(cx: &Context<'_>, of: &Any, name: &str) -> ObjectResult {
    match of {
        Any::Netref(netref) => netref.attr(name).map_err(Exception::from),
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
            "root" => return self.connection()?.root().map_err(Exception::from),
            "eval" | "execute" | "namespace" => return self.peer_root(cx, name),
            "builtins" | "builtin" => {
                return self.peer_root(cx, "getmodule")?.call(cx, args!["builtins"]);
            }
            "modules" => {
                let getmodule = self.peer_root(cx, "getmodule")?;
                let owner = self.owner.clone();
                return Ok(Any::object(Modules {
                    getmodule,
                    _owner: owner,
                }));
            }
            "closed" => {
                return Ok(Any::from(
                    self.connection()
                        .map_or(true, |connection| connection.is_closed()),
                ));
            }
            "_config" => {
                let connection = self.connection.clone();
                return Ok(Any::Local(Arc::new_cyclic(|this| ConfigView {
                    connection,
                    this: this.clone(),
                })));
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
        let this = self.this.upgrade();
        match this.and_then(|this| MethodDef::find(CONNECTION_METHODS, &this, name)) {
            Some(method) => Ok(Any::object(method)),
            None => Err(self.no_attribute(name)),
        }
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
            "_config",
            "_last_traceback",
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

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[Method]>> {
        let methods: Vec<_> = CONNECTION_METHODS
            .iter()
            .map(|method| method.name)
            .collect();
        Ok(names(&methods))
    }
}

static CONNECTION_METHODS: &[MethodDef<ServerConnection>] = &[
    MethodDef {
        name: "ping",
        parameters: &["data", "timeout"],
        required: 0,
        body: |this, _, args| this.ping(args),
    },
    MethodDef {
        name: "close",
        parameters: &[],
        required: 0,
        body: |this, _, _| this.close(),
    },
    MethodDef {
        name: "serve",
        parameters: &["timeout", "wait_for_lock"],
        required: 0,
        body: |this, _, args| {
            let served = this.connection()?.serve(timeout(&args[0], 1.0)?);
            Ok(Any::from(served.map_err(Exception::from)?))
        },
    },
    MethodDef {
        name: "poll",
        parameters: &["timeout"],
        required: 0,
        body: |this, _, args| {
            let served = this.connection()?.serve(timeout(&args[0], 0.0)?);
            Ok(Any::from(served.map_err(Exception::from)?))
        },
    },
    MethodDef {
        name: "poll_all",
        parameters: &["timeout"],
        required: 0,
        body: |this, _, args| {
            let timeout = timeout(&args[0], 0.0)?.unwrap_or(Duration::MAX);
            let served = this.connection()?.poll_all(timeout);
            Ok(Any::from(served.map_err(Exception::from)?))
        },
    },
    MethodDef {
        name: "fileno",
        parameters: &[],
        required: 0,
        body: |this, _, _| match this.connection()?.fileno() {
            Some(descriptor) => Ok(Any::from(i64::from(descriptor))),
            None => Err(Exception::value_error("the stream has no descriptor")),
        },
    },
    MethodDef {
        name: "sync_request",
        parameters: &["handler", "*args"],
        required: 1,
        body: |this, _, args| this.sync_request(args),
    },
    MethodDef {
        name: "__enter__",
        parameters: &[],
        required: 0,
        body: |this, _, _| {
            this.this
                .upgrade()
                .map(|this| Any::Local(this))
                .ok_or_else(gone)
        },
    },
];

impl ServerConnection {
    fn close(&self) -> ObjectResult {
        // Else it is closed already.
        if let Ok(connection) = self.connection() {
            connection.close().map_err(Exception::from)?;
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
        answered.map_err(Exception::from)?;
        Ok(Any::NONE)
    }

    fn sync_request(&self, args: Vec<Option<Any>>) -> ObjectResult {
        let mut args = args.into_iter().flatten();
        let handler = args.next();
        let handler = handler.as_ref().and_then(Any::as_value);
        let handler = handler
            .and_then(Value::as_i64)
            .ok_or_else(|| Exception::type_error("a handler is an int"))?;
        let connection = self.connection()?;
        let answer = connection.sync_request(Handler::from_number(handler), args.collect());
        answer.map_err(Exception::from)
    }

    /// `conn.teleport`: the function of `rpyc.utils.classic`, bound to this connection.
    fn teleport(&self, cx: &Context<'_>) -> ObjectResult {
        let session = self.session.upgrade().ok_or_else(gone)?;
        let this = self.this.upgrade().ok_or_else(gone)?;
        let classic = session.import(cx, "rpyc.utils.classic")?;
        let function = attr(cx, &classic, "teleport_function")?;
        let partial = attr(cx, &session.import(cx, "functools")?, "partial")?;
        partial.call(cx, args![function, Any::Local(this)])
    }
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

/// What is sent where nothing is given.
const PING_DATA: &str = "abcdefghijklmnopqrstuvwxyz";

/// `conn.modules`: the peer's modules, by attribute or in brackets.
struct Modules {
    getmodule: Any,
    _owner: Option<Arc<Connection>>,
}

impl Modules {
    fn module(&self, cx: &Context<'_>, name: Any) -> ObjectResult {
        self.getmodule.call(cx, Args::from(vec![name]))
    }
}

impl Object for Modules {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.service.ModuleNamespace", self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        if name.starts_with("__") {
            return Err(self.no_attribute(name));
        }
        self.module(cx, Any::from(name)).map_err(|exception| {
            if is_import_error(&exception) {
                return Exception::attribute_error(name);
            }
            exception
        })
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let argument = args.positional.into_iter().next();
        match (name, argument) {
            ("__getitem__", Some(module)) => self.module(cx, module),
            ("__contains__", Some(module)) => match self.module(cx, module) {
                Ok(_) => Ok(Any::from(true)),
                Err(missing) if is_import_error(&missing) => Ok(Any::from(false)),
                Err(other) => Err(other),
            },
            _ => Err(self.no_attribute(name)),
        }
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[Method]>> {
        Ok(names(&["__contains__", "__getitem__"]))
    }
}

fn is_import_error(exception: &Exception) -> bool {
    exception.is("ImportError") || exception.is("ModuleNotFoundError")
}

/// `conn._config`: the options that programs read and change while a connection lives.
struct ConfigView {
    connection: WeakConnection,
    this: Weak<ConfigView>,
}

impl Object for ConfigView {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.protocol.Config", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        let this = self.this.upgrade();
        match this.and_then(|this| MethodDef::find(CONFIG_METHODS, &this, name)) {
            Some(method) => Ok(Any::object(method)),
            None => Err(self.no_attribute(name)),
        }
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[Method]>> {
        let methods: Vec<_> = CONFIG_METHODS.iter().map(|method| method.name).collect();
        Ok(names(&methods))
    }
}

impl ConfigView {
    fn option(&self, key: &str) -> Option<Any> {
        let connection = self.connection.upgrade()?;
        let config = connection.config();
        Some(match key {
            "allow_all_attrs" => Any::from(config.allow_all_attrs),
            "allow_delattr" => Any::from(config.allow_delattr),
            "allow_exposed_attrs" => Any::from(config.allow_exposed_attrs),
            "allow_getattr" => Any::from(config.allow_getattr),
            "allow_pickle" => Any::from(config.allow_pickle),
            "allow_public_attrs" => Any::from(config.allow_public_attrs),
            "allow_safe_attrs" => Any::from(config.allow_safe_attrs),
            "allow_setattr" => Any::from(config.allow_setattr),
            "connid" => Any::from(connection.connid()),
            "exposed_prefix" => Any::from(config.exposed_prefix.as_str()),
            "include_local_traceback" => Any::from(config.include_local_traceback),
            "include_local_version" => Any::from(config.include_local_version),
            "log_exceptions" => Any::from(config.log_exceptions),
            "sync_request_timeout" => match config.sync_request_timeout {
                Some(timeout) => Any::from(timeout.as_secs_f64()),
                None => Any::NONE,
            },
            _ => return None,
        })
    }

    fn set_option(&self, key: &str, value: &Any) -> ObjectResult {
        let connection = self.connection.upgrade();
        let connection = connection.ok_or_else(gone)?;
        let value = value.as_value();
        if key == "sync_request_timeout" {
            let wrong = || {
                Exception::value_error("'sync_request_timeout' takes seconds, 0 or more, or None")
            };
            let timeout = match value {
                Some(Value::None) => None,
                Some(Value::Float(seconds)) => {
                    Some(Duration::try_from_secs_f64(*seconds).map_err(|_| wrong())?)
                }
                other => {
                    let seconds = other.and_then(Value::as_u64).ok_or_else(wrong)?;
                    Some(Duration::from_secs(seconds))
                }
            };
            connection.update_config(|config| config.sync_request_timeout = timeout);
            return Ok(Any::NONE);
        }
        let Some(on) = value.and_then(Value::as_bool) else {
            return Err(Exception::type_error(format!("'{key}' takes a bool here")));
        };
        let mut is_known = true;
        connection.update_config(|config| match key {
            "allow_public_attrs" => config.allow_public_attrs = on,
            "allow_safe_attrs" => config.allow_safe_attrs = on,
            "include_local_traceback" => config.include_local_traceback = on,
            "include_local_version" => config.include_local_version = on,
            "log_exceptions" => config.log_exceptions = on,
            _ => is_known = false,
        });
        match is_known {
            true => Ok(Any::NONE),
            false => Err(Exception::key_error(key)),
        }
    }
}

static CONFIG_METHODS: &[MethodDef<ConfigView>] = &[
    MethodDef {
        name: "__getitem__",
        parameters: &["key"],
        required: 1,
        body: |this, _, args| {
            let key = key(&args)?;
            this.option(&key)
                .ok_or_else(|| Exception::key_error(key.as_str()))
        },
    },
    MethodDef {
        name: "__setitem__",
        parameters: &["key", "value"],
        required: 2,
        body: |this, _, args| match &args[1] {
            Some(value) => this.set_option(&key(&args)?, value),
            None => Err(Exception::type_error("a value is missing")),
        },
    },
    MethodDef {
        name: "__contains__",
        parameters: &["key"],
        required: 1,
        body: |this, _, args| Ok(Any::from(this.option(&key(&args)?).is_some())),
    },
    MethodDef {
        name: "get",
        parameters: &["key", "default"],
        required: 1,
        body: |this, _, mut args| {
            let known = this.option(&key(&args)?);
            Ok(known.or_else(|| args[1].take()).unwrap_or(Any::NONE))
        },
    },
];

fn key(args: &[Option<Any>]) -> Result<String, Exception> {
    let key = args.first().and_then(Option::as_ref).and_then(Any::as_str);
    key.map(str::to_owned)
        .ok_or_else(|| Exception::type_error("an option's name is a str"))
}

fn names(names: &[&'static str]) -> Arc<[Method]> {
    names
        .iter()
        .map(|name| (Str::from_static(name), None))
        .collect()
}
