//! Any bytes into a value: what is read can be written, and is read back as the same bytes.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::wire::{Limits, decode_value, encode_to_vec};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let Ok(value) = decode_value(&Bytes::copy_from_slice(data), &limits) else {
        return;
    };
    let _ = format!("{value} {value:?}");
    let written = encode_to_vec(&value, &limits).expect("what is within the limits can be sent");
    let again = decode_value(&Bytes::from(written.clone()), &limits).expect("our own bytes");
    // Compared as bytes: a NaN isn't equal to itself.
    assert_eq!(encode_to_vec(&again, &limits).as_deref(), Ok(&*written));
});
