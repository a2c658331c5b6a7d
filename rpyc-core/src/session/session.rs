//! [`Session`]: what a connection's messages mean, and the tables that they refer to.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::encoding::Encoding;
use super::exports::Exports;
use super::imports::Imports;
use super::request::Request;
use super::roots::Roots;
use crate::config::Config;
use crate::dispatch::{Arrival, Decoded, Dispatcher, Protocol, Refusal, ReplyTo};
use crate::error::CloseReason;
use crate::executor::Executor;
use crate::object::{Any, ObjectRef};
use crate::service::Service;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A connection: its threads, and its session.
pub(crate) type Link = Dispatcher<Session>;

/// What a connection's messages mean: the service, the config, and the tables of references.
pub(crate) struct Session {
    pub(super) connid: String,
    pub(super) peer_label: String,
    pub(super) service: Arc<dyn Service>,
    config: Mutex<Arc<Config>>,
    pub(super) exports: Mutex<Exports>,
    pub(super) imports: Mutex<Imports>,
    pub(super) roots: Roots,
    pub(super) encoding: Encoding,
    pub(super) counts: Counts,
    // `close` has been called here.
    pub(super) closes: AtomicBool,
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
    pub(super) fn new(
        service: Arc<dyn Service>,
        root: ObjectRef,
        config: Arc<Config>,
        peer_label: String,
        encoding: Encoding,
    ) -> Session {
        Session {
            connid: config.connid.clone().unwrap_or_default(),
            peer_label,
            service,
            config: Mutex::new(config),
            exports: Mutex::default(),
            imports: Mutex::default(),
            roots: Roots::new(root),
            encoding,
            counts: Counts::default(),
            closes: AtomicBool::new(false),
        }
    }

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

    /// Whether this side has sent anything that the peer needn't answer to know of.
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

impl Protocol for Session {
    type Payload = Any;
    type Request = Request;

    fn decode(
        link: &Link,
        payload: Bytes,
        is_first: bool,
        into: &mut Vec<Arrival<Session>>,
    ) -> Result<Decoded, CloseReason> {
        link.decode_frame(payload, is_first, into)
    }

    fn foreign_parts(request: Request) -> impl Iterator<Item = Any> {
        let is_foreign = |arg: &Any| !Session::is_plain(arg);
        request.args.into_iter().filter(is_foreign)
    }

    fn is_plain(payload: &Any) -> bool {
        matches!(payload, Any::Value(_))
    }

    fn execute(link: &Arc<Link>, request: Request) {
        link.execute_and_answer(request);
    }

    fn refuse(link: &Link, request: &Request, why: &Refusal) {
        link.refuse_request(request, why);
    }

    fn answer_close(link: &Link, to: &ReplyTo) {
        link.reply(to, Any::NONE);
    }

    fn queue_close(link: &Link) -> Option<u64> {
        link.queue_last_request()
    }

    fn ended(link: &Arc<Link>) {
        link.tell_service_of_end();
    }

    fn release_all(&self) -> Vec<Any> {
        let mut all: Vec<Any> = self
            .exports
            .lock()
            .clear()
            .into_iter()
            .map(Any::Local)
            .collect();
        all.extend(self.roots.take());
        all
    }

    fn executor(&self) -> Arc<dyn Executor> {
        self.config().executor.clone()
    }

    fn max_answers(&self) -> usize {
        // Each request that runs may have one answer of any size.
        let answers = self.config().concurrency.saturating_add(1);
        self.encoding.limits.max_frame.saturating_mul(answers)
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.config().write_timeout
    }

    fn name(&self) -> &str {
        &self.connid
    }

    fn is_debug(&self) -> bool {
        self.config().debug
    }

    fn log(&self, level: log::Level, text: fmt::Arguments<'_>) {
        if level <= log::max_level() {
            let config = self.config();
            log::log!(target: &config.logger, level, "{}: {text}", self.connid);
        }
    }
}
