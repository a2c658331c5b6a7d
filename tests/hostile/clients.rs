//! Servers that send their clients what no server sends.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rpyc_core::wire::Limits;
use rpyc_core::wire::{Boxed, Handler, Message, Seq, Value};
use rpyc_core::{AsyncResult, Config, Connection, Error, VoidService};

use crate::memory::bounded;
use crate::peer::{Peer, compressed, compressed_request};
use crate::victim::Victim;

/// A client, and the hand of a hostile server at the other end of its connection.
fn client(timeout: Duration) -> (Connection, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let config = Config::new()
        .limits(Limits::default().max_frame(16 << 20).max_inflated(16 << 20))
        .sync_request_timeout(timeout);
    let client = Connection::open(stream, Arc::new(VoidService), config).unwrap();
    let mut server = Peer::around(&mut socket);
    // The client knows its server's version then.
    let reply = thread::scope(|scope| {
        let asked = scope.spawn(|| client.sync_request(Handler::GetRoot, Vec::new()));
        let seq = seq_of(&server.message());
        server.send(&compressed(&answer(seq, Boxed::from(1_i64))));
        asked.join().unwrap()
    });
    assert!(reply.is_ok(), "{reply:?}");
    (client, server)
}

fn seq_of(message: &Message) -> Seq {
    match message {
        Message::Request { seq, .. } => seq.clone(),
        other => panic!("no request: {other:?}"),
    }
}

fn answer(seq: Seq, result: Boxed) -> Message {
    Message::Reply { seq, result }
}

/// 100 KB on the wire, hundreds of times that in memory.
fn slices() -> Boxed {
    let nothing = Value::Slice(Box::new([Value::None, Value::None, Value::None]));
    Boxed::Value(Value::Tuple(vec![nothing; 240_000]))
}

/// What one of them takes, and some.
const ONE: usize = 40 << 20;

#[test]
fn answers_that_a_client_keeps_take_what_the_limits_allow() {
    let victim = Victim::alone(|_| {});
    let (client, mut server) = client(Duration::from_secs(300));
    let kept: Vec<AsyncResult> = (0..20)
        .map(|_| client.async_request(Handler::Ping, vec![1.into()]).unwrap())
        .collect();
    // Four frames, one answer more, one that is being read, and two as the server makes them.
    bounded(4 * (16 << 20) + 4 * ONE, || {
        let hostile = thread::spawn(move || {
            for _ in 0..20 {
                let seq = seq_of(&server.message());
                server.send(&compressed(&answer(seq, slices())));
            }
            server
        });
        AsyncResult::wait_all(&kept, Some(Duration::from_secs(300))).unwrap();
        let mut server = hostile.join().unwrap();
        let refused = kept.iter().filter(|result| result.error()).count();
        assert!((10..20).contains(&refused), "{refused}");
        let last = kept.last().map(AsyncResult::value);
        assert!(matches!(last, Some(Err(Error::Misuse(_)))), "{last:?}");
        // There is room again once they are dropped.
        drop(kept);
        let again = client.async_request(Handler::Ping, vec![1.into()]).unwrap();
        let seq = seq_of(&server.message());
        server.send(&compressed(&answer(seq, slices())));
        assert!(again.value().is_ok());
    });
    victim.check_well();
}

#[test]
fn requests_of_a_server_that_never_answers_take_what_the_limits_allow() {
    let victim = Victim::alone(|_| {});
    let (client, mut server) = client(Duration::from_secs(2));
    let flood = compressed_request(7, Handler::Ping, &[slices()]);
    bounded((16 << 20) + 3 * ONE, || {
        let hostile = thread::spawn(move || {
            for _ in 0..20 {
                server.send(&flood);
            }
            server
        });
        let waited = client.ping();
        assert!(matches!(waited, Err(Error::Timeout(_))), "{waited:?}");
        drop(client);
        drop(hostile.join().unwrap().socket);
    });
    victim.check_well();
}
