//! [`Session`]: what a connection's messages mean, and the tables that they refer to.

use std::sync::Arc;
use std::time::Instant;

use super::encoding::Encoding;
use super::exports::Exports;
use super::imports::Imports;
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::dispatch::scheduler::Bounds;
use crate::object::{Any, ObjectRef};
use crate::service::{PeerInfo, Service};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A connection: its threads, and its session.
pub(crate) type Link = Dispatcher<Session>;

/// What a connection's messages mean: the service, the config, and the tables of references.
pub(crate) struct Session {
    pub(super) connid: String,
    pub(super) peer_label: String,
    pub(super) service: Arc<dyn Service>,
    pub(super) config: Mutex<Arc<Config>>,
    pub(super) peer: Mutex<PeerInfo>,
    pub(super) exports: Mutex<Exports<ObjectRef>>,
    pub(super) imports: Mutex<Imports>,
    // Our root object, until the end; the peer's, once it was asked for.
    pub(super) root: Mutex<Option<ObjectRef>>,
    pub(super) peers_root: Mutex<Option<Any>>,
    pub(super) encoding: Encoding,
    pub(super) counts: Counts,
}

/// What is counted of the requests, in both directions.
#[derive(Default)]
pub(crate) struct Counts {
    next_seq: AtomicU64,
    served: AtomicU64,
    // When the last asynchronous request was sent.
    last_detached: Mutex<Option<Instant>>,
}

impl Session {
    /// The config as it is now.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.config.lock().clone()
    }

    /// Puts a new config in the place of the one that it was made of, unless that isn't the
    /// connection's any more; says whether it did.
    pub(super) fn replace_config(&self, old: &Arc<Config>, new: Config) -> bool {
        let mut config = self.config.lock();
        let is_current = Arc::ptr_eq(&config, old);
        if is_current {
            *config = Arc::new(new);
        }
        is_current
    }
}

impl Counts {
    pub(super) fn take_seq(&self) -> u64 {
        self.next_seq.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this side has sent a request: the peer may already have judged our dialect by it.
    pub(super) fn has_spoken(&self) -> bool {
        self.next_seq.load(Ordering::Relaxed) > 0
    }

    pub(super) fn count_served(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// When the asynchronous request before the one of `now` was sent.
    pub(super) fn last_detached(&self, now: Instant) -> Option<Instant> {
        self.last_detached.lock().replace(now)
    }
}

/// What the config says to the scheduler.
pub(super) fn bounds(config: &Config) -> Bounds {
    Bounds {
        concurrency: config.concurrency.max(1),
        max_tasks: config.max_nested.max(1),
        max_queued: config.max_queued.max(1),
        max_queued_bytes: config.limits.max_frame,
        nesting: config.nesting,
    }
}
