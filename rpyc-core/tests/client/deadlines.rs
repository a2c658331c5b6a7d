//! A peer that never reads: whatever waits ends by its deadline all the same, writes included.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rpyc_core::transport::Stream;
use rpyc_core::wire::{Boxed, ClassId, Dialect, FrameBuf, IdPack, InstanceId, Seq, encode_reply};
use rpyc_core::*;

use crate::objects::PATIENCE;

/// More than the system takes for a socket.
const LARGE: usize = 64 << 20;

fn client(timeout: Duration) -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = TcpStream::connect(listener.local_addr().expect("an address"));
    let (there, _) = listener.accept().expect("accepted");
    let mut config = Config::default();
    config.sync_request_timeout = Some(timeout);
    // Nothing but the wait's own deadline.
    config.write_timeout = None;
    let here = Connection::open(here.expect("connected"), Arc::new(VoidService), config);
    (here.expect("open"), there)
}

fn large() -> Vec<Any> {
    vec![Any::from(Value::from(vec![b'x'; LARGE]))]
}

/// They ended when the write did: after a minute, or never.
#[test]
fn waits_end_by_their_deadline_while_the_peer_reads_nothing() {
    type Wait = fn(&Connection) -> bool;
    let waits: [(&str, Wait); 6] = [
        ("a call with much to send", |here| {
            let sent = here.sync_request(Handler::Ping, large());
            sent.is_err_and(|error| error.is_timeout())
        }),
        ("a call behind much to send", |here| {
            let sent = here.async_request(Handler::Ping, large());
            let ping = here.ping_with(1, Some(Duration::from_millis(50)));
            sent.is_ok() && ping.is_err_and(|error| error.is_timeout())
        }),
        ("an asynchronous result", |here| {
            let sent = here.async_request(Handler::Ping, large()).expect("queued");
            sent.set_expiry(Some(Duration::from_millis(50)));
            sent.value().is_err_and(|error| error.is_timeout())
        }),
        ("serving", |here| {
            let sent = here.async_request(Handler::Ping, large());
            let served = here.poll(Duration::from_millis(50));
            sent.is_ok() && served.is_ok_and(|served| !served)
        }),
        ("closing", |here| {
            let sent = here.async_request(Handler::Ping, large());
            let closed = here.close();
            sent.is_ok() && closed.is_err_and(|error| error.is_timeout())
        }),
        ("dropping", |here| {
            let sent = here.async_request(Handler::Ping, large());
            drop(here.clone());
            sent.is_ok()
        }),
    ];
    for (what, wait) in waits {
        let (here, there) = client(Duration::from_millis(50));
        let (told, heard) = channel();
        thread::spawn(move || {
            let outcome = wait(&here);
            drop(here);
            told.send(outcome).expect("heard");
        });
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(true), "{what}");
        drop(there);
    }
}

/// `ping` hung until the peer was found to be too slow: it wrote releases.
#[test]
fn a_flood_of_references_that_nobody_asked_for_holds_up_no_wait() {
    let (here, there) = client(Duration::from_millis(500));
    let flood = there.try_clone().expect("a descriptor");
    let flooding = thread::spawn(move || {
        let (dialect, limits) = (Dialect::V6, Limits::default());
        for number in 1_u64.. {
            let mut frames = FrameBuf::new();
            for item in 0..100 {
                let id = number * 100 + item;
                let id_pack = IdPack::new("a.b", ClassId(1), InstanceId(id));
                let reply = Boxed::RemoteRef(id_pack);
                let seq = Seq::new(1_000_000 + id);
                encode_reply(&mut frames, dialect, &limits, false, &seq, &reply).expect("a frame");
            }
            for chunk in frames.take_chunks() {
                let mut left = &chunk[..];
                while !left.is_empty() {
                    match Stream::write_vectored(&flood, &[std::io::IoSlice::new(left)]) {
                        Ok(count) => left = &left[count..],
                        Err(_) => return,
                    }
                }
            }
        }
    });
    let (told, heard) = channel();
    thread::spawn(move || {
        let ping = here.ping_with(1, Some(Duration::from_secs(2)));
        told.send(ping.is_err_and(|error| error.is_timeout()))
            .expect("heard");
        drop(here);
    });
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(true));
    there.shutdown(std::net::Shutdown::Both).expect("shut");
    flooding.join().expect("no panic");
}
