//! Any bytes as a dumped exception: within the limits, and stable once it is.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpyc_core::wire::{DumpedException, Limits, decode_value};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default().max_traceback(256).max_exception_items(8);
    let Ok(value) = decode_value(&Bytes::copy_from_slice(data), &limits) else {
        return;
    };
    let Ok(exception) = DumpedException::from_value(value, &limits) else {
        return;
    };
    if let DumpedException::Named(named) = &exception {
        assert!(named.args.len() <= 8 && named.attrs.len() <= 8);
        assert!(named.traceback.len() <= 256);
    }
    let dumped = exception.to_value(&limits);
    let again = DumpedException::from_value(dumped.clone(), &limits).expect("our own value");
    assert_eq!(format!("{:?}", again.to_value(&limits)), format!("{dumped:?}"));
});
