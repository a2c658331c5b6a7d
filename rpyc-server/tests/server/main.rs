//! The server as a library: accepting, refusing, stopping, and what one client's conduct means
//! for the others.

mod authenticating;
mod bench;
mod listening;
mod metrics;
mod pool;
mod pool_tls;
mod process;
mod registry;
mod shortage;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rpyc_core::object::{Any, Args, Context, ObjectRef};
use rpyc_core::{Exception, Service, VoidService, args, service};
use rpyc_server::{Builder, Server};

use self::bench::{DEADLINE, assert_serves, connect, demo, root};

#[test]
fn port_0_becomes_a_real_port_before_anybody_is_served() {
    let (builder, _watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap();
    assert_ne!(server.local_addr().unwrap().port(), 0);
}

#[test]
fn a_port_in_use_is_told_from_other_failures() {
    let (builder, _watch) = demo();
    let first = builder.listen("127.0.0.1:0").unwrap();
    let (builder, _watch) = demo();
    let error = builder.listen(first.local_addr().unwrap()).unwrap_err();
    assert!(error.is_in_use(), "{error}");
    let (builder, _watch) = demo();
    let error = builder.listen("no-such-host.invalid:0").unwrap_err();
    assert!(!error.is_in_use(), "{error}");
}

#[test]
fn clients_are_served_at_the_same_time_with_a_service_each() {
    let (builder, watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let (first, second) = (connect(server.local_addr()), connect(server.local_addr()));
    let names = [(); 2].map(|()| watch.connected.recv_timeout(DEADLINE).unwrap());
    assert_ne!(names[0], names[1]);
    let busy = thread::spawn({
        let root = root(&first);
        move || root.call_method("hold", Args::new())
    });
    watch.held.recv_timeout(DEADLINE).unwrap();
    assert_serves(&second);
    assert_eq!(server.clients(), 2);
    watch.release.send(()).unwrap();
    let held = busy.join().unwrap();
    assert!(
        matches!(&held, Ok(any) if any.as_str() == Some("released")),
        "{held:?}"
    );
}

#[test]
fn garbage_ends_its_own_connection_alone() {
    let (builder, watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let honest = connect(server.local_addr());
    assert_serves(&honest);
    let honest_name = watch.connected.recv_timeout(DEADLINE).unwrap();
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\xff\xff\xff\xff\x00",
        b"\x00\x00\x00\x01\x00\x09\x0a",
        b"\x00\x00\x00\x01\x00\x01X",
        b"\x00\x00\x00\x04\x01abcd\x0a",
    ] {
        let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(garbage).unwrap();
        let mut rest = Vec::new();
        // A reset is an end, too.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_ne!(
                error.kind(),
                ErrorKind::WouldBlock,
                "{garbage:?} isn't ended"
            );
        }
        assert_ne!(
            watch.disconnected.recv_timeout(DEADLINE).unwrap(),
            honest_name
        );
        assert_serves(&honest);
    }
}

#[test]
fn a_client_that_sends_nothing_holds_nobody_up() {
    let (builder, _watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(server.local_addr().unwrap()).unwrap())
        .collect();
    assert_serves(&connect(server.local_addr()));
    drop(silent);
}

