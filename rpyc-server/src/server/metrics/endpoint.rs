//! [`MetricsEndpoint`]: the numbers over HTTP.
//!
//! One small request, one answer, the end. A library of HTTP would serve connections for as long as they
//! stay, on a thread each: here a scraper has five seconds in all, and there are never more than a few.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::{debug, warn};

use super::Metrics;

/// Serves [`Metrics`] at `http://ADDRESS/metrics`, on threads of its own, until it is dropped.
///
/// There is no authentication: whoever reaches the address reads the numbers. Give it a loopback
/// address, or one of a network that may. A scraper has 5 s for its request and the answer, and 8 are
/// answered at a time; it stops those that hold threads and descriptors.
#[derive(Debug)]
pub struct MetricsEndpoint {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsEndpoint {
    /// Serves the numbers at this address; port 0 takes a free one.
    ///
    /// # Errors
    /// When the address can't be had, or no thread.
    pub fn start(address: impl ToSocketAddrs, metrics: Metrics) -> io::Result<MetricsEndpoint> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = stopping.clone();
        let thread = thread::Builder::new()
            .name("rpyc-metrics".to_owned())
            .spawn(move || accept(&listener, &metrics, &stop))?;
        Ok(MetricsEndpoint {
            address,
            stopping,
            thread: Some(thread),
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsEndpoint {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => [127, 0, 0, 1].into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        // It waits for a connection.
        let woken = TcpStream::connect_timeout(&address, LIMIT);
        if woken.is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, metrics: &Metrics, stopping: &AtomicBool) {
    let busy = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Descriptors may have run out: it passes.
                debug!("metrics: no connection can be accepted: {error}");
                thread::sleep(PAUSE); // else it would try without a pause
                continue;
            }
        };
        let place = Place::take(&busy);
        let Some(place) = place else {
            continue;
        };
        let metrics = metrics.clone();
        let spawned = thread::Builder::new()
            .name("rpyc-scrape".to_owned())
            .stack_size(256 << 10)
            .spawn(move || {
                let _place = place;
                if let Err(error) = answer(&stream, &metrics) {
                    debug!("metrics: a scraper wasn't answered: {error}");
                }
            });
        if let Err(error) = spawned {
            warn!("metrics: no thread for a scraper: {error}");
        }
    }
}

/// One of the few that are answered at a time.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(busy: &Arc<AtomicUsize>) -> Option<Place> {
        if busy.fetch_add(1, Ordering::SeqCst) >= AT_A_TIME {
            busy.fetch_sub(1, Ordering::SeqCst);
            return None;
        }
        Some(Place(busy.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn answer(mut stream: &TcpStream, metrics: &Metrics) -> io::Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut request = Vec::new();
    while !is_whole(&request) {
        if request.len() >= LONGEST {
            return write_within(stream, deadline, &response("431 Too Large", TEXT, ""));
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        let mut buffer = [0; 1024];
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => request.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    let line = request
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let response = match (method, path.split('?').next()) {
        (Some("GET"), Some("/metrics")) => response("200 OK", OPEN_METRICS, &metrics.text()),
        (Some("GET"), _) => response("404 Not Found", TEXT, "the metrics are at /metrics\n"),
        _ => response(
            "405 Method Not Allowed\r\nAllow: GET",
            TEXT,
            "GET /metrics\n",
        ),
    };
    write_within(stream, deadline, &response)
}

fn is_whole(request: &[u8]) -> bool {
    request.windows(4).any(|end| end == b"\r\n\r\n")
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

fn write_within(mut stream: &TcpStream, deadline: Instant, text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        let count = stream.write(rest)?;
        rest = rest.get(count..).unwrap_or_default();
    }
    stream.shutdown(Shutdown::Write)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        left if left.is_zero() => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// What a scraper has in all. Stops those that hold their place.
const LIMIT: Duration = Duration::from_secs(5);
/// How many are answered at a time; others are closed. Stops floods of them.
const AT_A_TIME: usize = 8;
/// Bytes of a request. Stops those that never end.
const LONGEST: usize = 8 << 10;
const PAUSE: Duration = Duration::from_millis(100);
