//! [`Metrics`]: numbers about servers, for Prometheus.

mod counted;
mod endpoint;
mod process;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use rpyc_core::config::Observer;
use rpyc_core::transport::Stream;
use rpyc_core::wire::Handler;
use rpyc_core::{Config, Connection};

use self::counted::Counted;
pub use self::endpoint::MetricsEndpoint;
use super::clients::{Clients, WeakClients};
use super::refusal::Refused;

/// Counts what servers do. Cheap to clone; clones count together.
///
/// A server counts when it is [given](super::Builder::metrics) one; one without costs nothing. A program's own
/// [`Config::observer`] counts beside it.
///
/// In process mode clients and refusals are those of the server, with what their processes tell by
/// [`ChildCommand::REFUSED`](super::ChildCommand::REFUSED). Connections, requests, bytes and objects
/// are in the processes of the clients, and not counted.
///
/// | metric | what |
/// |---|---|
/// | `rpyc_clients` | clients that are connected now |
/// | `rpyc_connections_total` | connections that were served |
/// | `rpyc_refused_total{reason}` | clients that weren't: `full`, `address_full`, `stopping`, `authentication`, `handshake_timeout`, `service`, `system` |
/// | `rpyc_requests_total{handler,outcome}` | requests that have run, by handler (`GETATTR`, `CALL`, ...) and by `ok` or `exception` |
/// | `rpyc_request_duration_seconds{handler}` | how long they ran: a histogram |
/// | `rpyc_received_bytes_total`, `rpyc_sent_bytes_total` | bytes of frames, as they are within TLS |
/// | `rpyc_objects` | objects that clients hold references to |
/// | `rpyc_netrefs` | objects of clients that are referred to here |
/// | `process_resident_memory_bytes`, `process_open_fds`, `process_threads` | of this process (Linux) |
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    numbers: Numbers,
    servers: Mutex<Vec<WeakClients>>,
}

struct Numbers {
    clients: Gauge,
    connections: Counter,
    refused: Family<Labels<1>, Counter>,
    requests: Family<Labels<2>, Counter>,
    durations: Family<Labels<1>, Histogram, fn() -> Histogram>,
    received: Counter,
    sent: Counter,
    objects: Gauge,
    netrefs: Gauge,
    memory: Gauge<u64, AtomicU64>,
    files: Gauge<u64, AtomicU64>,
    threads: Gauge<u64, AtomicU64>,
}

/// Names and values.
type Labels<const N: usize> = [(&'static str, &'static str); N];

impl Metrics {
    /// Numbers that are all zero.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::default();
        let numbers = Numbers::registered(&mut registry);
        Metrics(Arc::new(Inner {
            registry,
            numbers,
            servers: Mutex::default(),
        }))
    }

    /// The numbers in the text format that Prometheus reads.
    pub fn text(&self) -> String {
        self.look();
        let mut text = String::new();
        // Writing into a String never fails.
        let _ = encode(&mut text, &self.0.registry);
        text
    }

    /// Takes those numbers that nobody counts.
    fn look(&self) {
        let servers: Vec<_> = {
            let mut servers = self.0.servers.lock();
            servers.retain(|clients| clients.strong_count() > 0);
            servers.iter().filter_map(Clients::upgrade).collect()
        };
        let (mut clients, mut objects, mut netrefs) = (0, 0, 0);
        for server in servers {
            clients += server.len();
            for connection in server.connections() {
                objects += connection.exported_objects();
                netrefs += connection.live_netrefs();
            }
        }
        let numbers = &self.0.numbers;
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        numbers.clients.set(whole(clients));
        numbers.objects.set(whole(objects));
        numbers.netrefs.set(whole(netrefs));
        let process = process::look();
        numbers.memory.set(process.memory);
        numbers.files.set(process.files);
        numbers.threads.set(process.threads);
    }

    pub(super) fn watch(&self, clients: &Clients) {
        self.0.servers.lock().push(clients.downgrade());
    }

    pub(super) fn refused(&self, why: Refused) {
        self.0
            .numbers
            .refused
            .get_or_create(&[("reason", why.label())])
            .inc();
    }

    /// Counts a connection that is about to be opened, and what goes over its stream.
    pub(super) fn count(&self, stream: Arc<dyn Stream>, config: &mut Config) -> Arc<dyn Stream> {
        let numbers = &self.0.numbers;
        numbers.connections.inc();
        self.observe(config);
        Arc::new(Counted::new(
            stream,
            numbers.received.clone(),
            numbers.sent.clone(),
        ))
    }
}

