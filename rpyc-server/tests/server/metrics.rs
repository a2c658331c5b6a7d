//! The numbers of a server, as Prometheus reads them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::config::Observer;
use rpyc_core::object::ObjectRef;
use rpyc_core::service::PeerInfo;
use rpyc_core::wire::Handler;
use rpyc_core::{Config, Service, VoidService, args};
use rpyc_server::metrics::{Metrics, MetricsEndpoint};
use rpyc_server::{ChildCommand, Mode, RawStream, Rejection, Server};

use crate::bench::{DEADLINE, assert_serves, connect, demo, root};

fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("an option");
    stream.write_all(request).expect("it reads");
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    send(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
    )
}

/// The value of a metric, by its name and labels.
fn value(text: &str, name: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    value.parse().expect("a number")
}

#[test]
fn a_scraper_reads_what_a_server_has_done() {
    let metrics = Metrics::new();
    let endpoint = MetricsEndpoint::start("127.0.0.1:0", metrics.clone()).unwrap();
    let (builder, watch) = demo();
    let server = builder
        .metrics(metrics)
        .max_clients(1)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let address = server.local_addr().unwrap();
    let client = connect(Some(address));
    assert_serves(&client);
    assert!(
        root(&client)
            .call_method("no_such_method", args![])
            .is_err()
    );
    let mut refused = TcpStream::connect(address).unwrap();
    refused.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = refused.read(&mut [0; 1]);

    // A refused client is counted, and an answer, a moment after the client has it.
    let refusals = "rpyc_refused_total{reason=\"full\"}";
    let raised = "rpyc_requests_total{handler=\"CALLATTR\",outcome=\"exception\"}";
    let began = Instant::now();
    let text = loop {
        let text = get(endpoint.address(), "/metrics");
        if text.contains(refusals) && text.contains(raised) {
            break text;
        }
        assert!(began.elapsed() < DEADLINE, "{text}");
    };
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("application/openmetrics-text"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(value(&text, "rpyc_clients"), 1.0);
    assert_eq!(value(&text, "rpyc_connections_total"), 1.0);
    assert_eq!(value(&text, refusals), 1.0);
    assert_eq!(value(&text, raised), 1.0);
    let timed = "rpyc_request_duration_seconds_count{handler=\"CALLATTR\"}";
    assert!(value(&text, timed) >= 1.0);
    assert!(value(&text, "rpyc_received_bytes_total") > 50.0);
    assert!(value(&text, "rpyc_sent_bytes_total") > 50.0);
    assert!(value(&text, "rpyc_objects") >= 1.0);
    assert_eq!(value(&text, "rpyc_netrefs"), 0.0);
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
    assert!(value(&text, "process_open_fds") > 3.0);

    client.close().unwrap();
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    let began = Instant::now();
    while value(&get(endpoint.address(), "/metrics"), "rpyc_clients") > 0.0 {
        assert!(began.elapsed() < DEADLINE);
    }
}

#[test]
fn who_isnt_authenticated_is_counted() {
    let metrics = Metrics::new();
    let (builder, _watch) = demo();
    let server = builder
        .metrics(metrics.clone())
        .authenticator(|_: RawStream, _: &_| Err(Rejection::new("nobody is")))
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = client.read(&mut [0; 1]);
    let label = "rpyc_refused_total{reason=\"authentication\"}";
    let began = Instant::now();
    while !metrics.text().contains(label) || server.clients() > 0 {
        assert!(began.elapsed() < DEADLINE, "{}", metrics.text());
        thread::yield_now();
    }
    assert_eq!(value(&metrics.text(), label), 1.0);
    assert_eq!(value(&metrics.text(), "rpyc_connections_total"), 0.0);
}

#[test]
fn whom_its_own_process_refuses_is_counted() {
    let metrics = Metrics::new();
    let (builder, _watch) = demo();
    let refuses = format!("exit {}", ChildCommand::REFUSED);
    let child = ChildCommand::new("sh").arg("-c").arg(refuses);
    let server = builder
        .metrics(metrics.clone())
        .mode(Mode::Process(child))
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    client.write_all(b"x").unwrap();
    // Its place is free when everything has been told.
    let began = Instant::now();
    let label = "rpyc_refused_total{reason=\"authentication\"}";
    while !metrics.text().contains(label) || server.clients() > 0 {
        assert!(began.elapsed() < DEADLINE, "{}", metrics.text());
        thread::yield_now();
    }
    assert_eq!(value(&metrics.text(), label), 1.0);
}

#[test]
fn other_requests_get_an_answer_and_nothing_else() {
    let endpoint = MetricsEndpoint::start("127.0.0.1:0", Metrics::new()).unwrap();
    let address = endpoint.address();
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
        (
            b"POST /metrics HTTP/1.1\r\n\r\n",
            "405 Method Not Allowed\r\nAllow: GET\r\n",
        ),
        (b"\xff\x00\r\n\r\n", "405"),
        (&[b'x'; 20_000], "431"),
    ] {
        let answer = send(address, request);
        // What is sent behind an answer may reset the connection before it is read.
        let answered = answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(answered, "{status}: {answer}");
    }
    assert!(get(address, "/metrics?x=1").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn scrapers_that_are_slow_or_many_hold_nothing_for_long() {
    let endpoint = MetricsEndpoint::start("127.0.0.1:0", Metrics::new()).unwrap();
    let address = endpoint.address();
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            // Those beyond the few are closed already.
            let _ = stream.write_all(b"GET /metr");
            stream
        })
        .collect();
    // They are ended, and there is room again.
    for mut stream in slow {
        assert!(!matches!(stream.read(&mut [0; 1]), Ok(1..)));
    }
    let began = Instant::now();
    while !get(address, "/metrics").starts_with("HTTP/1.1 200 OK") {
        assert!(began.elapsed() < DEADLINE);
        thread::yield_now();
    }
    // Who goes away before its answer does no harm.
    let gone = TcpStream::connect(address).unwrap();
    gone.shutdown(Shutdown::Both).unwrap();
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200 OK"));
}

/// Counts the requests that ran.
#[derive(Default)]
struct Tally(AtomicUsize);

impl Observer for Tally {
    fn request_ended(&self, _: Handler, _: Duration, _: bool) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Its `configure` sets an observer, if it has one.
struct Observed(Option<Arc<Tally>>);

impl Service for Observed {
    fn root(&self) -> ObjectRef {
        VoidService.root()
    }

    fn configure(&self, config: &mut Config, _: &mut PeerInfo) {
        if let Some(tally) = &self.0 {
            config.observer = Some(tally.clone());
        }
    }
}

#[test]
fn a_programs_own_observer_counts_beside_the_metrics() {
    for by_the_service in [false, true] {
        let (tally, metrics) = (Arc::new(Tally::default()), Metrics::new());
        let mut config = Config::default();
        let mut of_service = Some(tally.clone());
        if !by_the_service {
            config.observer = of_service.take().map(|tally| tally as _);
        }
        let builder = Server::builder(move || Observed(of_service.clone()));
        let builder = builder.metrics(metrics.clone()).connection_config(config);
        let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
        let client = connect(server.local_addr());
        client.ping().unwrap();
        client.close().unwrap();
        let ran = "rpyc_requests_total{handler=\"PING\",outcome=\"ok\"} 1";
        let began = Instant::now();
        while tally.0.load(Ordering::SeqCst) == 0 || !metrics.text().contains(ran) {
            assert!(began.elapsed() < DEADLINE, "{}", metrics.text());
        }
    }
}
