//! A peer that never reads: whatever waits ends by its deadline all the same, writes included, over
//! every kind of stream.

use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rpyc_core::service::PeerInfo;
use rpyc_core::transport::{PipeStream, Stream, memory_pair};
use rpyc_core::wire::{Boxed, ClassId, Dialect, FrameBuf, IdPack, InstanceId, Message, Seq};
use rpyc_core::wire::{Handler, Limits};
use rpyc_core::*;

use crate::objects::{PATIENCE, everything, offering};
use crate::streams::Simple;

/// More than the system takes for a stream.
const LARGE: usize = 16 << 20;

/// A client and its peer's end of the stream, of which nobody reads.
type Ends = (Connection, Arc<dyn Stream>);

type Kind = (&'static str, fn(Config) -> Ends);

/// Streams of every kind.
const STREAMS: [Kind; 6] = [
    ("TCP", over_tcp),
    ("a Unix socket", over_a_unix_socket),
    ("pipes", over_pipes),
    ("a program's pipes", over_the_pipes_of_a_program),
    ("memory", over_memory),
    ("a stream that can't bound its writes", over_a_simple_stream),
];

fn open(here: impl Stream + 'static, there: impl Stream + 'static, config: Config) -> Ends {
    let here = Connection::open(here, Arc::new(VoidService), config);
    (here.expect("open"), Arc::new(there))
}

fn over_tcp(config: Config) -> Ends {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = TcpStream::connect(listener.local_addr().expect("an address"));
    let (there, _) = listener.accept().expect("accepted");
    open(here.expect("connected"), there, config)
}

fn over_a_unix_socket(config: Config) -> Ends {
    let (here, there) = UnixStream::pair().expect("a pair");
    open(here, there, config)
}

fn over_pipes(config: Config) -> Ends {
    let (from_there, to_here) = io::pipe().expect("a pipe");
    let (from_here, to_there) = io::pipe().expect("a pipe");
    let here = PipeStream::new(from_there, to_there).expect("a stream");
    let there = PipeStream::new(from_here, to_here).expect("a stream");
    open(here, there, config)
}

/// The program answers once, the question for the root, and reads nothing.
fn over_the_pipes_of_a_program(config: Config) -> Ends {
    let mut bytes = String::new();
    for byte in reply(0, 1) {
        write!(bytes, "\\{byte:03o}").expect("text");
    }
    let mut program = Command::new("sh");
    program.args(["-c", "printf \"$1\"; exec sleep 20", "sh", &bytes]);
    let connector = Connector::new().config(config);
    let here = connector.connect_subprocess(&mut program).expect("open");
    (here, Arc::new(memory_pair().0))
}

fn over_memory(config: Config) -> Ends {
    let (here, there) = memory_pair();
    open(here, there, config)
}

fn over_a_simple_stream(config: Config) -> Ends {
    let (here, there) = memory_pair();
    open(Simple::new(here), there, config)
}

/// The bytes of a reply with a reference.
fn reply(seq: u64, object: u64) -> Vec<u8> {
    let (dialect, limits) = (Dialect::V6, Limits::default());
    let mut frames = FrameBuf::new();
    let boxed = Boxed::RemoteRef(IdPack::new("a.b", ClassId(1), InstanceId(object)));
    let seq = Seq::new(seq);
    Message::Reply { seq, result: boxed }
        .encode(&mut frames, dialect, &limits, false)
        .expect("a frame");
    frames.slices().collect::<Vec<_>>().concat()
}

/// The bytes of a request with much to be answered.
fn request() -> Vec<u8> {
    let mut frames = FrameBuf::new();
    let data = Boxed::from(Value::from(vec![b'x'; LARGE]));
    let (dialect, limits) = (Dialect::V6, Limits::default());
    let seq = Seq::new(1);
    let ping = Message::Request {
        seq,
        handler: Handler::Ping,
        args: vec![data],
    };
    ping.encode(&mut frames, dialect, &limits, false)
        .expect("a frame");
    frames.slices().collect::<Vec<_>>().concat()
}

/// Nothing but the wait's own deadline ends it.
fn config(timeout: Duration) -> Config {
    Config::new()
        .sync_request_timeout(timeout)
        .write_timeout(None)
        .max_first_frame(usize::MAX)
}

fn large() -> Vec<Any> {
    vec![Any::from(Value::from(vec![b'x'; LARGE]))]
}

/// Runs it on a thread of its own; fails where it never ends.
#[track_caller]
fn in_time<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, heard) = channel();
    thread::spawn(move || told.send(act()).expect("heard"));
    let outcome = heard.recv_timeout(PATIENCE);
    outcome.unwrap_or_else(|_| panic!("{what} hangs, or has panicked"))
}

type Wait = fn(&Connection) -> bool;

