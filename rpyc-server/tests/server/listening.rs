//! Where a server listens: both kinds of IP, Unix sockets and what they leave behind, sockets
//! that others have opened.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use rpyc_core::transport::PeerAddr;
use rpyc_core::{Config, Connection, VoidService};
use rpyc_server::{Address, Authenticated, ListenError, Listener, Mode, RawStream, Rejection};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::bench::{DEADLINE, Folder, assert_serves, connect, demo};

fn connect_unix(path: &PathBuf) -> Connection {
    let stream = UnixStream::connect(path).expect("the server accepts");
    Connection::open(stream, Arc::new(VoidService), Config::default()).expect("a connection")
}

#[test]
fn the_unspecified_ipv6_address_serves_both_kinds_of_clients() {
    let (builder, _watch) = demo();
    let server = builder.listen("[::]:0").unwrap().start().unwrap();
    let port = server.local_addr().unwrap().port();
    for host in ["127.0.0.1", "::1"] {
        let address = (host, port);
        let stream = TcpStream::connect(address).unwrap_or_else(|e| panic!("{host}: {e}"));
        let client = Connection::open(stream, Arc::new(VoidService), Config::default());
        assert_serves(&client.unwrap());
    }
}

#[test]
fn of_many_that_start_at_one_stale_socket_at_once_one_gets_it_and_keeps_it() {
    const STARTS: usize = 8;
    let folder = Folder::new();
    for round in 0..30 {
        let path = folder.path(&format!("{round}.sock"));
        drop(UnixListener::bind(&path).unwrap());
        let together = Barrier::new(STARTS);
        let start = || {
            together.wait();
            Listener::unix(&path)
        };
        let listeners: Vec<Listener> = thread::scope(|scope| {
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            let ended = starts.into_iter().map(|start| start.join().unwrap());
            let got = ended.filter_map(|outcome| match outcome {
                Ok(listener) => Some(listener),
                Err(error) => {
                    assert!(error.is_in_use(), "{error}");
                    None
                }
            });
            got.collect()
        });
        assert_eq!(listeners.len(), 1, "round {round}");
        UnixStream::connect(&path).unwrap();
        // The end of an old one takes nothing from a new one.
        let (old, new) = (listeners, || Listener::unix(&path));
        let new = thread::scope(|scope| {
            let new = scope.spawn(move || {
                loop {
                    match new() {
                        Ok(listener) => return listener,
                        Err(error) => assert!(error.is_in_use(), "{error}"),
                    }
                }
            });
            drop(old);
            new.join().unwrap()
        });
        UnixStream::connect(&path).unwrap();
        drop(new);
        assert!(!path.exists());
    }
}

#[test]
fn one_server_serves_tcp_and_a_unix_socket() {
    let folder = Folder::new();
    let path = folder.path("both.sock");
    let (builder, _watch) = demo();
    let listeners = [
        Listener::tcp("127.0.0.1:0").unwrap(),
        Listener::unix(&path).unwrap(),
    ];
    let server = builder.serve_on(listeners).unwrap().start().unwrap();
    assert_eq!(server.addresses()[1], Address::Unix(Some(path.clone())));
    assert_serves(&connect(server.local_addr()));
    assert_serves(&connect_unix(&path));
    assert_eq!(server.addresses().len(), 2);
}

#[test]
fn a_unix_socket_is_this_users_alone_unless_more_is_asked_for_and_goes_with_the_server() {
    let folder = Folder::new();
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (own, shared) = (folder.path("own.sock"), folder.path("shared.sock"));
    let (builder, _watch) = demo();
    let server = builder
        .serve_on([
            Listener::unix(&own).unwrap(),
            Listener::unix_with_mode(&shared, 0o666).unwrap(),
        ])
        .unwrap()
        .start()
        .unwrap();
    assert_eq!((mode(&own), mode(&shared)), (0o600, 0o666));
    server.stop();
    assert!(!own.exists() && !shared.exists());
}

