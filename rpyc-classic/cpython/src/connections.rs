//! The connections that Python code can name: those of the sessions, and those that it makes itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use rpyc_classic::evaluator::{Evaluator, Session};
use rpyc_classic::getconn::{Keeper, ServerConnection};
use rpyc_classic::{SlaveOptions, SlaveService};
use rpyc_core::config::Nesting;
use rpyc_core::executor::Executor;
use rpyc_core::object::{Context, Object, ObjectRef};
use rpyc_core::{Config, Connection, Connector, Exception, Service, VoidService};

use crate::attach::lock;
use crate::session::{OpenSession, PythonSession, Shared, closed};

/// By their numbers, which netrefs know.
#[derive(Default)]
pub(crate) struct Connections(Mutex<HashMap<u64, Known>>);

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
    pub(crate) fn add(&self, number: u64, this: ObjectRef, runs_code: bool, keeper: Weak<Keeper>) {
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
    pub(crate) fn remove(&self, number: u64) {
        let known = lock(&self.0).remove(&number);
        drop(known);
    }

    /// The object by which Python code knows the connection: for as long as any code has it, the same.
    pub(crate) fn this(&self, number: u64) -> Option<ObjectRef> {
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
    pub(crate) fn runs_code(&self, number: u64) -> bool {
        lock(&self.0)
            .get(&number)
            .is_some_and(|known| known.runs_code)
    }

    /// What keeps the connection open as long as it is held, if Python code has made it.
    pub(crate) fn keeper(&self, number: u64) -> Option<Arc<Keeper>> {
        lock(&self.0).get(&number)?.keeper.upgrade()
    }
}

/// Where Python code connects to.
pub(crate) enum Address {
    Tcp(String, u16),
    Unix(String),
}

/// How it connects.
pub(crate) struct ConnectOptions {
    /// Whether the peer may run code here, too.
    pub(crate) is_classic: bool,
    pub(crate) keepalive: bool,
    pub(crate) config: Config,
}

/// Connects, and gives what stands for the connection in Python, with its session. It blocks.
///
/// # Errors
/// As [`Connector::connect`].
pub(crate) fn connect(
    shared: &Arc<Shared>,
    address: &Address,
    options: ConnectOptions,
) -> Result<(ObjectRef, Arc<PythonSession>), Exception> {
    let keeper = Arc::<Keeper>::default();
    let session =
        PythonSession::keeping(shared.clone(), Arc::downgrade(&keeper), options.is_classic);
    let open: Arc<dyn Session> = Arc::new(OpenSession(session.clone()));
    let evaluator = OneSession {
        session: open.clone(),
        executor: shared.executor.clone(),
    };
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
    let this = shared.connections.this(connection.number());
    keeper.keep(connection);
    Ok((this.ok_or_else(closed)?, session))
}

/// An evaluator that opens the same session every time.
struct OneSession {
    session: Arc<dyn Session>,
    executor: Arc<dyn Executor>,
}

impl Evaluator for OneSession {
    fn name(&self) -> String {
        "CPython".to_owned()
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