#[test]
fn the_service_is_told_once_of_each_end_however_it_comes() {
    let (builder, watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let polite = connect(server.local_addr());
    assert_serves(&polite);
    let mut names = vec![watch.connected.recv_timeout(DEADLINE).unwrap()];
    polite.close().unwrap();
    let vanished = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    names.push(watch.connected.recv_timeout(DEADLINE).unwrap());
    drop(vanished);
    let stays = connect(server.local_addr());
    assert_serves(&stays);
    names.push(watch.connected.recv_timeout(DEADLINE).unwrap());
    let mut ended = [(); 2]
        .map(|()| watch.disconnected.recv_timeout(DEADLINE).unwrap())
        .to_vec();
    server.stop();
    ended.extend(watch.ended());
    ended.sort();
    names.sort();
    assert_eq!(ended, names);
}

#[test]
fn a_stop_lets_a_running_request_finish_and_accepts_nobody() {
    let (builder, watch) = demo();
    let server = builder
        .grace(DEADLINE)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let address = server.local_addr();
    let client = connect(address);
    let busy = thread::spawn({
        let root = root(&client);
        move || root.call_method("hold", Args::new())
    });
    watch.held.recv_timeout(DEADLINE).unwrap();
    let stopping = thread::spawn(move || server.stop());
    // Refused as soon as the listening socket is gone, which is before anything is waited for.
    while TcpStream::connect(address.unwrap()).is_ok() {
        thread::yield_now();
    }
    watch.release.send(()).unwrap();
    let answer: Result<Any, _> = busy.join().unwrap();
    assert!(
        matches!(&answer, Ok(any) if any.as_str() == Some("released")),
        "{answer:?}"
    );
    stopping.join().unwrap();
    // A probe that was faster than the stop was a client, too, for a moment.
    let mut ended = watch.ended();
    let count = ended.len();
    ended.sort();
    ended.dedup();
    assert!(count >= 1 && ended.len() == count, "{ended:?} of {count}");
}

#[test]
fn a_stop_waits_no_longer_than_the_grace_for_a_request_that_doesnt_end() {
    let (builder, watch) = demo();
    let grace = Duration::from_millis(200);
    let server = builder
        .grace(grace)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let client = connect(server.local_addr());
    let busy = thread::spawn({
        let root = root(&client);
        move || root.call_method("hold", Args::new())
    });
    watch.held.recv_timeout(DEADLINE).unwrap();
    server.stop();
    let answer = busy.join().unwrap();
    assert!(
        matches!(&answer, Err(error) if error.is_closed()),
        "{answer:?}"
    );
    watch.release.send(()).unwrap();
    // The service is told when the request has ended, or core's own grace has.
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    assert_eq!(watch.ended().len(), 0);
}

#[test]
fn each_of_many_clients_is_told_of_once_when_the_server_stops() {
    let (builder, watch) = demo();
    // As long as one of the clients may need to finish on a busy machine: the other one takes all of it.
    let builder = builder.grace(Duration::from_secs(6));
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let address = server.local_addr().unwrap();
    let idle: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let clients = [(); 2].map(|()| connect(Some(address)));
    let holding = clients.each_ref().map(|client| {
        let root = root(client);
        let busy = thread::spawn(move || root.call_method("hold", Args::new()));
        watch.held.recv_timeout(DEADLINE).unwrap();
        busy
    });
    let reset = socket2::SockRef::from(&idle[0]).set_linger(Some(Duration::ZERO));
    reset.unwrap();
    let mut names: Vec<String> = (0..102)
        .map(|_| watch.connected.recv_timeout(DEADLINE).unwrap())
        .collect();

    server.stopper().stop();
    let mut idle = idle.into_iter();
    drop(idle.next());
    while TcpStream::connect(address).is_ok() {
        thread::yield_now();
    }
    // One of the two finishes in time, the other one is cut off.
    watch.release.send(()).unwrap();
    let answers = holding.map(|busy| busy.join().unwrap());
    let released =
        |answer: &&Result<Any, _>| matches!(answer, Ok(any) if any.as_str() == Some("released"));
    assert_eq!(answers.iter().filter(released).count(), 1, "{answers:?}");
    server.stop();
    watch.release.send(()).unwrap();
    let mut ended: Vec<String> = (0..names.len())
        .map(|_| watch.disconnected.recv_timeout(DEADLINE).unwrap())
        .collect();
    // A probe that was faster than the stop was a client, too, for a moment.
    let late: Vec<String> = watch.connected.try_iter().collect();
    ended.extend((0..late.len()).map(|_| watch.disconnected.recv_timeout(DEADLINE).unwrap()));
    names.extend(late);
    ended.sort();
    names.sort();
    assert_eq!(ended, names);
    assert_eq!(watch.ended().len(), 0);
}

#[test]
fn a_stop_doesnt_wait_for_silent_clients() {
    let (builder, watch) = demo();
    let server = builder
        .grace(DEADLINE * 10)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let silent: Vec<TcpStream> = (0..5)
        .map(|_| TcpStream::connect(server.local_addr().unwrap()).unwrap())
        .collect();
    for _ in &silent {
        watch.connected.recv_timeout(DEADLINE).unwrap();
    }
    let before = std::time::Instant::now();
    server.stop();
    // A tenth of the grace.
    assert!(before.elapsed() < DEADLINE, "{:?}", before.elapsed());
    assert_eq!(watch.ended().len(), 5);
}

#[test]
fn dropping_a_running_server_stops_it() {
    let (builder, watch) = demo();
    let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
    let address = server.local_addr();
    let client = connect(address);
    assert_serves(&client);
    drop(server);
    assert_eq!(watch.ended().len(), 1);
    assert!(TcpStream::connect(address.unwrap()).is_err());
    assert!(client.ping().is_err());
}

#[test]
fn run_returns_when_it_is_stopped_from_elsewhere() {
    let (builder, _watch) = demo();
    let server: Server = builder.listen("127.0.0.1:0").unwrap();
    let stopper = server.stopper();
    let running = thread::spawn(move || server.run());
    stopper.stop();
    stopper.stop();
    running.join().unwrap().unwrap();
}

#[test]
fn a_grace_that_can_not_be_counted_is_no_limit() {
    let (builder, _watch) = demo();
    let builder = builder.grace(Duration::MAX);
    let server: Server = builder.listen("127.0.0.1:0").unwrap();
    let (address, stopper) = (server.local_addr(), server.stopper());
    let running = thread::spawn(move || server.run());
    let client = connect(address);
    assert_serves(&client);
    stopper.stop();
    running.join().unwrap().unwrap();
}

#[test]
fn clients_beyond_the_maximum_are_closed_and_places_become_free() {
    let (builder, watch) = demo();
    let server = builder
        .max_clients(1)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    let first = connect(server.local_addr());
    assert_serves(&first);
    let mut second = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    second.set_read_timeout(Some(DEADLINE)).unwrap();
    // Ended by the server without a byte.
    assert!(matches!(second.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert_serves(&first);
    first.close().unwrap();
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    // The place is free a moment after the service has been told.
    while server.clients() > 0 {
        thread::yield_now();
    }
    assert_serves(&connect(server.local_addr()));
}

#[test]
fn a_service_is_one_for_all_clients_and_a_closure_makes_one_each() {
    let counts = |builder: Builder| {
        let server = builder.listen("127.0.0.1:0").unwrap().start().unwrap();
        let count = |client: &rpyc_core::Connection| {
            let count = root(client).call_method("count", args![]).unwrap();
            count.extract::<usize>().unwrap()
        };
        let (first, second) = (connect(server.local_addr()), connect(server.local_addr()));
        [count(&first), count(&second)]
    };
    assert_eq!(counts(Server::builder(Counter::default())), [1, 2]);
    assert_eq!(counts(Server::builder(Counter::default)), [1, 1]);
}

#[derive(Default)]
struct Counter(AtomicUsize);

#[service]
impl Counter {
    #[exposed]
    fn count(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[test]
fn a_service_that_panics_ends_its_own_client_alone() {
    let clients = AtomicUsize::new(0);
    let factory = move || match clients.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("no service for the first client"),
        number => Fragile {
            breaks: number == 1,
        },
    };
    let server = Server::builder(factory)
        .listen("127.0.0.1:0")
        .unwrap()
        .start()
        .unwrap();
    for _ in 0..2 {
        let mut client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        // It may be told, but it is ended.
        let ended = client.read_to_end(&mut Vec::new());
        assert!(!matches!(&ended, Err(error) if error.kind() == ErrorKind::WouldBlock));
    }
    connect(server.local_addr()).ping().unwrap();
}

/// Its `on_connect` panics if it `breaks`.
struct Fragile {
    breaks: bool,
}

impl Service for Fragile {
    fn root(&self) -> ObjectRef {
        VoidService.root()
    }

    fn on_connect(&self, _: &Context<'_>) -> Result<(), Exception> {
        assert!(!self.breaks, "no connection for the second client");
        Ok(())
    }
}
