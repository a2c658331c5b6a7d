//! Replaying one side of a recording to a live other side, which has to say what was recorded of its like.
//!
//! Ids and the numbers of requests are those of the day: what is recorded is put in their terms, by where they stand
//! in the messages.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use rpyc_core::wire::{FrameDecoder, Limits, Value};
use rpyc_tests::deadline::PATIENCE;

use super::said::{
    CLOSE, DEL, Frame, HASH, INSPECT, LOCAL_REF, REMOTE_REF, REPLY, Said, Sender, TUPLE, VALUE,
    feed,
};

/// What a write of the replayed side holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Frames,
    Bytes,
}

/// Replays what this side of the recording has said, and checks that the other one says what it had said.
pub(super) fn replay(name: &str, frames: &[Frame], side: Sender, stream: TcpStream, pace: Pace) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut replay = Replay {
        name,
        stream,
        decoder: FrameDecoder::new(Limits::default()),
        unread: Vec::new(),
        theirs: Vec::new(),
        requests: Vec::new(),
        inspecting: Vec::new(),
    };
    for frame in frames {
        let said = Said::read(&frame.payload());
        let closes = said.handler() == Some(CLOSE);
        if frame.sender == side {
            replay.say(said, pace);
        } else {
            replay.expect(&said);
        }
        if closes {
            // What is still answered behind it is nobody's business.
            break;
        }
    }
    let _ = replay.stream.shutdown(Shutdown::Write);
    let _ = std::io::copy(&mut replay.stream, &mut std::io::sink());
}

struct Replay<'a> {
    name: &'a str,
    stream: TcpStream,
    decoder: FrameDecoder,
    /// What has come, and wasn't expected yet.
    unread: Vec<Said>,
    /// Ids of the live side's objects: the recorded one, and that of the day.
    theirs: Vec<(Value, Value)>,
    /// The same for the numbers of its requests.
    requests: Vec<(Value, Value)>,
    /// The numbers of the recorded side's requests that are to inspect or to hash an object.
    inspecting: Vec<Value>,
}

impl Replay<'_> {
    fn say(&mut self, mut said: Said, pace: Pace) {
        match said.handler() {
            Some(INSPECT | HASH) => self.inspecting.push(said.seq.clone()),
            Some(_) => {}
            None => {
                let seq = of_the_day(&self.requests, &said.seq);
                said.seq = seq.unwrap_or_else(|| panic!("{}: unasked {said:?}", self.name));
            }
        }
        said.replace(|id| of_the_day(&self.theirs, id));
        let frame = said.to_frame();
        let step = match pace {
            Pace::Frames => frame.len(),
            Pace::Bytes => 1,
        };
        for piece in frame.chunks(step) {
            let sent = self.stream.write_all(piece);
            sent.unwrap_or_else(|e| panic!("{}: {e} before {said:?}", self.name));
        }
    }

    fn expect(&mut self, recorded: &Said) {
        let live = self.find(recorded);
        let context = || format!("{}:\nrecorded {recorded:?}\nlive     {live:?}", self.name);
        assert_eq!(live.kind, recorded.kind, "{}", context());
        let mut ids = Vec::new();
        let same = match (recorded.boxed(), live.boxed()) {
            // How many times it had crossed is a matter of when.
            _ if recorded.handler() == Some(DEL) => true,
            // Texts about methods, which may be worded anew, and hashes, which are of the day.
            _ if live.kind == REPLY && self.inspecting.contains(&live.seq) => true,
            (Some(recorded), Some(live)) => same(recorded, live, &mut ids),
            _ => same_exception(&recorded.body, &live.body),
        };
        assert!(same, "{}", context());
        self.theirs.extend(ids);
        if live.is_request() {
            self.requests.push((recorded.seq.clone(), live.seq));
        }
    }

    /// The live message that stands for the recorded one.
    fn find(&mut self, recorded: &Said) -> Said {
        let fits = |live: &Said| match recorded.handler() {
            Some(handler) => live.handler() == Some(handler),
            None => !live.is_request() && live.seq == recorded.seq,
        };
        loop {
            if let Some(at) = self.unread.iter().position(fits) {
                return self.unread.remove(at);
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).unwrap_or_else(|error| {
                let (name, unread) = (self.name, &self.unread);
                panic!("{name}: {error}: {recorded:?} never came, but {unread:?}")
            });
            assert!(count > 0, "{}: closed before {recorded:?}", self.name);
            for byte in &bytes[..count] {
                // One by one: the decoder gives one frame at a time.
                feed(&mut self.decoder, &[*byte]);
                let frame = self.decoder.next_frame();
                let frame = frame.unwrap_or_else(|error| panic!("{}: {error}", self.name));
                self.unread
                    .extend(frame.map(|payload| Said::read(&payload)));
            }
        }
    }
}

