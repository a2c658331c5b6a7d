//! The connections that Python code can name: those of the sessions, and those that it makes itself. For
//! those who make an evaluator.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use rpyc_core::config::Nesting;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Any, Context, Object, ObjectRef};
use rpyc_core::wire::Value;
use rpyc_core::{Config, Connection, Connector, Exception, Service, VoidService};

use crate::evaluator::{Evaluator, Session};
use crate::getconn::{Keeper, ServerConnection};
use crate::options;
use crate::slave::{SlaveOptions, SlaveService};
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
    /// As [`Connector::connect`].
    pub fn connect(
        &self,
        address: &Address,
        options: ConnectOptions,
        keeper: &Keeper,
        session: Arc<dyn Session>,
        executor: Arc<dyn Executor>,
    ) -> Result<ObjectRef, Exception> {
        let evaluator = OneSession { session, executor };
        let service: Arc<dyn Service> = match options.is_classic {
            true => Arc::new(SlaveService::new(&evaluator, SlaveOptions::default())),
            false => Arc::new(Caller {
                evaluator,
                root: VoidService.root(),
            }),
        };
        let mut connector = Connector::new().config(options.config).service(service);
        if !options.keepalive {
            connector = connector.keepalive(None);
        }
        let connection = match address {
            Address::Tcp(host, port) => connector.connect((host.as_str(), *port)),
            Address::Unix(path) => connector.connect_unix(path),
        };
        let connection = connection.map_err(Exception::from)?;
        let this = self.this(connection.number());
        keeper.keep(connection);
        this.ok_or_else(closed)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

/// Where Python code connects to.
#[derive(Debug)]
pub enum Address {
    /// A host and its port.
    Tcp(String, u16),
    /// The path of a Unix socket.
    Unix(String),
}

impl Address {
    /// A port belongs to a host; without one it is the path of a Unix socket.
    #[must_use]
    pub fn new(host: String, port: Option<u16>) -> Address {
        match port {
            Some(port) => Address::Tcp(host, port),
            None => Address::Unix(host),
        }
    }
}

/// How it connects.
#[derive(Debug)]
pub struct ConnectOptions {
    /// Whether the peer may run code here, too.
    pub is_classic: bool,
    /// Whether the system looks after a silent connection.
    pub keepalive: bool,
    /// That of the new connection.
    pub config: Config,
}

/// A connection's config from options by the names of Python's rpyc: its switches, and the time for an
/// answer.
///
/// # Errors
/// A ValueError for one that isn't known here; a TypeError or a ValueError for a value of the wrong kind.
pub fn read_config(
    given: impl IntoIterator<Item = (String, Option<Value>)>,
) -> Result<Config, Exception> {
    let mut config = Config::default();
    for (name, value) in given {
        if name != "sync_request_timeout" && options::flag(&mut config, &name).is_none() {
            let what = format!("'{name}' can't be configured here");
            return Err(Exception::value_error(what));
        }
        let value = value.unwrap_or(Value::NotImplemented);
        options::set(&mut config, &name, &Any::Value(value))?;
    }
    Ok(config)
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

/// The service of a connection that offers nothing: its code runs in the interpreter all the same.
struct Caller {
    evaluator: OneSession,
    root: ObjectRef,
}

impl Service for Caller {
    fn root(&self) -> ObjectRef {
        self.root.clone()
    }

    fn configure(&self, config: &mut Config) {
        config.nesting = Nesting::Stack;
        config.executor = self.evaluator.executor();
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        let session = &self.evaluator.session;
        let this = ServerConnection::object(cx.connection(), Arc::downgrade(session), &self.root);
        session.connected(cx.connection(), this);
        Ok(())
    }

    fn on_disconnect(&self, _: &Connection) {
        self.evaluator.session.disconnected();
    }
}
