//! The server's end of a connection as Python code gets it from `conn.root.getconn()`: through it, code
//! on the server's side drives the client.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rpyc_core::Exception;
use rpyc_core::args;
use rpyc_core::codec::{Str, Value};
use rpyc_core::object::{Any, Args, Context, IdParts, Method, Object, ObjectRef, ObjectResult};
use rpyc_core::{Connection, WeakConnection};

use crate::arguments::MethodDef;
use crate::evaluator::Session;

/// The connection of a session.
pub(crate) struct ServerConnection {
    connection: WeakConnection,
    session: Weak<dyn Session>,
    this: Weak<ServerConnection>,
}

impl ServerConnection {
    pub(crate) fn object(connection: &Connection, session: Weak<dyn Session>) -> ObjectRef {
        Arc::new_cyclic(|this| ServerConnection {
            connection: connection.downgrade(),
            session,
            this: this.clone(),
        })
    }

    fn connection(&self) -> Result<Connection, Exception> {
        let connection = self.connection.upgrade();
        connection.ok_or_else(|| Exception::eof_error("the connection is closed"))
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
                return Ok(Any::object(Modules { getmodule }));
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
            "__doc__" => return Ok(Any::NONE),
            _ => {}
        }
        let this = self.this.upgrade();
        match this.and_then(|this| MethodDef::find(CONNECTION_METHODS, &this, name)) {
            Some(method) => Ok(Any::object(method)),
            None => Err(self.no_attribute(name)),
        }
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
        ];
        let methods = CONNECTION_METHODS.iter().map(|method| method.name);
        Ok(methods.chain(attributes).map(Str::from_static).collect())
    }
}

static CONNECTION_METHODS: &[MethodDef<ServerConnection>] = &[
    MethodDef {
        name: "ping",
        parameters: &["data", "timeout"],
        required: 0,
        body: |this, _, _| {
            this.connection()?.ping().map_err(Exception::from)?;
            Ok(Any::NONE)
        },
    },
    MethodDef {
        name: "close",
        parameters: &[],
        required: 0,
        body: |this, _, _| {
            this.connection()?.close().map_err(Exception::from)?;
            Ok(Any::NONE)
        },
    },
    MethodDef {
        name: "serve",
        parameters: &["timeout"],
        required: 0,
        body: |this, _, args| this.poll(&args, 1.0),
    },
    MethodDef {
        name: "poll",
        parameters: &["timeout"],
        required: 0,
        body: |this, _, args| this.poll(&args, 0.0),
    },
];

impl ServerConnection {
    fn poll(&self, args: &[Option<Any>], default: f64) -> ObjectResult {
        let timeout = args
            .first()
            .and_then(Option::as_ref)
            .and_then(Any::as_value);
        let seconds = match timeout {
            None => default,
            Some(Value::Float(seconds)) => *seconds,
            Some(value) => value
                .as_i64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .map(f64::from)
                .ok_or_else(|| Exception::type_error("a timeout is a number of seconds"))?,
        };
        let timeout = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Exception::value_error("a timeout is a number of seconds, at least 0"))?;
        let served = self.connection()?.poll(timeout).map_err(Exception::from)?;
        Ok(Any::from(served))
    }
}

/// `conn.modules`: the peer's modules, by attribute or in brackets.
struct Modules {
    getmodule: Any,
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
            if exception.is("ImportError") || exception.is("ModuleNotFoundError") {
                return Exception::attribute_error(name);
            }
            exception
        })
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let argument = args.positional.into_iter().next();
        match (name, argument) {
            ("__getitem__", Some(module)) => self.module(cx, module),
            ("__contains__", Some(module)) => Ok(Any::from(self.module(cx, module).is_ok())),
            _ => Err(self.no_attribute(name)),
        }
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[Method]>> {
        Ok(names(&["__contains__", "__getitem__"]))
    }
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
        let connection =
            connection.ok_or_else(|| Exception::eof_error("the connection is closed"))?;
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
