//! A server's entry in a directory, from its start to its end.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use log::error;
use parking_lot::Mutex;
use rpyc_registry::{Offer, ServerFacts};

use crate::program::cli::ServeOptions;
use crate::program::plan::Plan;
use crate::registry::Registration;
use crate::{Builder, Server, Stopper};

/// What a directory is told of a server.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    fixed: ServerFacts,
    /// Who knows how many clients there are, once there is one.
    server: Arc<OnceLock<Stopper>>,
}

impl Facts {
    pub(crate) fn of(max_clients: usize, evaluator: &str) -> Facts {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut fixed = ServerFacts::default();
        fixed.version = Some(env!("CARGO_PKG_VERSION").to_owned());
        fixed.started = since_1970.ok().map(|time| time.as_secs());
        fixed.evaluator = Some(evaluator.to_owned());
        let is_bound = |&max: &usize| max > 0 && max < usize::MAX;
        fixed.max_clients = Some(max_clients).filter(is_bound).map(|max| max as u64);
        Facts {
            fixed,
            server: Arc::default(),
        }
    }

    /// From now on the clients of this server are counted.
    pub(crate) fn count(&self, server: &Server) {
        self.server.get_or_init(|| server.stopper());
    }

    fn now(&self) -> ServerFacts {
        let mut facts = self.fixed.clone();
        let clients = self.server.get().map_or(0, Stopper::clients);
        facts.clients = u64::try_from(clients).ok();
        facts
    }
}

/// Has the server register when it begins to serve, and unregister when it stops.
pub(crate) fn register(
    builder: Builder,
    options: &ServeOptions,
    plan: &Plan,
    names: Vec<String>,
    facts: Facts,
) -> Builder {
    let Some(registry) = plan.registry.clone() else {
        return builder;
    };
    let advertise_port = options.registering.advertise_port;
    let registration = Arc::new(Mutex::new(None));
    let started = registration.clone();
    builder
        .on_start(move |addresses| {
            let port = addresses
                .iter()
                .find_map(|address| Some(address.tcp()?.port()));
            let Some(port) = advertise_port.or(port) else {
                return;
            };
            let offer = match Offer::new(names.iter().map(String::as_str), port) {
                Ok(offer) => offer,
                Err(error) => return error!("not registered: {error}"),
            };
            match Registration::start(registry, move || offer.clone().facts(facts.now())) {
                Ok(registration) => {
                    *started.lock() = Some(registration);
                }
                Err(error) => error!("not registered: no thread for it: {error}"),
            }
        })
        .on_stop(move || {
            let registration = registration.lock().take();
            drop(registration);
        })
}
