//! [`HostedService`]: the service of one connection.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};

use rpyc_core::config::Nesting;
use rpyc_core::object::{Any, Context, ObjectRef};
use rpyc_core::service::PeerInfo;
use rpyc_core::{Config, Connection, Exception, Service};

use super::{Hosted, SERVICES};
use crate::evaluator::Session;
use crate::getconn::ServerConnection;
use crate::options::BeforeClosed;
use crate::threads::lock;

/// An instance of a class in Python, and what is known of its connection.
pub(super) struct HostedService {
    hosted: Arc<Hosted>,
    session: Arc<dyn Session>,
    // Made on the connection's own thread: the constructor may take its time.
    instance: OnceLock<ObjectRef>,
    before_closed: Arc<Mutex<BeforeClosed>>,
}

impl HostedService {
    pub(super) fn new(hosted: Arc<Hosted>) -> HostedService {
        HostedService {
            session: hosted.evaluator.open(false),
            hosted,
            instance: OnceLock::new(),
            before_closed: Arc::default(),
        }
    }

    fn tell(&self, what: &str, this: ObjectRef) -> Result<(), Exception> {
        let args = vec![Any::Local(self.root()), Any::Local(this)];
        self.on_its_thread(|| self.session.call(SERVICES, what, args.clone()).map(drop))
    }

    /// Where the service's requests run, there the rest of it does, too.
    fn on_its_thread<R: Send>(
        &self,
        work: impl Fn() -> Result<R, Exception> + Sync,
    ) -> Result<R, Exception> {
        let mut outcome = None;
        self.hosted.executor.run(&mut || outcome = Some(work()));
        outcome.unwrap_or_else(|| {
            let why = "the thread that the service runs on doesn't take requests";
            Err(Exception::runtime_error(why))
        })
    }

    /// The traceback of a constructor that fails is told once: clients may come in thousands.
    fn tell_failure(&self, raised: &Exception) {
        if !self.hosted.is_told.swap(true, Ordering::Relaxed) {
            let traceback = raised.traceback().map_or("", |text| text.trim_end());
            log::error!("no instance of the service can be made: {raised}\n{traceback}");
        }
    }
}

impl Service for HostedService {
    fn configure(&self, config: &mut Config, peer: &mut PeerInfo) {
        // What Python code counts on, as in classic mode: it is called back on its own thread.
        config.nesting = match self.hosted.is_clients {
            true => Nesting::Waiting,
            false => Nesting::Stack,
        };
        config.executor = self.hosted.executor.clone();
        let mut before_closed = BeforeClosed::default();
        self.hosted.configure(config, peer, &mut before_closed);
        *lock(&self.before_closed) = before_closed;
    }

    fn begin(&self) -> Result<(), Exception> {
        let made = self.on_its_thread(|| self.hosted.instance(&*self.session));
        let made = made.inspect_err(|raised| self.tell_failure(raised))?;
        // It is made once.
        let _ = self.instance.set(made);
        Ok(())
    }

    fn root(&self) -> ObjectRef {
        match self.instance.get() {
            Some(instance) => instance.clone(),
            None => unreachable!("a connection begins before its root is asked for"),
        }
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        let connection = cx.connection();
        let session = Arc::downgrade(&self.session);
        let this = ServerConnection::of_service(
            connection,
            session,
            &self.root(),
            self.before_closed.clone(),
        );
        self.session.connected(connection, this.clone());
        let told = self.tell("connected", this);
        if told.is_err() {
            // Nobody else says so to a session whose connection is refused.
            self.session.disconnected();
        }
        told
    }

    fn before_closed(&self, connection: &Connection) {
        BeforeClosed::call(&self.before_closed, connection);
    }

    fn on_disconnect(&self, connection: &Connection) {
        if let Some(this) = self.session.this()
            && let Err(raised) = self.tell("disconnected", this)
        {
            let traceback = raised.traceback().map_or("", |text| text.trim_end());
            log::warn!(
                "{}: on_disconnect: {raised}\n{traceback}",
                connection.connid()
            );
        }
        self.session.disconnected();
    }
}

opaque!(HostedService);
