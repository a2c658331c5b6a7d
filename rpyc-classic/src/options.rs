//! A connection's options under the names that Python's rpyc has for them: for those who make an evaluator.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpyc_core::object::{Any, Args, Context};
use rpyc_core::service::PeerInfo;
use rpyc_core::wire::Value;
use rpyc_core::{Config, Connection, Exception};

use crate::threads::lock;

/// What Python's rpyc calls the config of a connection: its options, and the facts of it.
pub(crate) struct Settings<'a> {
    pub(crate) config: &'a mut Config,
    pub(crate) peer: &'a mut PeerInfo,
    pub(crate) before_closed: &'a mut BeforeClosed,
}

/// The option `before_closed`: what is called with the peer's root before this side closes the
/// connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct BeforeClosed(Option<Any>);

impl BeforeClosed {
    /// What was set, if anything.
    pub(crate) fn function(&self) -> Option<&Any> {
        self.0.as_ref()
    }

    /// Calls what is kept there. It is foreign code: not under the lock.
    pub(crate) fn call(kept: &Mutex<BeforeClosed>, connection: &Connection) {
        let Some(function) = lock(kept).0.clone() else {
            return;
        };
        let root = connection.root().map_err(Exception::from);
        let called =
            root.and_then(|root| function.call_in(&Context::new(connection), Args::from([root])));
        if let Err(exception) = called {
            log::warn!("before_closed: {exception}");
        }
    }
}

/// The switch of that name.
fn flag<'a>(config: &'a mut Config, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "allow_all_attrs" => &mut config.allow_all_attrs,
        "allow_delattr" => &mut config.allow_delattr,
        "allow_exposed_attrs" => &mut config.allow_exposed_attrs,
        "allow_getattr" => &mut config.allow_getattr,
        "allow_pickle" => &mut config.allow_pickle,
        "allow_public_attrs" => &mut config.allow_public_attrs,
        "allow_safe_attrs" => &mut config.allow_safe_attrs,
        "allow_setattr" => &mut config.allow_setattr,
        "bind_threads" => &mut config.bind_threads,
        "close_catchall" => &mut config.close_catchall,
        "import_custom_exceptions" => &mut config.import_custom_exceptions,
        "include_local_traceback" => &mut config.include_local_traceback,
        "include_local_version" => &mut config.include_local_version,
        "instantiate_custom_exceptions" => &mut config.instantiate_custom_exceptions,
        "instantiate_oldstyle_exceptions" => &mut config.instantiate_oldstyle_exceptions,
        "log_exceptions" => &mut config.log_exceptions,
        "propagate_KeyboardInterrupt_locally" => &mut config.propagate_keyboard_interrupt_locally,
        "propagate_SystemExit_locally" => &mut config.propagate_system_exit_locally,
        _ => return None,
    })
}

/// The names, in the order of Python's rpyc.
pub(crate) const NAMES: &[&str] = &[
    "allow_safe_attrs",
    "allow_exposed_attrs",
    "allow_public_attrs",
    "allow_all_attrs",
    "safe_attrs",
    "exposed_prefix",
    "allow_getattr",
    "allow_setattr",
    "allow_delattr",
    "include_local_traceback",
    "include_local_version",
    "instantiate_custom_exceptions",
    "import_custom_exceptions",
    "instantiate_oldstyle_exceptions",
    "propagate_SystemExit_locally",
    "propagate_KeyboardInterrupt_locally",
    "log_exceptions",
    "allow_pickle",
    "connid",
    "credentials",
    "endpoints",
    "logger",
    "sync_request_timeout",
    "before_closed",
    "close_catchall",
    "bind_threads",
];

/// The value of the option of that name. What is called before the connection is closed is kept elsewhere.
pub(crate) fn get(config: &Config, peer: &PeerInfo, name: &str) -> Option<Any> {
    if let Some(flag) = flag(&mut config.clone(), name) {
        return Some(Any::from(*flag));
    }
    Some(match name {
        "before_closed" => Any::NONE,
        "connid" => peer.connid.as_deref().map_or(Any::NONE, Any::from),
        "credentials" => peer.credentials.clone().unwrap_or(Any::NONE),
        "endpoints" => match peer.endpoints {
            Some((ours, theirs)) => {
                let end = |end: SocketAddr| {
                    let port = i64::from(end.port());
                    Any::tuple([Any::from(end.ip().to_string()), Any::from(port)])
                };
                Any::tuple([end(ours), end(theirs)])
            }
            None => Any::NONE,
        },
        "exposed_prefix" => Any::from(&*config.exposed_prefix),
        "logger" => Any::from(&*config.logger),
        "safe_attrs" => {
            let names = config.safe_attrs.iter().map(|name| Value::from(&**name));
            Any::from(Value::FrozenSet(names.collect()))
        }
        "sync_request_timeout" => match config.sync_request_timeout {
            Some(timeout) if timeout.subsec_nanos() == 0 => Any::from(timeout.as_secs()),
            Some(timeout) => Any::from(timeout.as_secs_f64()),
            None => Any::NONE,
        },
        _ => return None,
    })
}

