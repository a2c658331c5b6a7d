//! Every dialect, by what a peer who speaks it says first.

use bytes::Bytes;
use rpyc_core::wire::{Dialect, Envelope, Limits};

/// A first message, and what is said behind it that shows the rest. `tests/fuzz/seed.py` counts on the order.
const PEERS: [&[&[u8]]; 10] = [
    // rpyc 6 or rpyc-ng
    &[GETROOT_6],
    // a triple, and nothing known yet
    &[GETROOT],
    // id_packs, from Python 3 and from Python 2
    &[GETROOT, b"\x12\x52\x50\x11\x54\x12\x08\x0a\x61\x57\x58"],
    &[GETROOT, b"\x12\x52\x50\x11\x54\x12\x0a\x61\x57\x58"],
    // numbers, from Python 3
    &[GETROOT, NUMBER],
    // numbers that stand bare: from Python 3 and from Python 2
    &[GETROOT, NUMBER, BARE],
    &[GETROOT, b"\x12\x52\x50\x11\x54\x12\x57\x0a\x61\x0a\x61", BARE],
    // numbers that are boxed, from Python 3
    &[GETROOT, NUMBER, b"\x12\x51\x50\x11\x59\x11\x52\x10\x11\x53\x57"],
    // rpyc-ng: it has asked for a class
    &[GETROOT_6, b"\x01\x11\x50\x11\x67\x11\x51\x10\x13\x08\x0a\x61\x51\x52\x53"],
    // rpyc 6, known to be that
    &[GETROOT_6, b"\x02\x11\x50\x11\x54\x12\x08\x0a\x61\x51\x52"],
];

const GETROOT_6: &[u8] = b"\x01\x11\x50\x11\x53\x11\x51\x02";
const GETROOT: &[u8] = b"\x12\x51\x50\x11\x53\x11\x51\x02";
const NUMBER: &[u8] = b"\x12\x52\x50\x11\x54\x12\x57\x08\x0a\x61\x08\x0a\x61";
const BARE: &[u8] = b"\x12\x51\x50\x11\x59\x11\x51\x10\x57";

fn peer(byte: u8) -> &'static [&'static [u8]] {
    PEERS[usize::from(byte & 15) % PEERS.len()]
}

/// The dialect that the byte stands for: four bits for the peer, two for what it tells of threads.
pub fn dialect(byte: u8) -> Dialect {
    let peer = peer(byte);
    let threads = match byte >> 4 & 3 {
        0 => 0,
        // Only triples come with ids of 32 bits.
        1 if peer[0] == GETROOT => 8,
        _ => 16,
    };
    let first = [&vec![0; threads], peer[0]].concat();
    let mut dialect = Dialect::detect(&first).expect("a first message");
    for message in peer {
        dialect = dialect.learn(&Bytes::from_static(message), &Limits::default());
    }
    assert_eq!(dialect.has_threads(), threads != 0);
    dialect
}

/// The message in a payload, and the dialect once it is known.
#[allow(dead_code)] // one of the targets has no payloads
pub fn open(dialect: Dialect, payload: Bytes) -> Option<(Dialect, Bytes)> {
    let (_, message) = Envelope::open(dialect, payload).ok()?;
    Some((dialect.learn(&message, &Limits::default()), message))
}
