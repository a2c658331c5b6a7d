//! Frames come out of the stream whole, however it is cut.

use bytes::Bytes;
use rpyc_core::wire::{FrameDecoder, FrameError};

use crate::{flagged_frame, frame, limits};

/// Feeds the bytes, as many at a time as there is room for, and collects the payloads.
pub(crate) fn feed(decoder: &mut FrameDecoder, bytes: &[u8]) -> Result<Vec<Bytes>, FrameError> {
    feed_by(decoder, bytes, usize::MAX)
}

/// Feeds the bytes, at most `step` at a time, and collects the payloads.
pub(crate) fn feed_by(
    decoder: &mut FrameDecoder,
    mut bytes: &[u8],
    step: usize,
) -> Result<Vec<Bytes>, FrameError> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let space = decoder.space();
        let count = space.len().min(step).min(bytes.len());
        assert!(count > 0, "no space to receive into");
        space[..count].copy_from_slice(&bytes[..count]);
        decoder.advance(count);
        bytes = &bytes[count..];
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok(frames)
}

/// Payloads of many sizes around the decoder's own bounds.
fn payloads() -> Vec<Vec<u8>> {
    [
        0, 1, 2, 5, 100, 1_000, 4_089, 4_090, 4_091, 4_092, 0, 5_000, 65_530, 65_536, 3, 200_000,
        700_000, 1,
    ]
    .iter()
    .enumerate()
    .map(|(i, &length)| (0..=255).cycle().skip(i * 7).take(length).collect())
    .collect()
}

#[test]
fn a_stream_gives_the_same_frames_however_it_is_cut() {
    let payloads = payloads();
    let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
    for step in [13, 100, 1_000, 4_096, 5_000, 65_536, usize::MAX] {
        let mut decoder = FrameDecoder::new(limits());
        assert_eq!(
            feed_by(&mut decoder, &stream, step).unwrap(),
            payloads,
            "{step} bytes at a time"
        );
        assert!(!decoder.is_mid_frame());
        assert_eq!(decoder.offset(), u64::try_from(stream.len()).unwrap());
    }
}

#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let payloads: [&[u8]; 4] = [b"hello", b"", b"\n\n\n", b"\x01\x11\x50"];
    let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
    for cut in 0..=stream.len() {
        let mut decoder = FrameDecoder::new(limits());
        let mut frames = feed(&mut decoder, &stream[..cut]).unwrap();
        let at_an_end = [0, 11, 17, 26, 35].contains(&cut);
        assert_eq!(decoder.is_mid_frame(), !at_an_end, "cut at {cut}");
        frames.extend(feed(&mut decoder, &stream[cut..]).unwrap());
        assert_eq!(frames, payloads, "cut at {cut}");
    }
    let mut decoder = FrameDecoder::new(limits());
    assert_eq!(feed_by(&mut decoder, &stream, 1).unwrap(), payloads);
}

#[test]
fn a_compressed_frame_may_be_cut_at_every_byte() {
    let rows = crate::vectors::frames();
    let stream = crate::vectors::find(&rows, "compressed_3001");
    for cut in 0..stream.len() {
        let mut decoder = FrameDecoder::new(limits());
        assert!(feed(&mut decoder, &stream[..cut]).unwrap().is_empty());
        let frames = feed(&mut decoder, &stream[cut..]).unwrap();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].len(), 3_001);
    }
}

#[test]
fn frames_that_are_kept_do_not_change() {
    let mut decoder = FrameDecoder::new(limits());
    let mut kept = Vec::new();
    let payloads: Vec<Vec<u8>> = (0..2_000_u32)
        .map(|i| i.to_string().repeat(20).into_bytes())
        .collect();
    for payload in &payloads {
        kept.extend(feed(&mut decoder, &frame(payload)).unwrap());
    }
    assert_eq!(kept, payloads);
}

#[test]
fn the_room_stays_small_between_frames() {
    let mut decoder = FrameDecoder::new(limits());
    for payload in payloads() {
        assert_eq!(feed(&mut decoder, &frame(&payload)).unwrap().len(), 1);
        assert!(
            decoder.space().len() <= 4_096,
            "after a frame of {} bytes",
            payload.len()
        );
    }
}

#[test]
fn the_room_grows_with_what_came_not_with_what_was_announced() {
    let mut decoder = FrameDecoder::new(limits());
    assert_eq!(
        feed(&mut decoder, &header_of(200 << 20)).unwrap(),
        Vec::<Bytes>::new()
    );
    let mut received = header_of(0).len();
    for _ in 0..200 {
        let space = decoder.space();
        assert!(
            space.len() <= (68 << 10).max(received),
            "room for {} after {received} bytes",
            space.len()
        );
        let count = space.len();
        space.fill(7);
        decoder.advance(count);
        received += count;
        assert_eq!(decoder.next_frame().unwrap(), None);
    }
    assert!(received > 1 << 20);
}

#[test]
fn a_large_frame_is_received_alone() {
    let mut decoder = FrameDecoder::new(limits());
    let header = header_of(10_000);
    decoder.space()[..5].copy_from_slice(&header);
    decoder.advance(5);
    assert_eq!(decoder.next_frame().unwrap(), None);
    // What is left of the payload, and the newline.
    assert_eq!(decoder.space().len(), 10_001);
}

#[test]
fn any_flag_but_0_means_compressed() {
    let rows = crate::vectors::frames();
    let stream = crate::vectors::find(&rows, "compressed_3001");
    let deflated = &stream[5..stream.len() - 1];
    for flag in [1, 2, 0x0a, 0x80, 255] {
        let mut decoder = FrameDecoder::new(limits());
        let frames = feed(&mut decoder, &flagged_frame(flag, deflated)).unwrap();
        assert_eq!(frames[0].len(), 3_001, "flag {flag}");
    }
}

#[test]
fn what_follows_a_zlib_stream_is_ignored() {
    let rows = crate::vectors::frames();
    let stream = crate::vectors::find(&rows, "compressed_3001");
    let mut deflated = stream[5..stream.len() - 1].to_vec();
    deflated.extend_from_slice(b"junk");
    let frames = feed(
        &mut FrameDecoder::new(limits()),
        &flagged_frame(1, &deflated),
    )
    .unwrap();
    assert_eq!(frames[0].len(), 3_001);
}

pub(crate) fn header_of(length: u32) -> Vec<u8> {
    let mut header = length.to_be_bytes().to_vec();
    header.push(0);
    header
}
