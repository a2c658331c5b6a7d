//! Any bytes into a message of any dialect: what is read can be written, and is read back as the same bytes.
#![no_main]

mod dialects;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::wire::{Dialect, Envelope, FrameBuf, FrameDecoder, Limits, Message};

fuzz_target!(|data: &[u8]| {
    let Some((&byte, payload)) = data.split_first() else {
        return;
    };
    let limits = Limits::default();
    let payload = Bytes::copy_from_slice(payload);
    let Some((dialect, message)) = dialects::open(dialects::dialect(byte), payload) else {
        return;
    };
    let Ok(message) = Message::decode(&message, dialect, &limits) else {
        return;
    };
    // An exception that is echoed may be beyond what a message may have: its text is made longer.
    let Some(written) = write(&message, dialect, &limits) else {
        return;
    };
    let (_, again) = Envelope::open(dialect, written.clone()).expect("our own threads");
    let again = Message::decode(&again, dialect, &limits).expect("our own bytes");
    assert_eq!(write(&again, dialect, &limits), Some(written));
});

fn write(message: &Message, dialect: Dialect, limits: &Limits) -> Option<Bytes> {
    let mut frames = FrameBuf::new();
    message.encode(&mut frames, dialect, limits, false).ok()?;
    let mut decoder = FrameDecoder::new(limits.clone());
    for chunk in frames.slices() {
        let mut rest = chunk;
        while !rest.is_empty() {
            let space = decoder.space();
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            decoder.advance(count);
            rest = &rest[count..];
        }
    }
    Some(decoder.next_frame().expect("our own frame").expect("a whole frame"))
}