#[test]
fn a_socket_that_a_killed_server_left_is_replaced_one_in_use_is_not() {
    let folder = Folder::new();
    let path = folder.path("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "std leaves the file");
    let (builder, _watch) = demo();
    let server = builder.listen_unix(&path).unwrap().start().unwrap();
    assert_serves(&connect_unix(&path));
    let error = Listener::unix(&path).unwrap_err();
    assert!(error.is_in_use(), "{error:?}");
    assert_serves(&connect_unix(&path));
    drop(server);
}

#[test]
fn a_socket_whose_queue_is_full_is_in_use_and_isnt_waited_for() {
    let folder = Folder::new();
    let path = folder.path("full.sock");
    let address = SockAddr::unix(&path).unwrap();
    let unix = || Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let stuck = unix();
    stuck.bind(&address).unwrap();
    stuck.listen(0).unwrap();
    let mut queue = Vec::new();
    loop {
        let client = unix();
        client.set_nonblocking(true).unwrap();
        if client.connect(&address).is_err() {
            break;
        }
        queue.push(client);
    }
    let (told, outcome) = mpsc::channel();
    thread::spawn(move || told.send(Listener::unix(&path)));
    let error = outcome.recv_timeout(DEADLINE).expect("an end").unwrap_err();
    assert!(error.is_in_use(), "{error:?}");
}

#[test]
fn a_file_that_isnt_a_socket_is_never_removed() {
    let folder = Folder::new();
    let path = folder.path("precious");
    fs::write(&path, "data").unwrap();
    let error = Listener::unix(&path).unwrap_err();
    assert!(!error.is_in_use(), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[test]
fn a_socket_of_another_server_at_the_same_path_stays_when_this_one_stops() {
    let folder = Folder::new();
    let path = folder.path("moved.sock");
    let first = Listener::unix(&path).unwrap();
    fs::rename(&path, folder.path("elsewhere.sock")).unwrap();
    let second = Listener::unix(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn inherited_sockets_are_served_and_anything_else_is_refused() {
    let folder = Folder::new();
    let path = folder.path("inherited.sock");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = UnixListener::bind(&path).unwrap();
    let listeners = [OwnedFd::from(tcp), OwnedFd::from(unix)]
        .map(|descriptor| Listener::from_fd(descriptor).unwrap());
    let (builder, _watch) = demo();
    let server = builder.serve_on(listeners).unwrap().start().unwrap();
    assert_serves(&connect(server.local_addr()));
    assert_serves(&connect_unix(&path));
    server.stop();
    assert!(path.exists(), "who made the path removes it");

    let file = fs::File::open(folder.path("")).unwrap();
    let (connected, _other) = UnixStream::pair().unwrap();
    for wrong in [OwnedFd::from(file), OwnedFd::from(connected)] {
        let error = Listener::from_fd(wrong).unwrap_err();
        assert!(matches!(error, ListenError::Inherited { .. }), "{error:?}");
    }
}

#[test]
fn a_service_sees_who_connected() {
    let folder = Folder::new();
    let path = folder.path("who.sock");
    let (builder, watch) = demo();
    let listeners = [
        Listener::tcp("127.0.0.1:0").unwrap(),
        Listener::unix(&path).unwrap(),
    ];
    let server = builder.serve_on(listeners).unwrap().start().unwrap();
    let local = connect_unix(&path);
    assert_serves(&local);
    let peer = watch.peers.recv_timeout(DEADLINE).unwrap();
    let Some(PeerAddr::Unix(Some(process))) = peer else {
        panic!("{peer:?}");
    };
    assert_eq!(process.pid, i32::try_from(std::process::id()).unwrap());
    assert_eq!(process.uid, rustix::process::geteuid().as_raw());
    let stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let expected = stream.local_addr().unwrap();
    let remote = Connection::open(stream, Arc::new(VoidService), Config::default()).unwrap();
    assert_serves(&remote);
    let peer = watch.peers.recv_timeout(DEADLINE).unwrap();
    assert_eq!(peer, Some(PeerAddr::Tcp(expected)));
}

#[test]
fn a_one_shot_server_serves_one_client_and_ends_with_it() {
    let (builder, watch) = demo();
    let server = builder.mode(Mode::OneShot).listen("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    let running = server.start().unwrap();
    let client = connect(address);
    assert_serves(&client);
    while TcpStream::connect(address.unwrap()).is_ok() {
        thread::yield_now();
    }
    assert_serves(&client);
    client.close().unwrap();
    running.wait();
    assert_eq!(watch.ended().len(), 1);
}

#[test]
fn a_one_shot_server_waits_for_the_first_client_that_is_let_in() {
    let (builder, watch) = demo();
    let knows = |stream: RawStream, _: &_| {
        let mut word = [0];
        match (&stream).read(&mut word)? {
            1 if &word == b"y" => Ok(Authenticated::new(stream.into_stream())),
            _ => Err(Rejection::new("it doesn't know the word")),
        }
    };
    let builder = builder.authenticator(knows).handshake_timeout(None);
    let server = builder.mode(Mode::OneShot).listen("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let running = server.start().unwrap();
    let speak = |word: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(word).unwrap();
        stream
    };
    let is_ended = |mut stream: TcpStream| stream.read(&mut [0]).is_ok_and(|count| count == 0);
    for _ in 0..3 {
        assert!(is_ended(speak(b"n")));
    }
    drop(TcpStream::connect(address).unwrap());
    let silent = speak(b"");
    let client = Connection::open(speak(b"y"), Arc::new(VoidService), Config::default());
    let client = client.unwrap();
    assert_serves(&client);
    // Who might still have been let in isn't any more.
    assert!(is_ended(silent));
    while TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
    client.close().unwrap();
    running.wait();
    assert_eq!(watch.ended().len(), 1);
}

#[test]
fn a_one_shot_server_can_be_stopped_while_it_waits() {
    let (builder, _watch) = demo();
    let server = builder.mode(Mode::OneShot).listen("127.0.0.1:0").unwrap();
    server.start().unwrap().stop();
}

#[test]
fn a_one_shot_server_can_be_stopped_while_its_client_is_idle() {
    let (builder, watch) = demo();
    let server = builder.mode(Mode::OneShot).listen("127.0.0.1:0").unwrap();
    let running = server.start().unwrap();
    let client = connect(running.local_addr());
    assert_serves(&client);
    running.stop();
    assert_eq!(watch.ended().len(), 1);
}
