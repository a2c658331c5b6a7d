//! The connections that Python code can name: those of the sessions, and those that it makes itself. For
//! those who make an evaluator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Object, ObjectRef};
use rpyc_core::{Connector, Exception};

pub use crate::address::Address;
use crate::evaluator::{Evaluator, Session};
use crate::getconn::{Keeper, ServerConnection};
use crate::hosting::{HostError, HostOptions, Hosted, SERVICES};
use crate::target::closed;
use crate::threads::lock;

/// By their numbers, which netrefs know.
#[derive(Default)]
pub struct Connections(Mutex<HashMap<u64, Known>>);

struct Known {
    // It doesn't keep the connection.
    this: ObjectRef,
    // Whether the peer may run code here.
    runs_code: bool,
    // Of a connection that Python code has made.
    keeper: Weak<Keeper>,
    keeping: Option<Weak<dyn Object>>,
}

impl Connections {
    /// A connection has been made; neither `this` nor this table keeps it.
    pub fn add(&self, number: u64, this: ObjectRef, runs_code: bool, keeper: Weak<Keeper>) {
        let known = Known {
            this,
            runs_code,
            keeper,
            keeping: None,
        };
        let before = lock(&self.0).insert(number, known);
        drop(before);
    }

    /// It is closed.
    pub fn remove(&self, number: u64) {
        let known = lock(&self.0).remove(&number);
        drop(known);
    }

    /// The object by which Python code knows the connection: for as long as any code has it, the same.
    pub fn this(&self, number: u64) -> Option<ObjectRef> {
        let mut known = lock(&self.0);
        let known = known.get_mut(&number)?;
        let Some(keeper) = known.keeper.upgrade() else {
            return Some(known.this.clone());
        };
        let before = known.keeping.as_ref().and_then(Weak::upgrade);
        let keeping = before.or_else(|| ServerConnection::keeping(&known.this, keeper))?;
        known.keeping = Some(Arc::downgrade(&keeping));
        Some(keeping)
    }

    /// Whether the peer may run code here: that of classic mode may.
    pub fn runs_code(&self, number: u64) -> bool {
        let known = lock(&self.0);
        known.get(&number).is_some_and(|known| known.runs_code)
    }

    /// What keeps the connection open as long as it is held, if Python code has made it.
    pub fn keeper(&self, number: u64) -> Option<Arc<Keeper>> {
        lock(&self.0).get(&number)?.keeper.upgrade()
    }

    /// Connects, and gives what stands for the connection in Python. It blocks.
    ///
    /// `session` is the new connection's: it adds itself here when it is connected, with `keeper`.
    ///
    /// # Errors
    /// As [`Connector::connect`]; a ValueError for options that there aren't.
    pub fn connect(
        &self,
        address: Address,
        offered: Offered,
        keeper: &Keeper,
        session: Arc<dyn Session>,
        executor: Arc<dyn Executor>,
    ) -> Result<ObjectRef, Exception> {
        let settings = session.call(SERVICES, "checked_options", vec![offered.config]);
        let settings = settings.map_err(HostError::config)?;
        let evaluator = Arc::new(OneSession {
            session: session.clone(),
            executor: executor.clone(),
        });
        let of_it = (offered.service, settings);
        let options = HostOptions {
            is_clients: true,
            ..HostOptions::default()
        };
        let hosted = Hosted::of(evaluator, executor, &*session, of_it, &options)?;
        let mut connector = Connector::new().service(hosted.factory().create()?);
        if !offered.keepalive {
            connector = connector.keepalive(None);
        }
        let connection = address.connect(&connector).map_err(Exception::from)?;
        let this = self.this(connection.number());
        keeper.keep(connection);
        this.ok_or_else(closed)
    }
}

opaque!(Connections);

/// What this side offers on a connection that Python code makes, and what that is like.
#[derive(Debug)]
pub struct Offered {
    /// The service: an instance.
    pub service: Any,
    /// A dict of options by their names in Python's rpyc.
    pub config: Any,
    /// Whether the system looks after a silent connection.
    pub keepalive: bool,
}

/// An evaluator that opens the same session every time.
struct OneSession {
    session: Arc<dyn Session>,
    executor: Arc<dyn Executor>,
}

impl Evaluator for OneSession {
    fn name(&self) -> String {
        "the session of one connection".to_owned()
    }

    fn executor(&self) -> Arc<dyn Executor> {
        self.executor.clone()
    }

    fn open(&self, _: bool) -> Arc<dyn Session> {
        self.session.clone()
    }
}
