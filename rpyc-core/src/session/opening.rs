//! What a new connection is made of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::connection::Connection;
use super::encoding::Encoding;
use super::exports::Exports;
use super::session::{Counts, Link, Session, bounds};
use crate::config::Config;
use crate::dispatch::{Dispatcher, panic_message};
use crate::error::{CloseReason, Error};
use crate::exception::Exception;
use crate::object::{Context, Space};
use crate::service::{PeerInfo, Service};
use crate::sync::Mutex;
use crate::transport::{ReadHalf, ReadTimeouts, Stream};

impl Link {
    pub(super) fn open(
        stream: Arc<dyn Stream>,
        service: Arc<dyn Service>,
        mut config: Config,
        mut peer: PeerInfo,
    ) -> Result<Arc<Link>, Error> {
        let configured = ask("configure", || service.configure(&mut config, &mut peer));
        let begun = configured.and_then(|()| ask("begin", || service.begin()).flatten());
        let root = begun.and_then(|()| {
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
        peer.connid.get_or_insert_with(next_connid);
        peer.endpoints = peer.endpoints.or_else(|| stream.endpoints());
        let config = Arc::new(config);
        let number = Space::unique().number();
        let dialect = match config.bind_threads {
            true => config.dialect.with_threads(),
            false => config.dialect,
        };
        let encoding = Encoding::new(dialect, config.limits.clone(), number);
        let (read_half, bounds) = (read_half(stream.clone(), &config), bounds(&config));
        let mut exports = Exports::new();
        exports.pin(&root, id_parts);
        let session = Session {
            connid: peer.connid.clone().unwrap_or_default(),
            // Later, a stream may not know any more.
            peer_label: stream.peer_label(),
            service,
            config: Mutex::new(config),
            peer: Mutex::new(peer),
            exports: Mutex::new(exports),
            imports: Mutex::default(),
            root: Mutex::new(Some(root)),
            peers_root: Mutex::default(),
            encoding,
            counts: Counts::default(),
        };
        Ok(Dispatcher::new(number, stream, read_half, bounds, session))
    }
}

impl Connection {
    /// This connection, once the service has been told of it.
    pub(super) fn introduced(self) -> Result<Connection, Error> {
        let context = Context::new(&self);
        let asked = ask("on_connect", || {
            self.link.session.service.on_connect(&context)
        });
        match asked.and_then(|answer| answer) {
            Ok(()) => Ok(self),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    #[cold]
    fn refused(self, refusal: Exception) -> Error {
        let reason = CloseReason::Refused(refusal);
        // A service that refused a connection isn't told of its end. What it was given meanwhile would
        // hold the connection in memory, and its descriptor.
        self.link.end_untold(reason.clone());
        Error::Closed(reason)
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
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("conn{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
