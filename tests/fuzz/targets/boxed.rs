//! Any bytes as a boxed value of any dialect: read straight from a reply, or as a value first, it is the same.
#![no_main]

mod dialects;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::wire::{Boxed, Limits, Message, decode_value};

/// A reply to request 0, less its result: in rpyc 6, and before.
const PAIR: &[u8] = &[0x02, 0x11, 0x50];
const TRIPLE: &[u8] = &[0x12, 0x52, 0x50];

fuzz_target!(|data: &[u8]| {
    let Some((&byte, data)) = data.split_first() else {
        return;
    };
    let limits = Limits::default();
    let reply = if dialects::has_pairs(byte) { PAIR } else { TRIPLE };
    let reply = Bytes::from([reply, data].concat());
    let dialect = dialects::dialect(byte).learn(&reply, &limits);
    let straight = match Message::decode(&reply, dialect, &limits) {
        Ok(Message::Reply { result, .. }) => result,
        Ok(other) => panic!("a reply was read as {other:?}"),
        Err(_) => return,
    };
    let Ok(value) = decode_value(&Bytes::copy_from_slice(data), &limits) else {
        // The labels of nested tuples count as nesting here, and not there.
        return;
    };
    if let Ok(boxed) = Boxed::from_value(value, dialect, &limits) {
        assert_eq!(format!("{straight:?}"), format!("{boxed:?}"));
    }
});
