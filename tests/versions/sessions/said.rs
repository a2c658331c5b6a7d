//! A message as a value: what is a reference in it can be found, and replaced.

use std::fmt;

use bytes::Bytes;
use rpyc_core::wire::{
    Dialect, Envelope, FrameBuf, FrameDecoder, Limits, Message, Value, decode_value, encode_to_vec,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sender {
    Client,
    Server,
}

/// A frame of a recording.
#[derive(Clone)]
pub(super) struct Frame {
    pub(super) sender: Sender,
    pub(super) bytes: Vec<u8>,
}

/// A message of any dialect without threads.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Whether the kind stands in front of the others: rpyc 6.
    in_front: bool,
    pub(super) kind: i64,
    pub(super) seq: Value,
    pub(super) body: Value,
}

impl Frame {
    pub(super) fn from_line(line: &str) -> Frame {
        let (sender, digits) = line.split_at(2);
        let sender = match sender {
            "> " => Sender::Client,
            "< " => Sender::Server,
            other => panic!("{other:?} is nobody"),
        };
        let digits = digits.as_bytes().chunks(2);
        let bytes = digits.map(|pair| {
            let pair = str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(pair, 16).unwrap_or_else(|e| panic!("{pair}: {e}"))
        });
        Frame {
            sender,
            bytes: bytes.collect(),
        }
    }

    pub(super) fn payload(&self) -> Bytes {
        let mut decoder = FrameDecoder::new(Limits::default());
        feed(&mut decoder, &self.bytes);
        let payload = decoder.next_frame();
        let payload = payload.unwrap_or_else(|error| panic!("{error}"));
        payload.unwrap_or_else(|| panic!("half a frame: {self}"))
    }
}

impl Frame {
    /// It, without the places where files were on the machine of the recording, which tracebacks tell.
    pub(super) fn without_folders(self) -> Frame {
        let mut said = Said::read(&self.payload());
        let Value::Tuple(parts) = &mut said.body else {
            return self;
        };
        let traceback = match parts.last_mut() {
            Some(traceback) if said.kind == EXCEPTION => traceback,
            _ => return self,
        };
        *traceback = match &*traceback {
            Value::Str(text) => Value::from(without_folders(text)),
            Value::Bytes(text) => {
                Value::from(without_folders(&String::from_utf8_lossy(text)).into_bytes())
            }
            _ => return self,
        };
        Frame {
            sender: self.sender,
            bytes: said.to_frame(),
        }
    }
}

fn without_folders(traceback: &str) -> String {
    let mut files = traceback.split("File \"");
    let mut text = files.next().unwrap_or_default().to_owned();
    for file in files {
        let (path, rest) = file.split_once('"').unwrap_or((file, ""));
        let name = path.rsplit('/').next().unwrap_or_default();
        text.push_str(&format!("File \"{name}\"{rest}"));
    }
    text
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.sender {
            Sender::Client => "> ",
            Sender::Server => "< ",
        })?;
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Said {
    pub(super) fn read(payload: &Bytes) -> Said {
        let (in_front, value) = match payload.first() {
            Some(kind @ 1..=3) => (Some(i64::from(*kind)), payload.slice(1..)),
            _ => (None, payload.clone()),
        };
        let value = decode_value(&value, &Limits::default());
        let parts = value.unwrap_or_else(|error| panic!("{payload:02x?}: {error}"));
        let mut parts = parts.into_tuple().unwrap_or_default();
        let kind = in_front.or_else(|| parts.remove(0).as_i64());
        let Ok([seq, body]) = <[Value; 2]>::try_from(parts) else {
            panic!("no message: {payload:02x?}");
        };
        Said {
            in_front: in_front.is_some(),
            kind: kind.unwrap_or_default(),
            seq,
            body,
        }
    }

    pub(super) fn to_frame(&self) -> Vec<u8> {
        let payload = self.to_payload();
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &[0], &payload, b"\n"].concat()
    }

    fn to_payload(&self) -> Vec<u8> {
        let mut parts = vec![self.seq.clone(), self.body.clone()];
        let mut payload = Vec::new();
        match u8::try_from(self.kind) {
            Ok(kind) if self.in_front => payload.push(kind),
            _ => parts.insert(0, Value::from(self.kind)),
        }
        let written = encode_to_vec(&Value::Tuple(parts), &Limits::default());
        payload.extend(written.unwrap_or_else(|error| panic!("{self:?}: {error}")));
        payload
    }

    pub(super) fn is_request(&self) -> bool {
        self.kind == REQUEST
    }

    /// What a request asks for.
    pub(super) fn handler(&self) -> Option<i64> {
        match self.body.as_tuple() {
            Some([handler, _]) if self.is_request() => handler.as_i64(),
            _ => None,
        }
    }

    /// The boxed value in it: the arguments, or the result.
    pub(super) fn boxed(&self) -> Option<&Value> {
        match (self.kind, self.body.as_tuple()) {
            (REQUEST, Some([_, args])) => Some(args),
            (REPLY, _) => Some(&self.body),
            _ => None,
        }
    }

    /// Replaces the references to objects of the receiver.
    pub(super) fn replace(&mut self, mut by: impl FnMut(&Value) -> Option<Value>) {
        let handler = self.handler();
        let boxed = match (&mut self.body, self.kind) {
            (Value::Tuple(parts), REQUEST) => parts.get_mut(1),
            (body, REPLY) => Some(body),
            _ => None,
        };
        let Some(boxed) = boxed else { return };
        replace_in(boxed, &mut by);
        // Some requests name the object that they are about without saying that it is a reference.
        if handler.is_some_and(|handler| handler > GETROOT)
            && let Some(first) = first_value(boxed)
            && let Some(other) = by(first)
        {
            *first = other;
        }
    }
}

