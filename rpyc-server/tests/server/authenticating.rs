//! Authenticators, and what runs at a server's start and end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::transport::PeerAddr;
use rpyc_server::metrics::Metrics;
use rpyc_server::{Authenticated, ChildCommand, Mode, RawStream, Rejection};

use crate::bench::{DEADLINE, assert_serves, connect, demo};

/// Wants one byte, `y`.
fn picky(mut stream: RawStream, _: &PeerAddr) -> Result<Authenticated, Rejection> {
    let mut word = [0];
    stream.read_exact(&mut word)?;
    match &word {
        b"y" => Ok(Authenticated::new(stream.into_stream()).credentials("a friend")),
        _ => Err(Rejection::new("it doesn't know the word")),
    }
}

fn greet(address: Option<std::net::SocketAddr>, word: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address.expect("an address")).expect("a stream");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a time limit");
    stream.write_all(word).expect("written");
    stream
}

fn is_ended(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn whoever_the_authenticator_lets_in_is_served_with_credentials() {
    let (builder, watch) = demo();
    let server = builder.authenticator(picky).listen("127.0.0.1:0").unwrap();
    let server = server.start().unwrap();
    let mut wrong = greet(server.local_addr(), b"n");
    assert!(is_ended(&mut wrong));
    let right = greet(server.local_addr(), b"y");
    let service = std::sync::Arc::new(rpyc_core::VoidService);
    let client = rpyc_core::Connection::open(right, service, rpyc_core::Config::default()).unwrap();
    assert_serves(&client);
    let credentials = watch.credentials.recv_timeout(DEADLINE).unwrap();
    assert_eq!(credentials.as_deref(), Some("a friend"));
    assert!(watch.credentials.try_recv().is_err(), "one was served");
}

#[test]
fn clients_that_dont_authenticate_keep_nobody_waiting_and_are_cut() {
    let (builder, _watch) = demo();
    let server = builder
        .authenticator(picky)
        // Long enough for the client of this test to say its word on a busy machine.
        .handshake_timeout(Some(Duration::from_secs(3)))
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let mut silent: Vec<TcpStream> = (0..20).map(|_| greet(server.local_addr(), b"")).collect();
    let right = greet(server.local_addr(), b"y");
    let service = std::sync::Arc::new(rpyc_core::VoidService);
    let client = rpyc_core::Connection::open(right, service, rpyc_core::Config::default()).unwrap();
    assert_serves(&client);
    for stream in &mut silent {
        assert!(is_ended(stream));
    }
    let began = Instant::now();
    while server.clients() > 1 {
        assert!(began.elapsed() < DEADLINE, "{} are left", server.clients());
        thread::yield_now();
    }
    assert_serves(&client);
}

#[test]
fn a_handshake_has_one_clock_which_ends_the_stream_and_never_times_a_read_out() {
    let (builder, _watch) = demo();
    let (tell, told) = mpsc::channel();
    let reads = move |mut stream: RawStream, _: &PeerAddr| {
        let _ = tell.send(stream.read(&mut [0]).map_err(|error| error.kind()));
        Err::<Authenticated, _>(Rejection::new("it said nothing"))
    };
    let server = builder
        .authenticator(reads)
        .handshake_timeout(Some(Duration::from_millis(100)))
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    for mut silent in (0..50)
        .map(|_| greet(server.local_addr(), b""))
        .collect::<Vec<_>>()
    {
        assert!(is_ended(&mut silent));
        assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Ok(0));
    }
}

#[test]
fn an_authenticators_own_time_out_is_told_in_words() {
    let refused = Rejection::from(std::io::Error::from_raw_os_error(11));
    assert_eq!(
        refused.to_string(),
        "it was silent for longer than the authenticator's time-out"
    );
}

