//! Any bytes as a boxed value: read straight from a reply, or as a value first, it is the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::codec::{Boxed, Dialect, Limits, Message, decode_value};

/// A reply to request 0, less its result.
const REPLY: [u8; 3] = [0x02, 0x11, 0x50];

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let reply = Bytes::from([&REPLY, data].concat());
    let straight = match Message::decode(&reply, Dialect::V6, &limits) {
        Ok(Message::Reply { result, .. }) => result,
        Ok(other) => panic!("a reply was read as {other:?}"),
        Err(_) => return,
    };
    let Ok(value) = decode_value(&Bytes::copy_from_slice(data), &limits) else {
        // The labels of nested tuples count as nesting here, and not there.
        return;
    };
    if let Ok(boxed) = Boxed::from_value(value, Dialect::V6, &limits) {
        assert_eq!(format!("{straight:?}"), format!("{boxed:?}"));
    }
});