fn of_the_day(known: &[(Value, Value)], recorded: &Value) -> Option<Value> {
    let sought = without_name(recorded);
    let found = known
        .iter()
        .rev()
        .find(|(key, _)| without_name(key) == sought);
    found.map(|(_, live)| match (recorded.as_tuple(), live.as_tuple()) {
        // Each version gives back as many items as it knows.
        (Some(recorded), Some(live)) => Value::tuple(live.iter().take(recorded.len()).cloned()),
        _ => live.clone(),
    })
}

/// An id_pack's numbers: Python 2 gives its name back as bytes. Anything else as it is.
fn without_name(id: &Value) -> Value {
    match id.as_tuple() {
        Some([_, class, instance, ..]) => Value::tuple([class.clone(), instance.clone()]),
        _ => id.clone(),
    }
}

/// Whether both mean the same. The live side's objects have other ids, which are noted.
fn same(recorded: &Value, live: &Value, ids: &mut Vec<(Value, Value)>) -> bool {
    let (Some([label, recorded]), Some([live_label, live])) =
        (recorded.as_tuple(), live.as_tuple())
    else {
        return false;
    };
    if label != live_label {
        return false;
    }
    match label.as_i64() {
        Some(VALUE | LOCAL_REF) => recorded == live,
        Some(TUPLE) => {
            let (recorded, live) = (recorded.as_tuple(), live.as_tuple());
            let (recorded, live) = (recorded.unwrap_or_default(), live.unwrap_or_default());
            recorded.len() == live.len()
                && recorded
                    .iter()
                    .zip(live)
                    .all(|(recorded, live)| same(recorded, live, ids))
        }
        Some(REMOTE_REF) => same_reference(recorded, live, ids),
        _ => false,
    }
}

fn same_reference(recorded: &Value, live: &Value, ids: &mut Vec<(Value, Value)>) -> bool {
    // What rpyc-ng adds, which rpyc 6 takes and doesn't look at, comes while it isn't known who is there.
    let (Some([one, two, three, ..]), Some([other_one, other_two, other_three, ..])) =
        (recorded.as_tuple(), live.as_tuple())
    else {
        return false;
    };
    // The whole id_pack names the object, or what stands first.
    ids.push((recorded.clone(), live.clone()));
    ids.push((one.clone(), other_one.clone()));
    match (one.as_int(), other_one.as_int()) {
        (Some(_), Some(_)) => (two, three) == (other_two, other_three),
        (None, None) => one == other_one,
        // The root, given before it is known that the other side knows objects by numbers, or just behind that.
        _ => true,
    }
}

/// The class and the arguments of an exception, without its traceback; or what stands for it.
fn same_exception(recorded: &Value, live: &Value) -> bool {
    match (recorded.as_tuple(), live.as_tuple()) {
        (Some([class, args, ..]), Some([live_class, live_args, ..])) => {
            (class, args) == (live_class, live_args)
        }
        _ => recorded == live,
    }
}