/// The first argument, if it is no reference: as a value among others, or as one of values and references.
fn first_value(boxed: &mut Value) -> Option<&mut Value> {
    let [label, Value::Tuple(items)] = pair_of(boxed)? else {
        return None;
    };
    let first = items.first_mut()?;
    match label.as_i64()? {
        VALUE => Some(first),
        TUPLE => match pair_of(first)? {
            [label, value] if label.as_i64() == Some(VALUE) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn pair_of(boxed: &mut Value) -> Option<&mut [Value]> {
    match boxed {
        Value::Tuple(pair) => Some(pair.as_mut_slice()),
        _ => None,
    }
}

fn replace_in(boxed: &mut Value, by: &mut impl FnMut(&Value) -> Option<Value>) {
    let Value::Tuple(pair) = boxed else { return };
    let [label, value] = pair.as_mut_slice() else {
        return;
    };
    match (label.as_i64(), value) {
        (Some(TUPLE), Value::Tuple(items)) => {
            items.iter_mut().for_each(|item| replace_in(item, by));
        }
        (Some(LOCAL_REF), value) => {
            *value = by(value).unwrap_or_else(|| panic!("{value} was never given"));
        }
        _ => {}
    }
}

/// Reads each message of the recording in its dialect, and writes it again.
pub(super) fn is_written_as_it_was_read(name: &str, frames: &[Frame]) {
    let limits = Limits::default();
    let Some(first) = frames.first() else {
        panic!("{name}: nothing was said");
    };
    let dialect = Dialect::detect(&first.payload());
    let mut dialect = dialect.unwrap_or_else(|error| panic!("{name}: {error}"));
    for frame in frames {
        let payload = frame.payload();
        dialect = dialect.learn(&payload, &limits);
        let message = Message::decode(&payload, dialect, &limits);
        let message = message.unwrap_or_else(|error| panic!("{name}: {frame}: {error}"));
        let written = write(&message, dialect);
        let again = Message::decode(&written, dialect, &limits);
        // Older peers are sent no version with an exception, and no text that they can't print.
        if dialect == Dialect::V6 || !matches!(message, Message::Exception { .. }) {
            assert_eq!(again.as_ref(), Ok(&message), "{name}: {frame}");
        }
        // Older ones have several ways of saying some things, of which one is ours.
        if dialect == Dialect::V6 {
            assert_eq!(written, payload, "{name}: {frame}");
        }
    }
    assert!(dialect.is_settled(), "{name}: {dialect:?}");
}

fn write(message: &Message, dialect: Dialect) -> Bytes {
    let limits = Limits::default();
    let mut frames = FrameBuf::new();
    let written = message.encode(&mut frames, Envelope::from(dialect), &limits, false);
    written.unwrap_or_else(|error| panic!("{message:?}: {error}"));
    let mut decoder = FrameDecoder::new(limits);
    for chunk in frames.slices() {
        feed(&mut decoder, chunk);
    }
    let payload = decoder.next_frame();
    let payload = payload.unwrap_or_else(|error| panic!("{error}"));
    payload.unwrap_or_else(|| panic!("half a frame"))
}

pub(super) fn feed(decoder: &mut FrameDecoder, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let space = decoder.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        decoder.advance(count);
        bytes = &bytes[count..];
    }
}

pub(super) const REQUEST: i64 = 1;
pub(super) const REPLY: i64 = 2;
const EXCEPTION: i64 = 3;

pub(super) const VALUE: i64 = 1;
pub(super) const TUPLE: i64 = 2;
pub(super) const LOCAL_REF: i64 = 3;
pub(super) const REMOTE_REF: i64 = 4;

pub(super) const CLOSE: i64 = 2;
const GETROOT: i64 = 3;
pub(super) const DEL: i64 = 15;
pub(super) const INSPECT: i64 = 16;
pub(super) const HASH: i64 = 12;
