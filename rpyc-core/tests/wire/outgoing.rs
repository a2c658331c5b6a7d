//! Frames are put together, and taken out, without more copies than needed.

use bytes::Bytes;
use rpyc_core::wire::{
    Boxed, Dialect, EncodeError, FrameBuf, FrameDecoder, Handler, Message, Seq, Str, Value,
    encode_to_vec,
};

use crate::{bytes_of, frame, frames::feed, limits};

/// Appends a request with this argument.
fn request(out: &mut FrameBuf, arg: Value) -> Result<(), EncodeError> {
    ping(arg).encode(out, Dialect::V6, &limits(), false)
}

fn ping(arg: Value) -> Message {
    Message::Request {
        seq: Seq::new(7),
        handler: Handler::Ping,
        args: vec![Boxed::Value(arg)],
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::None, |value, _| Value::Tuple(vec![value]))
}

#[test]
fn several_frames_stand_in_a_row() {
    let mut out = FrameBuf::new();
    for payload in [&b"one"[..], b"", b"three"] {
        out.begin();
        out.put(payload);
        out.finish(false, &limits()).unwrap();
    }
    assert_eq!(
        bytes_of(&mut out),
        [frame(b"one"), frame(b""), frame(b"three")].concat()
    );
}

#[test]
fn large_buffers_are_taken_out_as_they_were_put_in() {
    let large = Bytes::from(vec![1; 20_000]);
    let small = Bytes::from(vec![2; 16_383]);
    let mut out = FrameBuf::new();
    let mut expected = Vec::new();
    for _ in 0..2 {
        out.begin();
        out.put(b"before");
        out.put_shared(&large);
        out.put_shared(&large);
        out.put_shared(&small);
        out.put(b"after");
        out.finish(false, &limits()).unwrap();
        expected.extend(frame(
            &[b"before", &large[..], &large, &small, b"after"].concat(),
        ));
    }
    assert_eq!(out.len(), expected.len());
    let chunks: Vec<&[u8]> = out.slices().collect();
    assert_eq!(chunks.concat(), expected);
    assert_eq!(
        chunks
            .iter()
            .filter(|chunk| chunk.as_ptr() == large.as_ptr())
            .count(),
        4
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk.as_ptr() != small.as_ptr() && !chunk.is_empty())
    );
}

#[test]
fn large_values_are_not_copied_into_their_frame() {
    let bytes = Bytes::from(vec![3; 1 << 20]);
    let text = Str::from("x".repeat(1 << 20));
    let mut out = FrameBuf::new();
    request(
        &mut out,
        Value::tuple([bytes.clone().into(), text.clone().into()]),
    )
    .unwrap();
    let chunks: Vec<&[u8]> = out.slices().collect();
    assert!(chunks.iter().any(|chunk| chunk.as_ptr() == bytes.as_ptr()));
    assert!(chunks.iter().any(|chunk| chunk.as_ptr() == text.as_ptr()));
}

#[test]
fn a_frame_that_fails_leaves_no_trace() {
    let mut out = FrameBuf::new();
    request(&mut out, 1.into()).unwrap();
    let before = out.len();
    let large = Value::from(vec![0; 50_000]);
    let error = request(&mut out, Value::tuple([large.clone(), nested(200)]));
    assert_eq!(error, Err(EncodeError::TooDeep(100)));
    assert_eq!(out.len(), before);
    let small = limits().max_frame(10_000);
    let error = ping(large).encode(&mut out, Dialect::V6, &small, false);
    assert!(
        matches!(
            error,
            Err(EncodeError::TooLarge {
                length: 50_001..,
                limit: 10_000
            })
        ),
        "{error:?}"
    );
    assert_eq!(out.len(), before);
    out.begin();
    out.put(b"never finished");
    out.rollback();
    assert_eq!(bytes_of(&mut out).len(), before);
    request(&mut out, 1.into()).unwrap();
    assert_eq!(out.len(), before);
}

#[test]
fn a_frame_is_begun_before_it_is_finished() {
    let mut out = FrameBuf::new();
    assert_eq!(out.finish(false, &limits()), Err(EncodeError::NoFrame));
    out.begin();
    out.put(b"dropped by the next");
    out.begin();
    out.put(b"kept");
    out.finish(false, &limits()).unwrap();
    assert_eq!(bytes_of(&mut out), frame(b"kept"));
}

#[test]
fn small_frames_use_one_buffer_again_and_again() {
    let mut out = FrameBuf::new();
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..100 {
        request(&mut out, 1.into()).unwrap();
        assert_eq!(out.slices().count(), 1);
        places.insert(out.slices().next().unwrap().as_ptr());
        out.clear();
    }
    assert_eq!(places.len(), 1);
}

#[test]
fn a_payload_is_compressed_only_where_that_pays() {
    let sent = |payload: &[u8], compress| {
        let mut out = FrameBuf::new();
        out.begin();
        out.put(payload);
        out.finish(compress, &limits()).unwrap();
        bytes_of(&mut out)
    };
    let dull = vec![b'a'; 3_001];
    assert_eq!(sent(&dull, false), frame(&dull));
    assert_eq!(sent(&dull[..3_000], true), frame(&dull[..3_000]));
    let compressed = sent(&dull, true);
    assert!(compressed.len() < 200);
    assert_eq!(compressed[4], 1);
    assert_eq!(
        feed(&mut FrameDecoder::new(limits()), &compressed).unwrap(),
        [dull]
    );
    // Numbers from a generator that deflate finds nothing in.
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect();
    assert_eq!(sent(&noise, true), frame(&noise));
}

#[test]
fn large_buffers_are_compressed_too() {
    let mut out = FrameBuf::new();
    request(&mut out, 1.into()).unwrap();
    let first = out.len();
    let arg = Boxed::Value(vec![5; 1_000_000].into());
    let message = Message::Request {
        seq: Seq::new(1),
        handler: Handler::Ping,
        args: vec![arg],
    };
    message
        .encode(&mut out, Dialect::V6, &limits(), true)
        .unwrap();
    request(&mut out, 1.into()).unwrap();
    assert!(out.len() < 30_000);
    let frames = feed(&mut FrameDecoder::new(limits()), &bytes_of(&mut out)).unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0].len() + 6, first);
    assert_eq!(
        Message::decode(&frames[1], Dialect::V6, &limits()).unwrap(),
        message
    );
}

#[test]
fn what_a_receiver_would_take_for_a_bomb_goes_plain() {
    let zeros = Bytes::from(vec![0; 17 << 20]);
    for ratio in [1, 256, 2_000] {
        let limits = limits().max_inflate_ratio(ratio);
        let mut out = FrameBuf::new();
        out.begin();
        out.put_shared(&zeros);
        out.finish(true, &limits).unwrap();
        let sent = bytes_of(&mut out);
        assert_eq!(
            feed(&mut FrameDecoder::new(limits), &sent).unwrap(),
            [&zeros]
        );
    }
}

#[test]
fn a_value_can_be_written_without_a_frame() {
    let pair = Value::tuple(["RPYC".into(), 1.into()]);
    let out = encode_to_vec(&pair, &limits()).unwrap();
    assert_eq!(out, b"\x11\x08\x0dRPYC\x51");
}
