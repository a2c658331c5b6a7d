//! What a new connection is made of.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::dispatch::calls::Pending;
use crate::dispatch::health_check::HealthCheck;
use crate::dispatch::outbox::Outbox;
use crate::dispatch::running::panic_message;
use crate::dispatch::scheduler::{Bounds, Scheduler};
use crate::dispatch::shared::{Closing, Core, Shared};
use crate::error::{CloseReason, Error};
use crate::exception::Exception;
use crate::object::{Context, Space};
use crate::service::Service;
use crate::session::Connection;
use crate::session::dialect::Wire;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};
use crate::transport::{ReadHalf, ReadTimeouts, Stream};

impl Shared {
    pub(crate) fn new(
        stream: Arc<dyn Stream>,
        service: Arc<dyn Service>,
        mut config: Config,
    ) -> Result<Arc<Shared>, Error> {
        let configured = ask("configure", || service.configure(&mut config));
        let root = configured.and_then(|()| {
            ask("root", || {
                let root = service.root();
                let id_parts = root.id_parts();
                (root, id_parts)
            })
        });
        let (root, id_parts) = root.map_err(|refusal| {
            // Nobody else will.
            stream.shutdown();
            Error::Closed(CloseReason::Refused(refusal))
        })?;
        config.connid.get_or_insert_with(next_connid);
        config.endpoints = config.endpoints.or_else(|| stream.endpoints());
        stream.bound_writes(WRITE_PATIENCE);
        let shared = Shared::idle(stream, service, Arc::new(config));
        shared.exports.lock().pin(&root, id_parts);
        *shared.local_root.lock() = Some(root);
        Ok(shared)
    }

    fn idle(
        stream: Arc<dyn Stream>,
        service: Arc<dyn Service>,
        config: Arc<Config>,
    ) -> Arc<Shared> {
        let number = Space::unique().number();
        let dialect = if config.bind_threads {
            config.dialect.with_threads()
        } else {
            config.dialect
        };
        Arc::new_cyclic(|this| Shared {
            number,
            connid: config.connid.clone().unwrap_or_default(),
            // Later, a stream may not know any more.
            peer_label: stream.peer_label(),
            core: Mutex::new(Core::new(&stream, &config)),
            stream,
            service,
            exports: Mutex::default(),
            imports: Mutex::default(),
            outbox: Outbox::new(),
            wire: Wire::new(dialect, number),
            limits: config.limits.clone(),
            config: Mutex::new(config),
            next_seq: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            requests_served: AtomicU64::new(0),
            last_detached: Mutex::new(None),
            noted: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            closing_here: AtomicBool::new(false),
            root: Mutex::new(None),
            local_root: Mutex::new(None),
            this: this.clone(),
        })
    }
}

impl Connection {
    /// This connection, once the service has been told of it.
    pub(crate) fn introduced(self) -> Result<Connection, Error> {
        let context = Context::new(&self);
        let asked = ask("on_connect", || self.shared.service.on_connect(&context));
        match asked.and_then(|answer| answer) {
            Ok(()) => Ok(self),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    #[cold]
    fn refused(self, refusal: Exception) -> Error {
        let reason = CloseReason::Refused(refusal);
        let mut core = self.shared.core.lock();
        // A service that refused a connection isn't told of its end.
        core.closing.finalizing = true;
        core.closing.done = true;
        self.shared.fail(&mut core, reason.clone());
        drop(core);
        self.shared.cut_off();
        let kept = self.shared.core.lock().closing.kept.take();
        drop(kept);
        // What it was given meanwhile would hold the connection in memory, and its descriptor.
        self.shared.empty();
        Error::Closed(reason)
    }
}

impl Core {
    fn new(stream: &Arc<dyn Stream>, config: &Config) -> Core {
        Core {
            read_half: Some(read_half(stream.clone(), config)),
            // Most connections never need more, and most are idle most of the time.
            room: Vec::with_capacity(1),
            reader: None,
            scheduler: Scheduler::new(bounds(config)),
            pending: Pending::default(),
            messages: 0,
            waits: 0,
            sleepers: HashMap::default(),
            ended: Arc::new(Condvar::new()),
            garbage: Vec::new(),
            closing: Closing::default(),
            health: HealthCheck::default(),
            notes: Vec::new(),
            observer: None,
        }
    }
}

/// Asks the service; where it panics, it refuses the connection.
fn ask<T>(what: &str, question: impl FnOnce() -> T) -> Result<T, Exception> {
    catch_unwind(AssertUnwindSafe(question)).map_err(|panic| {
        let why = panic_message(&*panic);
        Exception::runtime_error(format!("the service's {what} panicked: {why}"))
    })
}

fn read_half(stream: Arc<dyn Stream>, config: &Config) -> Box<ReadHalf> {
    let timeouts = ReadTimeouts {
        first_frame: config.handshake_timeout,
        within_frame: config.frame_timeout,
        idle: config.idle_timeout,
    };
    let limits = config.limits.clone();
    Box::new(ReadHalf::new(
        stream,
        limits,
        config.max_first_frame,
        timeouts,
    ))
}

fn next_connid() -> String {
    // One of the process, not of a model's schedule.
    use std::sync::atomic::AtomicU64;
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("conn{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the config says to the scheduler.
pub(crate) fn bounds(config: &Config) -> Bounds {
    Bounds {
        concurrency: config.concurrency.max(1),
        max_tasks: config.max_nested.max(1),
        max_queued: config.max_queued.max(1),
        max_queued_bytes: config.limits.max_frame,
        nesting: config.nesting,
    }
}

/// How long a thread that has a deadline tries to write itself.
const WRITE_PATIENCE: Duration = Duration::from_millis(20);
