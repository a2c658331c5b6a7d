//! [`SlaveService`]: classic mode, over any [`Evaluator`].

use std::fmt;
use std::sync::{Arc, Weak};

use rpyc_core::Config;
use rpyc_core::Connection;
use rpyc_core::Exception;
use rpyc_core::config::Nesting;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Access, Any, Context, IdParts, Object, ObjectRef, ObjectResult};
use rpyc_core::service::{PeerInfo, Service, ServiceFactory};
use rpyc_core::wire::{Str, Value};

use crate::arguments::{MethodDef, method};
use crate::evaluator::{Evaluator, Session};
use crate::getconn::ServerConnection;

/// What a [`SlaveService`] lets its clients do besides running code.
///
/// ```
/// use rpyc_classic::SlaveOptions;
/// use rpyc_core::Any;
/// use rpyc_core::object::Function;
///
/// let now = Function::new("now", |_, _| Ok(Any::from(1_700_000_000)));
/// let options = SlaveOptions::default()
///     .name("now", Any::object(now))
///     .names(|cx| Ok(vec![("me".to_owned(), Any::from(cx.connection().peer_label()))]));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct SlaveOptions {
    /// Clients may have objects pickled, as `obtain` does. Default: true.
    pub allow_pickle: bool,
    names: Vec<Names>,
}

type Names = Arc<dyn Fn(&Context<'_>) -> Result<Vec<(String, Any)>, Exception> + Send + Sync>;

impl Default for SlaveOptions {
    fn default() -> SlaveOptions {
        SlaveOptions {
            allow_pickle: true,
            names: Vec::new(),
        }
    }
}

impl SlaveOptions {
    /// Puts a value, or an object of the program's, into the namespace of each session.
    #[must_use]
    pub fn name(self, name: impl Into<String>, value: impl Into<Any>) -> SlaveOptions {
        let (name, value) = (name.into(), value.into());
        self.names(move |_| Ok(vec![(name.clone(), value.clone())]))
    }

    /// Puts what the function gives into the namespace of each session; it is asked when a client
    /// has connected, and refuses the client with an exception.
    #[must_use]
    pub fn names(
        mut self,
        names: impl Fn(&Context<'_>) -> Result<Vec<(String, Any)>, Exception> + Send + Sync + 'static,
    ) -> SlaveOptions {
        self.names.push(Arc::new(names));
        self
    }
}

impl fmt::Debug for SlaveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlaveOptions")
            .field("allow_pickle", &self.allow_pickle)
            .finish_non_exhaustive()
    }
}

/// Runs clients' Python code: the service of classic mode. One for each connection.
pub struct SlaveService {
    root: Arc<Root>,
    executor: Arc<dyn Executor>,
    options: SlaveOptions,
}

impl SlaveService {
    /// The service of one connection, with a namespace of its own.
    pub fn new(evaluator: &dyn Evaluator, options: SlaveOptions) -> SlaveService {
        let session = evaluator.open(true);
        SlaveService {
            root: Arc::new_cyclic(|this| Root {
                session,
                this: this.clone(),
            }),
            executor: evaluator.executor(),
            options,
        }
    }

    /// Makes a service for each connection.
    pub fn factory(
        evaluator: Arc<dyn Evaluator>,
        options: SlaveOptions,
    ) -> Arc<dyn ServiceFactory> {
        Arc::new(move || SlaveService::new(&*evaluator, options.clone()))
    }
}

impl Service for SlaveService {
    fn root(&self) -> ObjectRef {
        self.root.clone()
    }

    fn configure(&self, config: &mut Config, _: &mut PeerInfo) {
        config.allow_all_attrs = true;
        config.allow_pickle = self.options.allow_pickle;
        config.allow_getattr = true;
        config.allow_setattr = true;
        config.allow_delattr = true;
        config.allow_exposed_attrs = false;
        config.import_custom_exceptions = true;
        config.instantiate_custom_exceptions = true;
        config.instantiate_oldstyle_exceptions = true;
        config.nesting = Nesting::Stack;
        config.executor = self.executor.clone();
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        let connection = cx.connection();
        let session = Arc::downgrade(&self.root.session);
        let this = ServerConnection::object(connection, session, &self.root());
        self.root.session.connected(connection, this);
        for names in &self.options.names {
            for (name, value) in names(cx)? {
                self.root.session.define(cx, &name, value)?;
            }
        }
        Ok(())
    }

    fn on_disconnect(&self, _: &Connection) {
        self.root.session.disconnected();
    }
}

impl fmt::Debug for SlaveService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlaveService")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The root object that clients get.
struct Root {
    session: Arc<dyn Session>,
    this: Weak<Root>,
}

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.service.SlaveService", self)
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        // Programs of old use the names with the prefix.
        let plain = name.strip_prefix("exposed_").unwrap_or(name);
        match plain {
            "namespace" => return self.session.namespace(cx),
            "_conn" => return self.session.this().map(Any::Local).ok_or_else(gone),
            "ALIASES" => return Ok(Any::tuple([])),
            "__doc__" => return Ok(Any::NONE),
            _ => {}
        }
        let method = MethodDef::bound(METHODS, &self.this, plain);
        method.ok_or_else(|| self.no_attribute(name))
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        _: &str,
        _: Option<&Any>,
    ) -> Option<ObjectResult> {
        match access {
            Access::Get => None,
            Access::Set | Access::Del => Some(Err(Exception::attribute_error("access denied"))),
        }
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        let methods = METHODS.iter().map(|method| method.name);
        Ok(methods.chain(["namespace"]).map(Str::from_static).collect())
    }
}

static METHODS: &[MethodDef<Root>] = &[
    method("eval", &["text"], 1, |root, cx, args| {
        root.session.eval(cx, first(args))
    }),
    method("execute", &["text"], 1, |root, cx, args| {
        root.session.execute(cx, first(args)).map(|_| Any::NONE)
    }),
    method("getmodule", &["name"], 1, |root, cx, args| {
        root.session.import(cx, &module_name(first(args))?)
    }),
    method("getconn", &[], 0, |root, _, _| {
        root.session.this().map(Any::Local).ok_or_else(gone)
    }),
    method("get_service_name", &[], 0, |_, _, _| Ok(Any::from("SLAVE"))),
    method("get_service_aliases", &[], 0, |_, _, _| {
        Ok(Any::tuple([Any::from("SLAVE")]))
    }),
];

fn first(args: Vec<Option<Any>>) -> Any {
    args.into_iter().next().flatten().unwrap_or(Any::NONE)
}

fn gone() -> Exception {
    Exception::eof_error("the connection is closed")
}

/// A module's dotted name, from a str, from bytes (Python 2) or from a tuple of its parts.
fn module_name(name: Any) -> Result<String, Exception> {
    let name = match name {
        Any::Value(Value::Tuple(parts)) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            parts.map(|parts| parts.join("."))
        }
        Any::Value(Value::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).ok(),
        other => other.as_str().map(str::to_owned),
    };
    match name.as_deref() {
        // Python 2's name for it.
        Some("__builtin__") => Ok("builtins".to_owned()),
        Some(name) => Ok(name.to_owned()),
        None => Err(Exception::type_error(
            "a module's name must be a str or a tuple of str",
        )),
    }
}
