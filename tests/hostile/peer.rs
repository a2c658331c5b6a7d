//! [`Peer`]: a socket and hands to write frames with.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use num_bigint::BigInt;
use rpyc_core::wire::{
    Boxed, ClassId, Dialect, DumpedException, FrameBuf, Handler, IdPack, InstanceId, Int, Limits,
    Message, NamedException, Seq, Value,
};

use crate::victim::{AT_ONCE, Ended, Victim};

/// PING("x") with sequence number 0.
pub(crate) const PING: &[u8] = b"\0\0\0\x0b\0\x01\x11\x50\x11\x51\x11\x51\x10\x08\x0ax\n";

/// What a request was answered with.
pub(crate) type Answer = Result<Boxed, Box<NamedException>>;

pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    address: SocketAddr,
    next_seq: u64,
    dialect: Dialect,
}

impl Peer {
    /// Connects and says nothing.
    pub(crate) fn stranger(victim: &Victim) -> Peer {
        let socket = TcpStream::connect(victim.address()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(2 * AT_ONCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Peer {
            socket,
            address,
            next_seq: 1000,
            dialect: Dialect::V6,
        }
    }

    /// Connects and behaves, at first.
    pub(crate) fn known(victim: &Victim) -> Peer {
        let mut peer = Peer::stranger(victim);
        peer.ping();
        peer
    }

    /// The same of rpyc-ng, which has shown by a reference that it is.
    #[track_caller]
    pub(crate) fn of_ng(victim: &Victim) -> (Peer, IdPack) {
        let mut peer = Peer::stranger(victim);
        peer.dialect = Dialect::NG7;
        let root = of_kind(&peer.root(), 3);
        let shown = peer.ask(Handler::Repr, &[Boxed::LocalRef(root.clone())]);
        assert!(shown.is_ok(), "{shown:?}");
        (peer, root)
    }

    /// Sends bytes; that the server has closed already is fine.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match self.socket.write_all(bytes) {
            Ok(()) => {}
            Err(error) if is_over(&error) => {}
            Err(error) => panic!("the bytes can't be sent: {error}"),
        }
    }

    pub(crate) fn send_payload(&mut self, payload: &[u8]) {
        self.send(&frame(payload));
    }

    /// Sends a request, and gives its sequence number.
    pub(crate) fn request(&mut self, handler: Handler, args: &[Boxed]) -> u64 {
        self.next_seq += 1;
        let bytes = encoded(self.dialect, self.next_seq, handler, args, false);
        self.send(&bytes);
        self.next_seq
    }

    /// Sends a request and reads until its answer is there.
    #[track_caller]
    pub(crate) fn ask(&mut self, handler: Handler, args: &[Boxed]) -> Answer {
        let seq = self.request(handler, args);
        self.answer(seq)
    }

    /// Calls a method of the root.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, args: Vec<Boxed>) -> Answer {
        let root = self.root();
        self.ask(Handler::CallAttr, &call_attr(&root, method, args))
    }

    /// The root, as a reference to send back. Each call takes one reference to it.
    #[track_caller]
    pub(crate) fn root(&mut self) -> IdPack {
        match self.ask(Handler::GetRoot, &[]) {
            Ok(Boxed::RemoteRef(id_pack)) => id_pack,
            other => panic!("no root: {other:?}"),
        }
    }

    /// Reads until the answer to `seq` is there.
    #[track_caller]
    pub(crate) fn answer(&mut self, seq: u64) -> Answer {
        loop {
            match self.message() {
                Message::Reply { seq: found, result } if found.as_u64() == Some(seq) => {
                    return Ok(result);
                }
                Message::Exception {
                    seq: found,
                    exception,
                } if found.as_u64() == Some(seq) => {
                    return Err(named(exception));
                }
                // References that were sent come back when the service is done with them.
                Message::Request {
                    handler: Handler::Del,
                    ..
                } => {}
                Message::Request { handler, .. } => panic!("asked for {handler:?}"),
                _ => {}
            }
        }
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Message {
        let payload = self.payload().expect("a message");
        Message::decode(&payload, self.dialect, &Limits::default()).unwrap()
    }

    pub(crate) fn payload(&mut self) -> io::Result<Bytes> {
        let mut header = [0; 5];
        self.socket.read_exact(&mut header)?;
        let [a, b, c, d, _] = header;
        let mut payload = vec![0; u32::from_be_bytes([a, b, c, d]) as usize + 1];
        self.socket.read_exact(&mut payload)?;
        payload.pop();
        Ok(payload.into())
    }

    /// Fails unless it is served.
    #[track_caller]
    pub(crate) fn ping(&mut self) {
        let echo = self.ask(Handler::Ping, &[Boxed::from("still there?")]);
        assert_eq!(echo, Ok(Boxed::from("still there?")));
    }

    /// Fails unless the server closes the connection at once, whatever it says before.
    #[track_caller]
    pub(crate) fn closed(mut self, victim: &Victim) -> Ended {
        let start = Instant::now();
        let mut sink = [0; 64 << 10];
        loop {
            match self.socket.read(&mut sink) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if is_over(&error) => break,
                Err(error) => panic!("the server doesn't close the connection: {error}"),
            }
        }
        assert!(
            start.elapsed() < AT_ONCE,
            "closed after {:?}",
            start.elapsed()
        );
        victim.ended(self.address)
    }

    /// Goes away; fails unless the server frees the session.
    #[track_caller]
    pub(crate) fn leave(self, victim: &Victim) -> Ended {
        self.socket.shutdown(Shutdown::Write).unwrap();
        self.closed(victim)
    }

    /// Another hand on the same connection.
    pub(crate) fn around(socket: &mut TcpStream) -> Peer {
        let address = socket.local_addr().unwrap();
        let socket = socket.try_clone().unwrap();
        Peer {
            socket,
            address,
            next_seq: 1 << 32,
            dialect: Dialect::V6,
        }
    }

    /// Waits for the end of the connection without reading; the server must come to it.
    #[track_caller]
    pub(crate) fn unread(self, victim: &Victim) -> Ended {
        let ended = victim.ended(self.address);
        drop(self.socket);
        ended
    }

    /// Reads for so long and throws it away; says whether the connection has ended.
    pub(crate) fn idle(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut sink = [0; 4 << 10];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.socket.set_read_timeout(Some(2 * AT_ONCE)).unwrap();
                return false;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            match self.socket.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if is_over(&error) => return true,
                Err(_) => {}
            }
        }
    }
}