/// The options of a connection for which none is given: a tuple of pairs.
#[must_use]
pub(crate) fn defaults() -> Value {
    let (config, peer) = (Config::default(), PeerInfo::default());
    let pair = |name: &&str| {
        let value = match *name {
            // Whoever makes the connection chooses it.
            "logger" => Value::None,
            name => get(&config, &peer, name)?.into_value()?,
        };
        Some(Value::tuple([Value::from(*name), value]))
    };
    Value::tuple(NAMES.iter().filter_map(pair))
}

/// Sets the option of that name.
///
/// # Errors
/// A KeyError where there is none; a TypeError or a ValueError where the value isn't one of its.
pub(crate) fn set(settings: Settings<'_>, name: &str, value: &Any) -> Result<(), Exception> {
    let Settings {
        config,
        peer,
        before_closed,
    } = settings;
    let flag = match name {
        "debug" => Some(&mut config.debug),
        _ => flag(config, name),
    };
    if let Some(flag) = flag {
        let on = value.as_value().and_then(Value::as_bool);
        *flag = on.ok_or_else(|| takes(name, "a bool"))?;
        return Ok(());
    }
    match name {
        "before_closed" => {
            let function = Some(value).filter(|value| !value.is_none());
            before_closed.0 = function.cloned();
        }
        "connid" => peer.connid = optional_text(name, value)?,
        "credentials" => peer.credentials = Some(value.clone()),
        "endpoints" => peer.endpoints = endpoints(value)?,
        "exposed_prefix" => {
            let prefix = optional_text(name, value)?;
            config.exposed_prefix = prefix.ok_or_else(|| takes(name, "a str"))?;
        }
        "logger" => {
            if let Some(logger) = optional_text(name, value)? {
                config.logger = logger;
            }
        }
        "safe_attrs" => config.safe_attrs = Arc::new(names(value)?),
        "sync_request_timeout" => config.sync_request_timeout = seconds(value)?,
        _ => return Err(Exception::key_error(name)),
    }
    Ok(())
}

fn takes(name: &str, what: &str) -> Exception {
    Exception::type_error(format!("'{name}' takes {what} here"))
}

fn optional_text(name: &str, value: &Any) -> Result<Option<String>, Exception> {
    match value {
        Any::Value(Value::None) => Ok(None),
        value => {
            let text = value.as_str().map(str::to_owned);
            text.map(Some).ok_or_else(|| takes(name, "a str"))
        }
    }
}

fn names(value: &Any) -> Result<std::collections::HashSet<Cow<'static, str>>, Exception> {
    let wrong = || takes("safe_attrs", "a frozenset or a tuple of names");
    let items = match value.as_value() {
        Some(Value::Tuple(items)) => items.clone(),
        Some(Value::FrozenSet(items)) => items.clone(),
        _ => return Err(wrong()),
    };
    let name = |item: &Value| item.as_str().map(|name| Cow::Owned(name.to_owned()));
    items
        .iter()
        .map(name)
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

fn endpoints(value: &Any) -> Result<Option<(SocketAddr, SocketAddr)>, Exception> {
    let wrong = || takes("endpoints", "two pairs of an address and a port");
    let end = |value: &Value| {
        let Value::Tuple(parts) = value else {
            return None;
        };
        let ip: IpAddr = parts.first()?.as_str()?.parse().ok()?;
        let port = u16::try_from(parts.get(1)?.as_u64()?).ok()?;
        Some(SocketAddr::new(ip, port))
    };
    match value.as_value() {
        Some(Value::None) => Ok(None),
        Some(Value::Tuple(ends)) => match &ends[..] {
            [ours, theirs] => Ok(Some((
                end(ours).ok_or_else(wrong)?,
                end(theirs).ok_or_else(wrong)?,
            ))),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn seconds(value: &Any) -> Result<Option<Duration>, Exception> {
    let wrong =
        || Exception::value_error("'sync_request_timeout' takes seconds, 0 or more, or None");
    Ok(match value.as_value() {
        Some(Value::None) => None,
        Some(Value::Float(seconds)) => {
            Some(Duration::try_from_secs_f64(*seconds).map_err(|_| wrong())?)
        }
        other => {
            let seconds = other.and_then(Value::as_u64).ok_or_else(wrong)?;
            Some(Duration::from_secs(seconds))
        }
    })
}
