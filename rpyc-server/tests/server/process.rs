//! A process for each client: who gets one.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_server::{ChildCommand, Mode};

use crate::bench::{DEADLINE, Folder, connect_from, demo};

#[test]
fn a_client_that_has_gone_again_gets_no_process() {
    let folder = Folder::new();
    let started = folder.path("started");
    let note = format!("echo >> '{}'", started.display());
    let child = ChildCommand::new("sh").arg("-c").arg(note);
    let (builder, _watch) = demo();
    let builder = builder.mode(Mode::Process(child));
    let server = builder.listen("127.0.0.1:0").unwrap();
    let connect = || {
        let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        stream.write_all(b"x").unwrap();
        stream
    };
    // They wait in the system's queue.
    for _ in 0..10 {
        drop(connect());
    }
    let mut stays = connect();
    let server = server.start().unwrap();
    stays.set_read_timeout(Some(DEADLINE)).unwrap();
    // What it has sent was never read.
    let end = stays.read(&mut [0]).map_err(|error| error.kind());
    assert!(
        matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
        "{end:?}"
    );
    server.stop();
    assert_eq!(fs::read_to_string(started).unwrap().lines().count(), 1);
}

#[test]
fn a_server_that_stops_starts_no_more_processes() {
    let folder = Folder::new();
    let started = folder.path("started");
    // It takes nobody over, so that the others wait for their turn.
    let note = format!("echo >> '{}'; exec sleep 60", started.display());
    let child = ChildCommand::new("sh").arg("-c").arg(note);
    let (builder, _watch) = demo();
    let builder = builder.mode(Mode::Process(child)).grace(DEADLINE);
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let count = || fs::read_to_string(&started).map_or(0, |text| text.lines().count());
    let at_a_time = 2 * thread::available_parallelism().unwrap().get();
    let clients: Vec<TcpStream> = (0..20 * at_a_time)
        .map(|_| {
            let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
            stream.write_all(b"x").unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    while count() < at_a_time || server.clients() < clients.len() {
        assert!(began.elapsed() < DEADLINE, "{}", count());
        thread::yield_now();
    }
    let before = count();
    server.stop();
    let since = count() - before;
    // Those that were being started, and those whose turn had just come.
    assert!(since <= 2 * at_a_time, "{since} of {}", clients.len());
}

/// It was never sent one: a busy machine, or a large module at its start, had the server look no more.
#[test]
fn a_process_that_is_late_to_take_its_client_over_is_sent_a_sighup_too() {
    // That is how long it takes: longer than the next one waits for its turn.
    let late = "
import os, signal, time
signal.signal(signal.SIGHUP, lambda *_: os.write(0, b'heard'))
time.sleep(3)
os.set_blocking(0, True)
os.write(0, b'ready')
signal.pause()
";
    let child = ChildCommand::new("python3").arg("-c").arg(late);
    let (builder, _watch) = demo();
    let builder = builder.mode(Mode::Process(child)).grace(Duration::ZERO);
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let mut client = connect_from([127, 0, 0, 1], server.local_addr().unwrap());
    client.write_all(b"x").unwrap();
    let mut said = [0; 5];
    client.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"ready");
    server.stopper().hang_up();
    client.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"heard");
}

#[test]
fn two_hundred_clients_of_one_address_delay_the_process_of_no_other() {
    // It takes nobody over: each start lasts for as long as it may.
    let child = ChildCommand::new("sh")
        .arg("-c")
        .arg("echo hello >&0; exec sleep 60");
    let (builder, _watch) = demo();
    let builder = builder.mode(Mode::Process(child)).grace(Duration::ZERO);
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let address = server.local_addr().unwrap();
    let speak = |last| {
        let mut stream = connect_from([127, 0, 0, last], address);
        stream.write_all(b"x").unwrap();
        stream
    };
    let many: Vec<TcpStream> = (0..200).map(|_| speak(2)).collect();
    let began = Instant::now();
    while server.clients() < many.len() {
        assert!(began.elapsed() < DEADLINE);
        thread::yield_now();
    }
    let mut other = speak(3);
    // One after the other the many take more than three times as long as that.
    let mut greeting = [0; 5];
    other.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");
}
