//! A pool of threads: what clients do there keeps no worker from the others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::object::{Any, Args, Function};
use rpyc_core::{Config, Connection, Exception, Exposed, Netref, VoidService, service};
use rpyc_server::{Builder, Mode, Running, Server};

use crate::bench::{DEADLINE, assert_serves, connect, demo, root};

fn pool(builder: Builder, workers: usize) -> Running {
    let server = builder
        .mode(Mode::Pool { workers })
        .listen("127.0.0.1:0")
        .expect("loopback can be had");
    server.start().expect("it starts")
}

#[test]
fn more_clients_than_workers_are_served_again_and_again() {
    let (builder, watch) = demo();
    let server = pool(builder, 2);
    let clients: Vec<_> = (0..20).map(|_| connect(server.local_addr())).collect();
    for _ in 0..5 {
        clients.iter().for_each(assert_serves);
    }
    assert_eq!(server.clients(), 20);
    drop(clients);
    for _ in 0..20 {
        watch.disconnected.recv_timeout(DEADLINE).unwrap();
    }
    while server.clients() > 0 {
        thread::yield_now();
    }
    server.stop();
    assert_eq!(watch.ended().len(), 0, "told of an end twice");
}

#[test]
fn requests_sent_without_waiting_are_all_answered() {
    let (builder, _watch) = demo();
    let server = pool(builder, 2);
    let client = connect(server.local_addr());
    let root = root(&client);
    let results: Vec<_> = (0..1000)
        .map(|n| root.async_call_method("echo", Args::new().arg(n)).unwrap())
        .collect();
    for (n, result) in results.into_iter().enumerate() {
        let echo = result.value().unwrap();
        assert_eq!(echo.extract::<usize>().unwrap(), n);
    }
}

#[test]
fn a_client_that_asks_without_end_has_its_turns_and_no_more() {
    let (builder, _watch) = demo();
    let server = pool(builder, 1);
    let flood = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let asking = flood.try_clone().unwrap();
    let asker = thread::spawn(move || {
        let pings = b"\0\0\0\n\0\x01\x11P\x11Q\x11Q\x10\x08\x01\n".repeat(10_000);
        while (&asking).write_all(&pings).is_ok() {}
    });
    let answered = flood.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let (mut answers, mut room) = (0, vec![0; 1 << 20]);
        while let Ok(count @ 1..) = (&answered).read(&mut room) {
            answers += count;
        }
        answers
    });
    for _ in 0..20 {
        assert_serves(&connect(server.local_addr()));
    }
    flood.shutdown(std::net::Shutdown::Both).unwrap();
    asker.join().unwrap();
    assert!(reader.join().unwrap() > 1_000, "it was served, too");
    let given_up = Instant::now() + DEADLINE;
    while server.clients() > 0 {
        assert!(
            Instant::now() < given_up,
            "a client that has gone is still there"
        );
        thread::yield_now();
    }
}

#[test]
fn half_frames_hold_no_worker() {
    let (builder, _watch) = demo();
    let server = pool(builder, 2);
    let slow: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
            stream.write_all(b"\0\0\0").unwrap();
            stream
        })
        .collect();
    assert_serves(&connect(server.local_addr()));
    drop(slow);
}

#[test]
fn a_frame_that_comes_byte_by_byte_is_served_and_one_that_stops_is_ended() {
    let (builder, _watch) = demo();
    let config = Config::new().frame_timeout(Duration::from_secs(2));
    let server = pool(builder.connection_config(config), 1);
    let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // An empty frame is a frame, too.
    for byte in b"\0\0\0\0\0\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    stream.write_all(b"\0\0").unwrap();
    let ended = stream.read_to_end(&mut Vec::new());
    assert!(!matches!(&ended, Err(error) if error.kind() == ErrorKind::WouldBlock));
}

#[test]
fn callbacks_work_while_all_other_workers_are_busy() {
    let (builder, watch) = demo();
    let server = pool(builder, 2);
    let busy = connect(server.local_addr());
    let held = thread::spawn({
        let root = root(&busy);
        move || root.call_method("hold", Args::new())
    });
    watch.held.recv_timeout(DEADLINE).unwrap();
    let client = connect(server.local_addr());
    let back = root(&client);
    let inner = back.clone();
    // The callback itself calls the server: a nested request.
    let callback = Function::new("callback", move |_, _| {
        let echo = inner.call_method("echo", Args::new().arg(7));
        echo.map_err(rpyc_core::Error::into_exception)
    });
    let answer = back
        .call_method("call", Args::new().arg(Any::object(callback)))
        .unwrap();
    assert_eq!(answer.extract::<i64>().unwrap(), 7);
    watch.release.send(()).unwrap();
    held.join().unwrap().unwrap();
}

#[test]
fn clients_that_dont_answer_callbacks_hold_no_worker() {
    let (builder, _watch) = demo();
    let server = pool(builder, 2);
    let (entered, see_entered) = mpsc::channel();
    let (keep, never) = mpsc::channel::<()>();
    let never = Arc::new(Mutex::new(never));
    let stuck: Vec<_> = (0..6)
        .map(|_| {
            let client = connect(server.local_addr());
            let (entered, never) = (entered.clone(), never.clone());
            let callback = Function::new("callback", move |_, _| {
                let _ = entered.send(());
                let _ = never.lock().map(|never| never.recv());
                Ok(Any::NONE)
            });
            thread::spawn(move || {
                let args = Args::new().arg(Any::object(callback));
                let _ = root(&client).call_method("call", args);
            })
        })
        .collect();
    for _ in &stuck {
        see_entered.recv_timeout(DEADLINE).unwrap();
    }
    assert_serves(&connect(server.local_addr()));
    drop(keep);
    for client in stuck {
        client.join().unwrap();
    }
}

