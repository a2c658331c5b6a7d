//! Any bytes, cut anywhere, into frames: the same frames, or the same error, as in one piece.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::wire::{FrameDecoder, FrameError, Limits};

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(step).max(1));
    assert_eq!(whole, pieces);
});

fn frames(stream: &[u8], step: usize) -> (Vec<Bytes>, Option<FrameError>) {
    let limits = Limits::default().max_frame(1 << 20).max_inflated(1 << 20);
    let mut decoder = FrameDecoder::new(limits);
    let mut frames = Vec::new();
    for mut piece in stream.chunks(step) {
        while !piece.is_empty() {
            let space = decoder.space();
            let count = space.len().min(piece.len());
            space[..count].copy_from_slice(&piece[..count]);
            decoder.advance(count);
            piece = &piece[count..];
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
    }
    assert!(decoder.buffered() <= stream.len());
    (frames, None)
}
