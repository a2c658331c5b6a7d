//! Services that are written in Python, hosted by an [`Evaluator`].
//!
//! What a peer may reach of one is decided by the connection's policy, as for a service in Rust. The part
//! that is Python's, finding a class and telling its instances of their connections, is `services.py`.

mod error;
mod service;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rpyc_core::Config;
use rpyc_core::Exception;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, ObjectRef};
use rpyc_core::service::{PeerInfo, Service, ServiceFactory};
use rpyc_core::wire::Value;

pub use self::error::{HostError, HostPart};
use self::service::HostedService;
use crate::evaluator::{Evaluator, Session};
use crate::options::{self, BeforeClosed, Settings};

/// A service in Python: which class, and what its connections are like.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HostOptions {
    /// Where it is: `module:Class`. An instance is made for each connection; what is no class is
    /// the one service of all.
    pub place: String,
    /// Whether one instance, made at once, serves all connections. Default: no.
    pub is_shared: bool,
    /// What its connections' config differs in: `name=value`, or the `module:name` of a dict.
    pub protocol_config: Vec<String>,
    /// Whether peers may have nothing pickled, whatever the config says. Default: no.
    pub no_pickle: bool,
    /// Whether it is what a client offers: requests run on its threads while they wait. Default: no.
    pub is_clients: bool,
}

/// A service in Python, ready to serve: a factory of it for each connection.
pub struct Hosted {
    evaluator: Arc<dyn Evaluator>,
    executor: Arc<dyn Executor>,
    service: ObjectRef,
    // Of all connections, unless each makes its own.
    shared: Option<ObjectRef>,
    names: Vec<String>,
    settings: Vec<(String, Any)>,
    no_pickle: bool,
    is_clients: bool,
    // Whether it has been told why no instance could be made.
    is_told: AtomicBool,
}

impl Hosted {
    /// Finds the service, and makes the one that serves all if it is to be.
    ///
    /// # Errors
    /// When it isn't there, can't be made, or the config makes no sense.
    pub fn load(
        evaluator: Arc<dyn Evaluator>,
        options: &HostOptions,
    ) -> Result<Arc<Hosted>, HostError> {
        let session = evaluator.open(false);
        let ask = |function: &str, arg| session.call(SERVICES, function, vec![arg]);
        let settings = options.protocol_config.iter();
        let settings = Any::tuple(settings.map(|text| Any::from(text.as_str())));
        let settings = ask("given_options", settings).map_err(HostError::config)?;
        let service = ask("find", Any::from(options.place.as_str())).map_err(HostError::service)?;
        let executor = evaluator.executor();
        Hosted::of(evaluator, executor, &*session, (service, settings), options)
    }

    /// The same of a service and of checked options that the session has; requests run as the
    /// executor has them run.
    ///
    /// # Errors
    /// As [`load`](Hosted::load).
    pub fn of(
        evaluator: Arc<dyn Evaluator>,
        executor: Arc<dyn Executor>,
        session: &dyn Session,
        (service, settings): (Any, Any),
        options: &HostOptions,
    ) -> Result<Arc<Hosted>, HostError> {
        let ask = |function: &str, arg| session.call(SERVICES, function, vec![arg]);
        let settings = settings_of(settings)?;
        let service = object(service).map_err(HostError::service)?;
        let of_service = || Any::Local(service.clone());
        let names = ask("names", of_service()).map_err(HostError::service)?;
        let names = names.into_items().unwrap_or_default();
        let names = names.iter().filter_map(Any::as_str).map(str::to_owned);
        let is_class = ask("is_class", of_service()).map_err(HostError::service)?;
        let is_class = is_class.as_value().and_then(Value::as_bool) == Some(true);
        let shared = match (is_class, options.is_shared) {
            (true, false) => None,
            (true, true) => Some(made(session, &service).map_err(HostError::constructor)?),
            (false, _) => Some(service.clone()),
        };
        Ok(Arc::new(Hosted {
            names: names.collect(),
            evaluator,
            executor,
            service,
            shared,
            settings,
            no_pickle: options.no_pickle,
            is_clients: options.is_clients,
            is_told: AtomicBool::new(false),
        }))
    }

    /// What makes the service of each connection.
    #[must_use]
    pub fn factory(self: Arc<Hosted>) -> Arc<dyn ServiceFactory> {
        Arc::new(Factory(self))
    }

    /// The names that a registry is told, the primary one first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn configure(
        &self,
        config: &mut Config,
        peer: &mut PeerInfo,
        before_closed: &mut BeforeClosed,
    ) {
        // Facts that the server knows better.
        let known = (peer.credentials.take(), peer.endpoints.take());
        for (name, value) in &self.settings {
            let settings = Settings {
                config,
                peer,
                before_closed,
            };
            // It was tried when the service was loaded.
            let set = options::set(settings, name, value);
            debug_assert!(set.is_ok(), "{name}: {set:?}");
        }
        (peer.credentials, peer.endpoints) = known;
        if self.no_pickle {
            config.allow_pickle = false;
        }
    }

    /// The instance for a new connection.
    fn instance(&self, session: &dyn Session) -> Result<ObjectRef, Exception> {
        match &self.shared {
            // Another session has its own handles of the one object.
            Some(shared) => {
                object(session.call(SERVICES, "same", vec![Any::Local(shared.clone())])?)
            }
            None => made(session, &self.service),
        }
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Makes the service of each connection.
#[derive(Debug)]
struct Factory(Arc<Hosted>);

impl ServiceFactory for Factory {
    fn create(&self) -> Result<Arc<dyn Service>, Exception> {
        Ok(Arc::new(HostedService::new(self.0.clone())))
    }
}

fn made(session: &dyn Session, class: &ObjectRef) -> Result<ObjectRef, Exception> {
    object(session.call(SERVICES, "make", vec![Any::Local(class.clone())])?)
}

fn object(service: Any) -> Result<ObjectRef, Exception> {
    match service {
        Any::Local(object) => Ok(object),
        value => Err(Exception::type_error(format!(
            "a service is an object, not a value as {}",
            value.type_name()
        ))),
    }
}

/// The settings of connections, out of a tuple of pairs, tried.
fn settings_of(options: Any) -> Result<Vec<(String, Any)>, HostError> {
    let options = options.into_items().unwrap_or_default().into_iter();
    let pair = |option: Any| {
        let [name, value] = option.into_items().ok()?.try_into().ok()?;
        Some((name.as_str()?.to_owned(), value))
    };
    let settings: Vec<_> = options.filter_map(pair).collect();
    let mut tried = (
        Config::default(),
        PeerInfo::default(),
        BeforeClosed::default(),
    );
    for (name, value) in &settings {
        let tried = Settings {
            config: &mut tried.0,
            peer: &mut tried.1,
            before_closed: &mut tried.2,
        };
        options::set(tried, name, value).map_err(HostError::config)?;
    }
    Ok(settings)
}

/// The module of the Python sources that all of this asks.
pub const SERVICES: &str = "_rpyc_services";
