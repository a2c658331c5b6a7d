//! Streams that are no sequence of frames, and frames that are larger than they look.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::memory::bounded;
use crate::peer::{PING, Peer, closes, flagged_frame, frame};
use crate::victim::Victim;

#[test]
fn a_length_beyond_the_limit_is_refused_before_anything_is_allocated() {
    let victim = Victim::alone(|_| {});
    bounded(0, || {
        closes(&victim, "4 GiB", b"\xff\xff\xff\xff\0");
        closes(&victim, "one over 16 MiB", b"\x01\0\0\x01\0");
    });
}

#[test]
fn a_stranger_may_send_little() {
    let victim = Victim::start();
    let payload = [&PING[5..PING.len() - 1], &[0; 100 << 10]].concat();
    let mut known = Peer::known(&victim);
    known.send_payload(&payload);
    known.ping();
    let mut stranger = Peer::stranger(&victim);
    stranger.send_payload(&payload);
    assert!(!stranger.closed(&victim).reason.is_normal());
    let mut stranger = Peer::stranger(&victim);
    stranger.send(&flagged_frame(1, &deflated(100 << 10)));
    assert!(!stranger.closed(&victim).reason.is_normal());
}

#[test]
fn a_deflate_bomb_is_cut_off_at_the_limit() {
    let bomb = deflated(256 << 20);
    let victim = Victim::alone(|_| {});
    bounded(16 << 20, || {
        closes(&victim, "256 MiB of zeros", &flagged_frame(1, &bomb));
        let cut = &bomb[..bomb.len() - 9];
        closes(&victim, "an unfinished bomb", &flagged_frame(1, cut));
    });
}

#[test]
fn what_cannot_be_inflated_closes() {
    let victim = Victim::start();
    closes(&victim, "garbage", &flagged_frame(1, b"garbage"));
    closes(&victim, "nothing", &flagged_frame(1, b""));
    let good = deflated(10);
    closes(
        &victim,
        "half of it",
        &flagged_frame(1, &good[..good.len() / 2]),
    );
}

#[test]
fn every_flag_but_zero_means_compressed() {
    let victim = Victim::start();
    let ping = zlib(&PING[5..PING.len() - 1]);
    for flag in [1, 2, 0x80, 0xff] {
        let mut peer = Peer::stranger(&victim);
        peer.send(&flagged_frame(flag, &ping));
        assert_eq!(
            peer.payload().unwrap()[..3],
            *b"\x02\x11\x50",
            "flag {flag}"
        );
    }
    closes(
        &victim,
        "a plain ping that says it is compressed",
        &flagged_frame(7, &PING[5..16]),
    );
}

#[test]
fn a_frame_without_its_newline_closes() {
    let victim = Victim::start();
    for last in [0, b'\r', 0xff] {
        let mut bytes = PING.to_vec();
        *bytes.last_mut().unwrap() = last;
        closes(&victim, "another last byte", &bytes);
    }
}

#[test]
fn empty_frames_are_ignored_but_not_for_ever() {
    let victim = Victim::start();
    for mut peer in [Peer::stranger(&victim), Peer::known(&victim)] {
        peer.send(&frame(b"").repeat(500));
        peer.ping();
        peer.send(&frame(b"").repeat(500));
        peer.ping();
    }
    closes(
        &victim,
        "nothing but empty frames",
        &frame(b"").repeat(2000),
    );
}

#[test]
fn other_protocols_are_turned_away_at_once() {
    let victim = Victim::start();
    for hello in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let mut peer = Peer::stranger(&victim);
        peer.send(hello);
        assert!(!peer.closed(&victim).reason.is_normal(), "{hello:?}");
    }
}

#[test]
fn another_dialect_in_the_middle_closes() {
    let victim = Victim::start();
    let legacy = frame(b"\x12\x51\x50\x11\x53\x11\x51\x02");
    let bound = frame(b"\0\0\x7f\0\0\0\0\x01\0\0\0\0\0\0\0\0\x01\x11\x50\x11\x53\x11\x51\x02");
    closes(
        &victim,
        "rpyc 5.3 or older behind 6",
        &[PING, &legacy].concat(),
    );
    closes(
        &victim,
        "bind_threads behind none",
        &[PING, &bound].concat(),
    );
    closes(
        &victim,
        "6 behind rpyc 5.3 or older",
        &[&legacy[..], PING].concat(),
    );
    closes(
        &victim,
        "none behind bind_threads",
        &[&bound[..], PING].concat(),
    );
}

/// So many zero bytes as a valid frame's payload: a PING with them, compressed.
fn deflated(zeros: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let length = u32::try_from(zeros).unwrap().to_be_bytes();
    let head = [&b"\x01\x11\x50\x11\x51\x11\x51\x10\x0f"[..], &length].concat();
    encoder.write_all(&head).unwrap();
    let block = vec![0; 1 << 20];
    let mut left = zeros;
    while left > 0 {
        let part = left.min(block.len());
        encoder.write_all(&block[..part]).unwrap();
        left -= part;
    }
    encoder.finish().unwrap()
}

fn zlib(payload: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(payload).unwrap();
    encoder.finish().unwrap()
}
