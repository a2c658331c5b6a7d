//! [`MetricsEndpoint`]: the numbers over HTTP.
//!
//! One small request, one answer, the end. A library of HTTP would serve connections for as long as they
//! stay, on a thread each: here a scraper has five seconds in all, and there are never more than a few.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{debug, warn};

use super::Metrics;
use crate::places::Caps;
use crate::threads;
use crate::visitors::{Visit, Visitors};

/// Serves [`Metrics`] at `http://ADDRESS/metrics`, on threads of its own, until it is dropped.
///
/// There is no authentication: whoever reaches the address reads the numbers. Give it a loopback
/// address, or one of a network that may. A scraper has 5 s for its request and the answer, and 8 are
/// answered at a time, 4 of one source; it stops those that hold threads and descriptors. Whoever says nothing
/// loses its place to the next one that comes.
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
        let thread = threads::start("rpyc-metrics", move || accept(&listener, &metrics, &stop))?;
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
    let visitors = Visitors::new(CAPS);
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
        let visit = match visitors.admit(stream, LIMIT) {
            Ok(Some(visit)) => visit,
            Ok(None) => continue,
            Err(error) => {
                debug!("metrics: a scraper can't be heard: {error}");
                continue;
            }
        };
        let metrics = metrics.clone();
        let started = threads::start("rpyc-scrape", move || {
            if let Err(error) = answer(visit, &metrics) {
                debug!("metrics: a scraper wasn't answered: {error}");
            }
        });
        if let Err(error) = started {
            warn!("metrics: no thread for a scraper: {error}");
        }
    }
}

fn answer(mut visit: Visit, metrics: &Metrics) -> io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if request.len() >= LONGEST {
            return send(visit, &response("431 Too Large", TEXT, ""));
        }
        let mut buffer = [0; 1024];
        match visit.read(&mut buffer)? {
            0 => return Ok(()),
            count => request.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    visit.asked();
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
    send(visit, &response)
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

fn send(mut visit: Visit, response: &str) -> io::Result<()> {
    visit.write_all(response.as_bytes())?;
    visit.finish()
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// What a scraper has in all. Stops those that hold their place.
const LIMIT: Duration = Duration::from_secs(5);
/// How many are answered at a time, and of one source; others are closed. Stops floods of them.
const CAPS: Caps = Caps {
    all: 8,
    per_source: 4,
};
/// Bytes of a request. Stops those that never end.
const LONGEST: usize = 8 << 10;
const PAUSE: Duration = Duration::from_millis(100);