const WAITS: [(&str, Wait); 6] = [
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

/// They ended when the write did: after a minute, or never.
#[test]
fn waits_end_by_their_deadline_while_the_peer_reads_nothing() {
    for (stream, ends) in STREAMS {
        for (what, wait) in WAITS {
            let what = format!("{what} over {stream}");
            let (here, there) = ends(config(Duration::from_millis(50)));
            let ended = in_time(&what, move || {
                let ended = wait(&here);
                drop(here);
                ended
            });
            assert!(ended, "{what}");
            drop(there);
        }
    }
}

#[test]
fn what_a_late_peer_reads_is_whole() {
    for (stream, ends) in STREAMS {
        if stream == "a program's pipes" {
            continue; // it never reads
        }
        let (here, there) = ends(config(Duration::from_millis(50)));
        for _ in 0..3 {
            let sent = here.sync_request(Handler::Ping, large());
            assert!(sent.is_err_and(|error| error.is_timeout()), "{stream}");
        }
        let there = Connection::over(there, everything(), config(PATIENCE), PeerInfo::default());
        let there = there.expect("open");
        let serving = thread::spawn(move || there.serve_all());
        here.ping_with(1000, Some(PATIENCE)).expect(stream);
        drop(here);
        let reason = in_time(stream, || serving.join().expect("no panic"));
        assert!(reason.is_normal(), "{stream}: {reason}");
    }
}

/// The answer was waited for until the peer read it.
#[test]
fn serving_ends_by_its_deadline_while_the_peer_does_not_read_the_answer() {
    for (stream, ends) in STREAMS {
        if stream == "a program's pipes" {
            continue; // it never asks
        }
        let (here, there) = ends(config(PATIENCE));
        let asking = there.clone();
        thread::spawn(move || send(&*asking, &request()));
        let served = in_time(stream, move || {
            // It has come after a while, has run here, and its answer is more than the stream takes.
            while !here.poll(Duration::from_millis(50)).expect("it is open") {}
            here.poll(Duration::from_millis(50))
        });
        assert!(matches!(served, Ok(false)), "{stream}: {served:?}");
        drop(there);
    }
}

/// Those that one read had brought were all run first.
#[test]
fn a_wait_ends_by_its_deadline_however_many_requests_are_nested_on_it() {
    const REQUESTS: usize = 400;
    let ran = Arc::new(AtomicUsize::new(0));
    let (told, heard) = channel();
    let (all_sent, begin) = channel();
    let service = {
        let (ran, told) = (ran.clone(), Mutex::new(told));
        offering(move |_, name, mut args| {
            if name == "ask" {
                let told = told.lock().expect("no panic");
                let asked = args.positional.remove(0).call(args![]);
                let outcome = (asked.is_err(), ran.load(Ordering::SeqCst));
                told.send(outcome).expect("heard");
            } else {
                ran.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1)); // a request that takes a while
            }
            Ok(Any::NONE)
        })
    };
    let mut options = config(Duration::from_millis(50));
    options.nesting = rpyc_core::config::Nesting::Stack;
    let pair = Connection::pair(Arc::new(VoidService), config(PATIENCE), service, options);
    let (asking, here) = pair.expect("a pair");
    thread::spawn(move || {
        here.serve(Some(PATIENCE)).expect("a question for the root");
        begin.recv_timeout(PATIENCE).expect("all are sent");
        here.serve_all()
    });
    let root = asking.root().expect("a root");
    let (release, blocked) = channel::<()>();
    let blocked = Mutex::new(blocked);
    let callback = object::Function::new("callback", move |_, _| {
        let _ = blocked.lock().expect("no panic").recv();
        Ok(Any::NONE)
    });
    let mut sent = vec![root.async_call_method("ask", args![Any::object(callback)])];
    sent.extend((0..REQUESTS).map(|_| root.async_call_method("work", args![])));
    assert!(sent.iter().all(Result::is_ok));
    let _ = asking.poll(Duration::ZERO).expect("it is open"); // they are written by now
    all_sent.send(()).expect("heard");
    let (failed, ran_before) = heard.recv_timeout(PATIENCE).expect("it ends");
    // Each takes a millisecond at least.
    assert!(failed && ran_before <= 51, "{ran_before}");
    drop(release);
}

fn send(stream: &dyn Stream, bytes: &[u8]) -> io::Result<()> {
    let mut left = bytes;
    while !left.is_empty() {
        let written = stream.write_vectored(&[IoSlice::new(left)])?;
        left = left.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// `ping` hung until the peer was found to be too slow: it wrote releases.
#[test]
fn a_flood_of_references_that_nobody_asked_for_holds_up_no_wait() {
    for (stream, ends) in STREAMS {
        if stream == "a program's pipes" {
            continue; // it sends nothing
        }
        let (here, there) = ends(config(Duration::from_millis(500)));
        let flood = there.clone();
        let flooding = thread::spawn(move || {
            for number in 1_u64.. {
                let replies = (number * 100..).take(100);
                let replies = replies.map(|number| reply(1_000_000 + number, number));
                if send(&*flood, &replies.collect::<Vec<_>>().concat()).is_err() {
                    return;
                }
            }
        });
        let timed_out = in_time(stream, move || {
            let ping = here.ping_with(1, Some(Duration::from_millis(300)));
            drop(here);
            ping.is_err_and(|error| error.is_timeout())
        });
        assert!(timed_out, "{stream}");
        there.shutdown();
        flooding.join().expect("no panic");
    }
}
