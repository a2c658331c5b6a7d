//! TLS in a pool: what a session has received isn't seen by whoever watches its socket.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rpyc_core::object::Args;
use rpyc_core::transport::{Stream, TlsClient};
use rpyc_core::{Config, Connection, VoidService};
use rpyc_server::auth::Tls;
use rpyc_server::metrics::Metrics;
use rpyc_server::{Builder, Mode, Running};
use rpyc_tests::certs::Authority;

use crate::bench::{DEADLINE, assert_serves, demo, root};

/// A pool with so many workers, behind TLS.
fn pool(builder: Builder, workers: usize) -> (Running, Authority) {
    let ca = Authority::new("authority");
    let identity = ca.server();
    let tls = Tls::from_files(&identity.certificate, &identity.key, None).expect("good files");
    let builder = builder.mode(Mode::Pool { workers }).authenticator(tls);
    let server = builder.listen("127.0.0.1:0").expect("a port");
    (server.start().expect("it starts"), ca)
}

fn client(ca: &Authority, stream: impl Stream + 'static) -> Connection {
    let tls = TlsClient::builder().ca_file(ca.path()).build();
    let tls = tls
        .expect("a file")
        .connect(stream, "localhost", Some(DEADLINE));
    let stream = tls.expect("a session");
    Connection::open(stream, Arc::new(VoidService), Config::default()).expect("a connection")
}

fn socket(server: &Running) -> TcpStream {
    TcpStream::connect(server.local_addr().expect("an address")).expect("it listens")
}

/// Holds back what ends the handshake and sends it together with the first request.
struct Joining {
    stream: TcpStream,
    // The hello isn't held back.
    held: Mutex<Option<Vec<u8>>>,
}

impl Stream for Joining {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read_ready(buffer)
    }
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        Stream::set_read_timeout(&self.stream, timeout)
    }
    fn try_write(&self, bytes: &[u8], _: Duration) -> io::Result<usize> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.extend_from_slice(bytes),
            None => {
                *held = Some(Vec::new());
                io::Write::write_all(&mut &self.stream, bytes)?;
            }
        }
        Ok(bytes.len())
    }
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = held.as_mut().map(std::mem::take).unwrap_or_default();
        slices
            .iter()
            .for_each(|slice| bytes.extend_from_slice(slice));
        io::Write::write_all(&mut &self.stream, &bytes)?;
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn shutdown(&self) {
        Stream::shutdown(&self.stream);
    }
    fn endpoints(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.stream.endpoints()
    }
}

#[test]
fn a_request_that_comes_together_with_the_end_of_the_handshake_is_answered() {
    let (builder, _watch) = demo();
    let (server, ca) = pool(builder.metrics(Metrics::new()), 1);
    for _ in 0..10 {
        let joining = Joining {
            stream: socket(&server),
            held: Mutex::new(None),
        };
        assert_serves(&client(&ca, joining));
    }
}

#[test]
fn requests_sent_without_waiting_are_all_answered() {
    let (builder, _watch) = demo();
    let (server, ca) = pool(builder, 2);
    let client = client(&ca, socket(&server));
    let root = root(&client);
    // More at a time than a session opens at a time.
    let text = "x".repeat(3000);
    let results: Vec<_> = (0..500)
        .map(|n| {
            let args = Args::new().arg(format!("{n} {text}"));
            root.async_call_method("echo", args).unwrap()
        })
        .collect();
    for (n, result) in results.into_iter().enumerate() {
        let echo = result.value().unwrap().extract::<String>().unwrap();
        assert!(echo.starts_with(&format!("{n} ")));
    }
}

#[test]
fn many_clients_are_served_by_few_workers_and_leave_when_they_go() {
    let (builder, watch) = demo();
    let (server, ca) = pool(builder, 2);
    let clients: Vec<_> = (0..30).map(|_| client(&ca, socket(&server))).collect();
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| (0..10).for_each(|_| assert_serves(client)));
        }
    });
    drop(clients);
    for _ in 0..30 {
        watch.disconnected.recv_timeout(DEADLINE).unwrap();
    }
    assert_eq!(watch.ended().len(), 0, "told of an end twice");
    // A peer that stays silent holds no worker, and is ended in time.
    let silent = socket(&server);
    assert_serves(&client(&ca, socket(&server)));
    drop(silent);
}

#[test]
fn an_idle_client_is_ended_where_there_is_a_limit() {
    let (builder, watch) = demo();
    let mut config = Config::default();
    // Long enough for its only request on a busy machine.
    config.idle_timeout = Some(Duration::from_secs(2));
    let (server, ca) = pool(builder.connection_config(config), 1);
    let client = client(&ca, socket(&server));
    assert_serves(&client);
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    drop(client);
}
