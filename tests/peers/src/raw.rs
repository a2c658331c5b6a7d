//! The physical limit: the bytes of the same calls over bare sockets, nothing encoded or decoded.

use std::io::{IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use bytes::Bytes;
use rpyc_core::wire::Limits;
use rpyc_core::wire::{
    Boxed, ClassId, Dialect, FrameBuf, Handler, IdPack, InstanceId, Message, Seq, Value,
};

use crate::timing;
use crate::{Failure, say};

/// Answers every frame. `batched`: what one read brought is answered by one write.
pub(crate) fn serve(batched: bool) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    say(&format!("READY {}", listener.local_addr()?.port()))?;
    let reply = reply()?;
    for stream in listener.incoming() {
        let (stream, reply) = (stream?, reply.clone());
        stream.set_nodelay(true)?;
        // A client that goes away ends its session, and nothing else.
        thread::spawn(move || session(stream, &reply, batched));
    }
    Ok(())
}

fn session(mut stream: TcpStream, reply: &[u8], batched: bool) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut filled = 0;
    let mut answers = Vec::new();
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            count => filled += count,
        }
        let mut at = 0;
        while let Some(length) = frame_length(&buffer[at..filled]) {
            if at + length > filled {
                if length > buffer.len() - at {
                    buffer.resize(at + length, 0);
                }
                break;
            }
            at += length;
            if batched {
                answers.extend_from_slice(reply);
            } else {
                stream.write_all(reply)?;
            }
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        if !answers.is_empty() {
            stream.write_all(&answers)?;
            answers.clear();
        }
    }
}

/// The length of the frame that begins here, once that can be seen.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let header: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    Some(u32::from_be_bytes(header) as usize + 6)
}

pub(crate) struct Caller {
    stream: TcpStream,
    batched: bool,
    request: Vec<u8>,
    reply_length: usize,
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) fn connect(port: u16, batched: bool) -> Result<Caller, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Caller {
            stream,
            batched,
            request: request("null", Value::Tuple(Vec::new()))?,
            reply_length: reply()?.len(),
            buffer: vec![0; 64 << 10],
        })
    }

    fn read_reply(&mut self) -> std::io::Result<()> {
        let mut filled = 0;
        while filled < self.reply_length {
            match self.stream.read(&mut self.buffer[filled..])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(())
    }
}

impl timing::Caller for Caller {
    fn null(&mut self) -> Result<(), Failure> {
        self.stream.write_all(&self.request)?;
        Ok(self.read_reply()?)
    }

    fn fresh(&mut self) -> Result<(), Failure> {
        self.null()
    }

    fn pipe(&mut self, calls: usize, window: usize) -> Result<(), Failure> {
        let batch = self.request.repeat(window);
        let (mut sent, mut answered, mut bytes) = (0, 0, 0);
        while answered < calls {
            let room = (answered + window - sent).min(calls - sent);
            if self.batched {
                self.stream.write_all(&batch[..room * self.request.len()])?;
            } else {
                (0..room).try_for_each(|_| self.stream.write_all(&self.request))?;
            }
            sent += room;
            match self.stream.read(&mut self.buffer)? {
                0 => return Err("the server ended the stream".into()),
                count => bytes += count,
            }
            answered = bytes / self.reply_length;
        }
        Ok(())
    }

    fn put(&mut self, data: &Bytes) -> Result<(), Failure> {
        let [l0, l1, l2, l3] = u32::try_from(data.len())?.to_be_bytes();
        let header = [l0, l1, l2, l3, 0];
        let mut parts = [
            IoSlice::new(&header),
            IoSlice::new(data),
            IoSlice::new(b"\n"),
        ];
        let mut left = &mut parts[..];
        while !left.is_empty() {
            let written = self.stream.write_vectored(left)?;
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(self.read_reply()?)
    }

    fn take(&mut self, _: usize) -> Result<(), Failure> {
        Ok(())
    }

    fn call_taken(&mut self, _: usize) -> Result<(), Failure> {
        self.null()
    }

    /// As many messages there and back, in another order.
    fn nest(&mut self, depth: usize) -> Result<(), Failure> {
        (0..depth).try_for_each(|_| self.null())
    }
}

/// The bytes of a call of a method of the root.
fn request(method: &'static str, args: Value) -> Result<Vec<u8>, Failure> {
    let root = IdPack::new("rpyc_bench_peers.Bench", ClassId(1), InstanceId(1));
    let args = vec![
        Boxed::LocalRef(root),
        Boxed::Value(Value::from(method)),
        Boxed::Value(args),
        Boxed::Value(Value::Tuple(Vec::new())),
    ];
    let (mut frames, limits, seq) = (FrameBuf::new(), Limits::default(), Seq::new(1000));
    let call = Message::Request {
        seq,
        handler: Handler::CallAttr,
        args,
    };
    call.encode(&mut frames, Dialect::V6, &limits, false)?;
    Ok(frames.slices().collect::<Vec<_>>().concat())
}

/// The bytes of its answer.
fn reply() -> Result<Vec<u8>, Failure> {
    let (mut frames, limits, seq) = (FrameBuf::new(), Limits::default(), Seq::new(1000));
    let none = Boxed::Value(Value::None);
    let reply = Message::Reply { seq, result: none };
    reply.encode(&mut frames, Dialect::V6, &limits, false)?;
    Ok(frames.slices().collect::<Vec<_>>().concat())
}