impl Metrics {
    /// A service that put its own observer in the place of `ours` gets both.
    pub(super) fn stay(&self, connection: &Connection, ours: Option<&Arc<dyn Observer>>) {
        let same = |config: &Config| match (&config.observer, ours) {
            (Some(now), Some(ours)) => Arc::ptr_eq(now, ours),
            _ => false,
        };
        if !same(&connection.config()) {
            connection.update_config(|config| self.observe(config));
        }
    }

    /// Counts together with the observer that there is, if there is one: whoever embeds the server
    /// may count, too.
    fn observe(&self, config: &mut Config) {
        config.observer = Some(match config.observer.take() {
            None => Arc::new(self.clone()),
            Some(other) => Arc::new(Both(self.clone(), other)),
        });
    }
}

impl Observer for Metrics {
    fn request_ended(&self, handler: Handler, took: Duration, raised: bool) {
        let numbers = &self.0.numbers;
        let handler = ("handler", handler.name());
        let outcome = if raised { "exception" } else { "ok" };
        let labels = [handler, ("outcome", outcome)];
        numbers.requests.get_or_create(&labels).inc();
        let durations = numbers.durations.get_or_create(&[handler]);
        durations.observe(took.as_secs_f64());
    }
}

/// The metrics, and the observer that the config had.
struct Both(Metrics, Arc<dyn Observer>);

impl Observer for Both {
    fn request_ended(&self, handler: Handler, took: Duration, raised: bool) {
        self.0.request_ended(handler, took, raised);
        self.1.request_ended(handler, took, raised);
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Numbers {
    /// All zero, and in the registry.
    fn registered(registry: &mut Registry) -> Numbers {
        let process = registry.sub_registry_with_prefix("process");
        let memory = add(process, "resident_memory", "Memory in use", BYTES);
        let files = add(process, "open_fds", "Open descriptors", None);
        let threads = add(process, "threads", "Threads", None);
        let rpyc = registry.sub_registry_with_prefix("rpyc");
        let durations = Family::new_with_constructor(histogram as fn() -> Histogram);
        let what = "How long requests ran, in this process";
        rpyc.register_with_unit("request_duration", what, Unit::Seconds, durations.clone());
        Numbers {
            clients: add(rpyc, "clients", "Clients that are connected", None),
            connections: add(
                rpyc,
                "connections",
                "Connections that were served, in this process",
                None,
            ),
            refused: add(rpyc, "refused", "Clients that were not served", None),
            requests: add(
                rpyc,
                "requests",
                "Requests that have run, in this process",
                None,
            ),
            durations,
            received: add(
                rpyc,
                "received",
                "Bytes from clients, in this process",
                BYTES,
            ),
            sent: add(rpyc, "sent", "Bytes to clients, in this process", BYTES),
            objects: add(
                rpyc,
                "objects",
                "Objects that clients hold references to, in this process",
                None,
            ),
            netrefs: add(
                rpyc,
                "netrefs",
                "Objects of clients that are referred to, in this process",
                None,
            ),
            memory,
            files,
            threads,
        }
    }
}

/// A metric that is zero, and in the registry.
fn add<M: Metric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    what: &str,
    unit: Option<Unit>,
) -> M {
    let metric = M::default();
    match unit {
        Some(unit) => registry.register_with_unit(name, what, unit, metric.clone()),
        None => registry.register(name, what, metric.clone()),
    }
    metric
}

const BYTES: Option<Unit> = Some(Unit::Bytes);

/// From a call on the loopback interface to one that a stock client gives up.
fn histogram() -> Histogram {
    Histogram::new([
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
        0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}
