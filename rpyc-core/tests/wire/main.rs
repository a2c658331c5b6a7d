//! The wire layer against Python's own bytes, against arbitrary and hostile ones, and against itself.
// A test that fails to unwrap or index has found what it looks for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod dialects;
mod frames;
mod golden;
mod hostile_frames;
mod hostile_messages;
mod hostile_values;
mod messages;
mod ng;
mod outgoing;
mod props;
mod sharing;
mod vectors;

use rpyc_core::wire::{FrameBuf, Limits};

/// The bytes of a frame around this payload, sent plain.
fn frame(payload: &[u8]) -> Vec<u8> {
    flagged_frame(0, payload)
}

/// The bytes of a frame with this compression flag.
fn flagged_frame(flag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.push(flag);
    bytes.extend_from_slice(payload);
    bytes.push(b'\n');
    bytes
}

/// All bytes of the frames, in a row.
fn bytes_of(frames: &mut FrameBuf) -> Vec<u8> {
    let seen: Vec<u8> = frames.slices().flatten().copied().collect();
    assert_eq!(frames.len(), seen.len());
    frames.clear();
    assert!(frames.is_empty());
    seen
}

fn limits() -> Limits {
    Limits::default()
}

/// The bytes that these hexadecimal digits spell; spaces are ignored.
#[track_caller]
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    assert_eq!(digits.len() % 2, 0, "half a byte in {text:?}");
    digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
