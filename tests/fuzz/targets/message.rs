//! Any bytes into a message: what is read can be written, and is read back as the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::codec::{Dialect, FrameBuf, FrameDecoder, Limits, Message};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let payload = Bytes::copy_from_slice(data);
    let Ok(message) = Message::decode(&payload, Dialect::V6, &limits) else {
        return;
    };
    // An exception that is echoed may be beyond what a message may have: its text is made longer.
    let Some(written) = write(&message, &limits) else {
        return;
    };
    let again = Message::decode(&written, Dialect::V6, &limits).expect("our own bytes");
    assert_eq!(write(&again, &limits), Some(written));
});

fn write(message: &Message, limits: &Limits) -> Option<Bytes> {
    let mut frames = FrameBuf::new();
    message.encode(&mut frames, Dialect::V6, limits, false).ok()?;
    let mut decoder = FrameDecoder::new(limits.clone());
    for chunk in frames.take_chunks() {
        let mut rest = &chunk[..];
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
