//! Streams that are no RPyC, or that mean harm, end with an error that says so, and cost little.

use flate2::{Compression, write::ZlibEncoder};
use rpyc_core::wire::{FrameDecoder, FrameError, InflateError, Limits};
use std::io::Write;

use crate::{
    flagged_frame, frame,
    frames::{feed, feed_by, header_of},
    limits,
};

#[track_caller]
fn check(stream: &[u8], limits: &Limits) -> FrameError {
    let error = feed(&mut FrameDecoder::new(limits.clone()), stream).unwrap_err();
    // The same at one byte a time.
    assert_eq!(
        feed_by(&mut FrameDecoder::new(limits.clone()), stream, 1).unwrap_err(),
        error
    );
    error
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_announced_length_over_the_limit_is_refused_at_once() {
    assert_eq!(
        check(b"\xff\xff\xff\xff\x00", &limits()),
        FrameError::TooLarge {
            length: 0xffff_ffff,
            limit: 256 << 20,
            offset: 0
        }
    );
    let small = limits().max_frame(100);
    assert!(feed(&mut FrameDecoder::new(small.clone()), &frame(&[0; 100])).is_ok());
    assert_eq!(
        check(&header_of(101), &small),
        FrameError::TooLarge {
            length: 101,
            limit: 100,
            offset: 0
        }
    );
}

#[test]
fn the_limit_of_a_frame_can_be_raised_once_the_peer_is_known() {
    let mut decoder = FrameDecoder::new(limits());
    decoder.set_max_frame(10);
    assert_eq!(feed(&mut decoder, &frame(b"known")).unwrap(), ["known"]);
    decoder.set_max_frame(1_000);
    assert_eq!(feed(&mut decoder, &frame(&[1; 1_000])).unwrap().len(), 1);
    assert!(matches!(
        feed(&mut decoder, &header_of(1_001)).unwrap_err(),
        FrameError::TooLarge {
            length: 1_001,
            limit: 1_000,
            offset: 1_017
        }
    ));
}

#[test]
fn the_limit_of_inflating_can_be_raised_once_the_peer_is_known() {
    let mut decoder = FrameDecoder::new(limits().max_inflated(100));
    let stream = flagged_frame(1, &deflated(&[1; 1_000]));
    decoder.set_max_inflated(1_000);
    assert_eq!(feed(&mut decoder, &stream).unwrap().len(), 1);
    decoder.set_max_inflated(999);
    assert!(feed(&mut decoder, &stream).is_err());
}

#[test]
fn other_protocols_are_recognised_by_their_first_bytes() {
    for (start, looks_like) in [
        (b"\x16\x03\x01\x02\x00".as_slice(), "TLS"),
        (b"\x16\x03", "TLS"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST", "HTTP"),
        (b"HEAD / HTTP/1.0\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH"),
    ] {
        assert_eq!(
            check(start, &limits()),
            FrameError::NotRpyc { looks_like },
            "{start:?}"
        );
        // A limit that such a length would pass changes nothing.
        assert_eq!(
            check(start, &limits().max_frame(usize::MAX)),
            FrameError::NotRpyc { looks_like }
        );
    }
}

#[test]
fn other_protocols_are_looked_for_at_the_start_only() {
    let mut stream = frame(b"");
    stream.extend_from_slice(b"GET / HTTP/1.1\r\n");
    assert!(matches!(
        check(&stream, &limits()),
        FrameError::TooLarge { offset: 6, .. }
    ));
}

#[test]
fn a_frame_without_its_newline_is_refused() {
    let mut stream = frame(b"fine");
    stream.extend_from_slice(b"\x00\x00\x00\x02\x00hi!");
    assert_eq!(
        check(&stream, &limits()),
        FrameError::BadTerminator {
            found: b'!',
            offset: 10
        }
    );
}

#[test]
fn garbage_marked_as_compressed_is_refused() {
    let inflate_error = |stream: &[u8]| match check(stream, &limits()) {
        FrameError::Inflate { source, offset: 0 } => source,
        other => panic!("{other}"),
    };
    assert_eq!(
        inflate_error(&flagged_frame(1, b"garbage")),
        InflateError::Corrupt
    );
    assert_eq!(
        inflate_error(&flagged_frame(255, b"\x78\x9cgarbage")),
        InflateError::Corrupt
    );
    assert_eq!(
        inflate_error(&flagged_frame(1, b"")),
        InflateError::Truncated
    );
    let whole = deflated(&[7; 10_000]);
    assert_eq!(
        inflate_error(&flagged_frame(1, &whole[..whole.len() - 5])),
        InflateError::Truncated
    );
    let mut wrong_sum = whole;
    *wrong_sum.last_mut().unwrap() ^= 1;
    assert_eq!(
        inflate_error(&flagged_frame(1, &wrong_sum)),
        InflateError::Corrupt
    );
}

#[test]
fn a_deflate_bomb_stops_at_the_limit() {
    let bomb = deflated(&vec![0; 20 << 20]);
    let compressed = bomb.len();
    assert_eq!(
        check(&flagged_frame(1, &bomb), &limits().max_inflated(1 << 20)),
        FrameError::Inflate {
            offset: 0,
            source: InflateError::TooLarge {
                compressed,
                limit: 1 << 20
            }
        }
    );
    // Better than anything that Python's rpyc sends: over 16 MiB that is suspicious.
    assert_eq!(
        check(&flagged_frame(1, &bomb), &limits()),
        FrameError::Inflate {
            offset: 0,
            source: InflateError::TooLarge {
                compressed,
                limit: 16 << 20
            }
        }
    );
}

#[test]
fn what_just_fits_the_limit_is_inflated() {
    for length in [0, 1, 4_095, 4_096, 4_097, 100_000] {
        let bytes = flagged_frame(1, &deflated(&vec![9; length]));
        let fits = limits().max_inflated(length);
        assert_eq!(
            feed(&mut FrameDecoder::new(fits), &bytes).unwrap(),
            [vec![9; length]]
        );
        if length > 0 {
            let short = limits().max_inflated(length - 1);
            assert!(feed(&mut FrameDecoder::new(short), &bytes).is_err());
        }
    }
}

#[test]
fn the_first_error_stays() {
    let mut decoder = FrameDecoder::new(limits());
    let error = feed(&mut decoder, b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    let space = decoder.space();
    space[..8].copy_from_slice(&frame(b"hi"));
    decoder.advance(8);
    assert_eq!(decoder.next_frame(), Err(error.clone()));
    assert_eq!(decoder.next_frame(), Err(error));
}

#[test]
fn empty_frames_come_out_one_by_one() {
    let stream = frame(b"").repeat(1_000);
    assert_eq!(
        feed(&mut FrameDecoder::new(limits()), &stream).unwrap(),
        vec![""; 1_000]
    );
}