/// What a known and an unknown peer sends makes the server close that connection, at once.
#[track_caller]
pub(crate) fn closes(victim: &Victim, what: &str, bytes: &[u8]) {
    for mut peer in [Peer::stranger(victim), Peer::known(victim)] {
        peer.send(bytes);
        let ended = peer.closed(victim);
        assert!(!ended.reason.is_normal(), "{what}: {}", ended.reason);
    }
}

/// A frame around a payload, uncompressed.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    flagged_frame(0, payload)
}

/// A frame with this compression flag.
pub(crate) fn flagged_frame(flag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.push(flag);
    bytes.extend_from_slice(payload);
    bytes.push(b'\n');
    bytes
}

/// The frame of a request.
pub(crate) fn request(seq: u64, handler: Handler, args: &[Boxed]) -> Vec<u8> {
    encoded(Dialect::V6, seq, handler, args, false)
}

/// The frame of a request of rpyc-ng.
pub(crate) fn request_of_ng(seq: u64, handler: Handler, args: &[Boxed]) -> Vec<u8> {
    encoded(Dialect::NG7, seq, handler, args, false)
}

/// The frame of a request, compressed.
pub(crate) fn compressed_request(seq: u64, handler: Handler, args: &[Boxed]) -> Vec<u8> {
    encoded(Dialect::V6, seq, handler, args, true)
}

fn encoded(
    dialect: Dialect,
    seq: u64,
    handler: Handler,
    args: &[Boxed],
    compress: bool,
) -> Vec<u8> {
    let mut frames = FrameBuf::new();
    let limits = Limits::default();
    let request = Message::Request {
        seq: Seq::new(seq),
        handler,
        args: args.to_vec(),
    };
    request
        .encode(&mut frames, dialect, &limits, compress)
        .unwrap();
    frames.slices().collect::<Vec<_>>().concat()
}

/// The frame of any message, compressed.
pub(crate) fn compressed(message: &Message) -> Vec<u8> {
    let mut frames = FrameBuf::new();
    message
        .encode(&mut frames, Dialect::V6, &Limits::default(), true)
        .unwrap();
    frames.slices().collect::<Vec<_>>().concat()
}

/// The frame of any message.
pub(crate) fn message(message: &Message) -> Vec<u8> {
    let mut frames = FrameBuf::new();
    message
        .encode(&mut frames, Dialect::V6, &Limits::default(), false)
        .unwrap();
    frames.slices().collect::<Vec<_>>().concat()
}

/// The id_pack, as rpyc-ng has it: with a kind.
pub(crate) fn of_kind(id_pack: &IdPack, kind: i64) -> IdPack {
    let mut parts = id_pack.to_value().into_tuple().unwrap();
    parts.truncate(3);
    parts.push(Value::from(kind));
    IdPack::from_value(&Value::Tuple(parts)).unwrap()
}

/// CALLATTR's arguments.
pub(crate) fn call_attr(object: &IdPack, method: &str, args: Vec<Boxed>) -> Vec<Boxed> {
    vec![
        Boxed::LocalRef(object.clone()),
        Boxed::from(method),
        Boxed::tuple(args),
        Boxed::Value(Value::Tuple(Vec::new())),
    ]
}

/// A reference to an object of the peer's.
pub(crate) fn mine(number: u64) -> Boxed {
    Boxed::RemoteRef(IdPack::new(
        "builtins.function",
        ClassId(900),
        InstanceId(number),
    ))
}

/// An int of any size.
pub(crate) fn int(digits: &str) -> Value {
    Value::Int(Int::from(digits.parse::<BigInt>().unwrap()))
}

pub(crate) fn named(exception: DumpedException) -> Box<NamedException> {
    match exception {
        DumpedException::Named(named) => named,
        other => panic!("an exception without a name: {other:?}"),
    }
}

/// Fails unless the answer is an exception of this class.
#[track_caller]
pub(crate) fn raises(answer: Answer, class: &str) -> Box<NamedException> {
    let exception = answer.expect_err("an exception");
    assert_eq!(&*exception.class, class, "{exception:?}");
    exception
}

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

pub(crate) fn is_over(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