#[test]
fn a_client_that_never_sends_a_message_is_ended_in_time() {
    let (builder, watch) = demo();
    let config = Config::new().handshake_timeout(Duration::from_millis(300));
    let server = pool(builder.connection_config(config), 1);
    let silent = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    drop(silent);
}

#[test]
fn an_idle_client_stays_unless_there_is_a_limit_and_is_then_ended() {
    let (builder, watch) = demo();
    let mut config = Config::default();
    // Long enough for its only request on a busy machine.
    config.idle_timeout = Some(Duration::from_secs(2));
    let server = pool(builder.connection_config(config), 1);
    let client = connect(server.local_addr());
    assert_serves(&client);
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    drop(client);
}

#[test]
fn a_stop_lets_a_workers_request_finish_and_tells_each_service_once() {
    let (builder, watch) = demo();
    let server = pool(builder.grace(DEADLINE), 2);
    let idle: Vec<_> = (0..30).map(|_| connect(server.local_addr())).collect();
    idle.iter().for_each(assert_serves);
    let busy = connect(server.local_addr());
    let held = thread::spawn({
        let root = root(&busy);
        move || root.call_method("hold", Args::new())
    });
    watch.held.recv_timeout(DEADLINE).unwrap();
    let stopping = thread::spawn(move || server.stop());
    watch.disconnected.recv_timeout(DEADLINE).unwrap();
    watch.release.send(()).unwrap();
    let answer = held.join().unwrap().unwrap();
    assert_eq!(answer.as_str(), Some("released"));
    stopping.join().unwrap();
    assert_eq!(watch.ended().len(), 30);
}

#[test]
fn a_thread_of_the_program_may_call_a_client_of_the_pool() {
    struct Keeper(mpsc::Sender<Connection>);
    impl rpyc_core::Service for Keeper {
        fn root(&self) -> rpyc_core::object::ObjectRef {
            VoidService.root()
        }
        fn on_connect(&self, cx: &rpyc_core::Context<'_>) -> Result<(), rpyc_core::Exception> {
            let _ = self.0.send(cx.connection().clone());
            Ok(())
        }
    }
    let (tell, told) = mpsc::channel();
    let builder = rpyc_server::Server::builder(move || Keeper(tell.clone()));
    let server = pool(builder, 1);
    let client = connect(server.local_addr());
    let serving = thread::spawn({
        let client = client.clone();
        move || client.serve_all()
    });
    let connection = told.recv_timeout(DEADLINE).unwrap();
    for _ in 0..100 {
        connection.ping().unwrap();
        client.ping().unwrap();
    }
    drop(connection);
    server.stop();
    serving.join().unwrap();
}

/// Keeps a function of one client's for the others to call.
struct Board(Arc<Mutex<Option<Netref>>>);

#[service(module = "board")]
impl Board {
    #[exposed]
    fn keep(&self, callback: Netref) {
        *self.0.lock().expect("nobody panics") = Some(callback);
    }

    #[exposed]
    fn ask(&self) -> Result<Any, Exception> {
        let kept = self.0.lock().expect("nobody panics").clone();
        let kept = kept.ok_or_else(|| Exception::value_error("nothing is kept"))?;
        kept.call(Args::new())
            .map_err(rpyc_core::Error::into_exception)
    }
}

#[test]
fn workers_that_wait_for_another_client_keep_nobody_waiting() {
    let kept = Arc::new(Mutex::new(None));
    let of_all = Arc::clone(&kept);
    let builder = Server::builder(move || Exposed::new(Board(of_all.clone())));
    let server = pool(builder, 2);
    let (entered, see_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let callback = Function::new("callback", move |_, _| {
        let _ = entered.send(());
        let _ = released.lock().map(|released| released.recv());
        Ok(Any::NONE)
    });
    let config = Config::new().concurrency(8);
    let keeper = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let keeper = Connection::open(keeper, Arc::new(VoidService), config).unwrap();
    let args = Args::new().arg(Any::object(callback));
    root(&keeper).call_method("keep", args).unwrap();
    let serving = thread::spawn({
        let keeper = keeper.clone();
        move || keeper.serve_all()
    });
    let askers: Vec<_> = (0..6)
        .map(|_| {
            let client = connect(server.local_addr());
            thread::spawn(move || root(&client).call_method("ask", Args::new()).map(drop))
        })
        .collect();
    see_entered.recv_timeout(DEADLINE).unwrap();
    // All workers wait for the keeper, and one more client is served again and again.
    let client = connect(server.local_addr());
    for _ in 0..20 {
        client.ping().unwrap();
    }
    drop(release);
    for asker in askers {
        asker.join().unwrap().unwrap();
    }
    *kept.lock().unwrap() = None;
    server.stop();
    serving.join().unwrap();
}