#[test]
fn bytes_now_and_then_dont_stretch_the_handshake() {
    let (builder, _watch) = demo();
    let patient = |mut stream: RawStream, _: &PeerAddr| {
        // Reads for ever, each time a little.
        let mut byte = [0];
        while stream.read(&mut byte)? > 0 {}
        Err::<Authenticated, _>(Rejection::new("it said nothing of interest"))
    };
    let server = builder
        .authenticator(patient)
        .handshake_timeout(Some(Duration::from_millis(500)))
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let mut drip = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let began = Instant::now();
    while drip.write_all(b".").is_ok() {
        assert!(began.elapsed() < DEADLINE, "it is never cut");
        thread::sleep(Duration::from_millis(20)); // it drips
    }
}

#[test]
fn a_stop_ends_handshakes_at_once_and_is_the_reason() {
    let threaded = demo().0.authenticator(picky);
    // It waits for the client's first bytes.
    let process = demo().0.mode(Mode::Process(ChildCommand::new("false")));
    for builder in [threaded, process] {
        let metrics = Metrics::new();
        let server = builder
            .handshake_timeout(None)
            .grace(DEADLINE)
            .metrics(metrics.clone())
            .listen("127.0.0.1:0")
            .unwrap()
            .start()
            .unwrap();
        let mut silent = greet(server.local_addr(), b"");
        while server.clients() == 0 {
            thread::yield_now();
        }
        let began = Instant::now();
        server.stop();
        assert!(began.elapsed() < DEADLINE / 2, "{:?}", began.elapsed());
        assert!(is_ended(&mut silent));
        let refused = metrics.text();
        let refused: Vec<&str> = refused
            .lines()
            .filter(|line| line.starts_with("rpyc_refused_total{"))
            .collect();
        assert_eq!(refused, ["rpyc_refused_total{reason=\"stopping\"} 1"]);
    }
}

#[test]
fn an_authenticator_that_panics_ends_its_own_client_alone() {
    let (builder, _watch) = demo();
    let fragile = |mut stream: RawStream, peer: &PeerAddr| {
        let mut word = [0];
        stream.read_exact(&mut word)?;
        assert_ne!(&word, b"p", "{peer} asked for it");
        Ok(Authenticated::new(stream.into_stream()))
    };
    let server = builder
        .authenticator(fragile)
        .listen("127.0.0.1:0")
        .unwrap();
    let server = server.start().unwrap();
    assert!(is_ended(&mut greet(server.local_addr(), b"p")));
    let right = greet(server.local_addr(), b"y");
    let service = std::sync::Arc::new(rpyc_core::VoidService);
    let client = rpyc_core::Connection::open(right, service, rpyc_core::Config::default()).unwrap();
    assert_serves(&client);
}

#[test]
fn hooks_run_once_at_the_start_with_the_address_and_once_at_the_end() {
    let (tell, told) = mpsc::channel();
    let (start, stop) = (tell.clone(), tell);
    let (builder, _watch) = demo();
    let server = builder
        .on_start(move |addresses| start.send(addresses[0].tcp()).unwrap())
        .on_stop(move || stop.send(None).unwrap())
        .listen("127.0.0.1:0")
        .unwrap();
    assert!(told.try_recv().is_err(), "it doesn't serve yet");
    let server = server.start().unwrap();
    assert_serves(&connect(server.local_addr()));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), server.local_addr());
    server.stop();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), None);
    assert!(told.recv_timeout(DEADLINE).is_err(), "only once");
}

#[test]
fn a_hook_of_the_end_that_hangs_doesnt_keep_the_server() {
    let (keep, never) = mpsc::channel::<()>();
    let (builder, _watch) = demo();
    let server = builder
        .grace(Duration::from_millis(100))
        .on_stop(move || {
            let _ = never.recv();
        })
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    server.stop();
    drop(keep);
}

#[test]
fn a_hook_of_the_end_has_its_time_where_requests_have_none() {
    let (tell, told) = mpsc::channel();
    let (keep, never) = mpsc::channel::<()>();
    let (builder, _watch) = demo();
    let server = builder
        .grace(Duration::ZERO)
        .on_stop(move || {
            // As long as a directory may take that is slow.
            let _ = never.recv_timeout(Duration::from_millis(1_500));
            tell.send(()).unwrap();
        })
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    server.stop();
    told.try_recv().expect("it has run to its end");
    drop(keep);
}
