//! `conn._config`: the options that programs read and change while a connection lives.

use std::sync::{Arc, Mutex, Weak};

use rpyc_core::args;
use rpyc_core::object::{Any, Context, IdParts, Iter, MethodInfo, Object, ObjectResult};
use rpyc_core::session::WeakConnection;
use rpyc_core::{Config, Connection, Exception};

use super::{gone, method_names};
use crate::arguments::{MethodDef, method};
use crate::options::{self, BeforeClosed, NAMES, Settings};
use crate::threads::lock;

/// The config as a dict that has the names of Python's rpyc.
pub(super) struct ConfigView {
    connection: WeakConnection,
    // Of a service that looks at its own connection, rather than of a client at the server's.
    before_closed: Option<Arc<Mutex<BeforeClosed>>>,
    this: Weak<ConfigView>,
}

impl ConfigView {
    pub(super) fn object(
        connection: WeakConnection,
        before_closed: Option<Arc<Mutex<BeforeClosed>>>,
    ) -> Any {
        Any::Local(Arc::new_cyclic(|this| ConfigView {
            connection,
            before_closed,
            this: this.clone(),
        }))
    }

    fn connection(&self) -> Result<Connection, Exception> {
        self.connection.upgrade().ok_or_else(gone)
    }

    fn option(&self, key: &str) -> ObjectResult<Option<Any>> {
        let connection = self.connection()?;
        Ok(match key {
            "before_closed" => {
                let kept = self.before_closed.as_ref().map(|kept| lock(kept).clone());
                let function = kept.as_ref().and_then(BeforeClosed::function);
                Some(function.cloned().unwrap_or(Any::NONE))
            }
            "connid" => Some(Any::from(connection.connid())),
            _ => options::get(&connection.config(), &connection.peer(), key),
        })
    }

    fn item(&self, key: &str) -> ObjectResult {
        self.option(key)?.ok_or_else(|| Exception::key_error(key))
    }

    fn set_option(&self, key: &str, value: &Any) -> ObjectResult {
        let connection = self.connection()?;
        if self.option(key)?.is_none() {
            return Err(Exception::key_error(key));
        }
        let is_the_services = self.before_closed.is_some();
        if FIXED.contains(&key) || (!is_the_services && OF_THE_OPERATOR.contains(&key)) {
            return Err(Exception::value_error(format!(
                "'{key}' can't be changed at the server"
            )));
        }
        // Tried first: a change is whole or isn't made.
        let (mut peer, mut before_closed) = (connection.peer(), BeforeClosed::default());
        let mut set = |config: &mut Config| {
            let settings = Settings {
                config,
                peer: &mut peer,
                before_closed: &mut before_closed,
            };
            options::set(settings, key, value)
        };
        set(&mut Config::clone(&connection.config()))?;
        match (key, &self.before_closed) {
            ("before_closed", Some(kept)) => {
                let before = std::mem::replace(&mut *lock(kept), before_closed);
                drop(before);
            }
            ("credentials", _) => connection.set_credentials(peer.credentials),
            _ => connection.update_config(|config| drop(set(config))),
        }
        Ok(Any::NONE)
    }

    fn items(&self) -> ObjectResult<Vec<(&'static str, Any)>> {
        NAMES
            .iter()
            .map(|key| Ok((*key, self.item(key)?)))
            .collect()
    }
}

impl Object for ConfigView {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc.core.protocol.Config", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        let method = MethodDef::bound(METHODS, &self.this, name);
        method.ok_or_else(|| self.no_attribute(name))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(method_names(METHODS))
    }
}

static METHODS: &[MethodDef<ConfigView>] = &[
    method("__getitem__", &["key"], 1, |this, _, args| {
        this.item(&key(&args)?)
    }),
    method(
        "__setitem__",
        &["key", "value"],
        2,
        |this, _, args| match &args[1] {
            Some(value) => this.set_option(&key(&args)?, value),
            None => Err(Exception::type_error("a value is missing")),
        },
    ),
    method("__contains__", &["key"], 1, |this, _, args| {
        Ok(Any::from(this.option(&key(&args)?)?.is_some()))
    }),
    method("__iter__", &[], 0, |_, _, _| {
        Ok(Any::object(Iter::new(
            NAMES.iter().map(|key| Any::from(*key)),
        )))
    }),
    method("__len__", &[], 0, |_, _, _| {
        Ok(Any::from(i64::try_from(NAMES.len()).unwrap_or(i64::MAX)))
    }),
    method("get", &["key", "default"], 1, |this, _, mut args| {
        let known = this.option(&key(&args)?)?;
        Ok(known.or_else(|| args[1].take()).unwrap_or(Any::NONE))
    }),
    method("items", &[], 0, |this, _, _| {
        let items = this.items()?.into_iter();
        Ok(Any::tuple(
            items.map(|(key, value)| Any::tuple([Any::from(key), value])),
        ))
    }),
    method("keys", &[], 0, |_, _, _| {
        Ok(Any::tuple(NAMES.iter().map(|key| Any::from(*key))))
    }),
    method("update", &["other"], 1, |this, cx, args| {
        let other = args.into_iter().next().flatten().unwrap_or(Any::NONE);
        let wrong = |_| Exception::type_error("update() takes a dict");
        let items = crate::getconn::attr(cx, &other, "items").map_err(wrong)?;
        let items = items.call_in(cx, args![])?;
        let iterator = crate::getconn::attr(cx, &items, "__iter__")?.call_in(cx, args![])?;
        let Any::Local(iterator) = iterator else {
            return Err(Exception::type_error("update() takes a dict of this side"));
        };
        while let Some(item) = iterator.next(cx)? {
            let item = item.into_items().unwrap_or_default();
            if let [key, value] = &item[..] {
                this.set_option(&self::key(&[Some(key.clone())])?, value)?;
            }
        }
        Ok(Any::NONE)
    }),
    method("values", &[], 0, |this, _, _| {
        Ok(Any::tuple(
            this.items()?.into_iter().map(|(_, value)| value),
        ))
    }),
];

fn key(args: &[Option<Any>]) -> Result<String, Exception> {
    let key = args.first().and_then(Option::as_ref).and_then(Any::as_str);
    key.map(str::to_owned)
        .ok_or_else(|| Exception::type_error("an option's name is a str"))
}

/// What is settled when a connection begins.
const FIXED: &[&str] = &["bind_threads", "connid", "endpoints", "logger"];

/// What a service may change of its own connection; where clients run code, it is the operator's to say.
const OF_THE_OPERATOR: &[&str] = &[
    "allow_pickle",
    "before_closed",
    "credentials",
    "exposed_prefix",
    "safe_attrs",
];
