//! Large values share the buffer of their frame, small ones never keep it alive; and the types stay small.

use bytes::Bytes;
use rpyc_core::wire::{Boxed, DecodeError, EncodeError, Value, decode_value, encode_to_vec};

use crate::limits;

/// Whether the value read from a payload lies within that payload.
fn shares(value: &Value) -> bool {
    let payload = Bytes::from(encode_to_vec(value, &limits()).unwrap());
    let within = |start: *const u8| payload.as_ptr_range().contains(&start);
    let first = |value: &Value| match value {
        Value::Bytes(bytes) => within(bytes.as_ptr()),
        Value::Str(text) => within(text.as_ptr()),
        other => panic!("{other:?}"),
    };
    match decode_value(&payload, &limits()).unwrap() {
        Value::Tuple(items) => first(&items[0]),
        value => first(&value),
    }
}

#[test]
fn what_is_most_of_a_frame_shares_its_buffer() {
    assert!(shares(&vec![0; 4_096].into()));
    assert!(shares(&"x".repeat(4_096).into()));
    assert!(shares(&Value::tuple([
        vec![0; 10_000].into(),
        vec![0; 9_000].into()
    ])));
}

#[test]
fn a_small_value_does_not_keep_a_frame_alive() {
    assert!(!shares(&vec![0; 4_095].into()));
    assert!(!shares(&"x".repeat(4_095).into()));
    assert!(!shares(&Value::tuple([
        vec![0; 10_000].into(),
        vec![0; 10_100].into()
    ])));
    assert!(!shares(&Value::tuple([
        "x".repeat(10_000).into(),
        vec![0; 10_100].into()
    ])));
}

#[test]
fn values_and_errors_stay_small() {
    assert!(size_of::<Value>() <= 40, "{}", size_of::<Value>());
    assert!(size_of::<Boxed>() <= 72, "{}", size_of::<Boxed>());
    assert!(
        size_of::<DecodeError>() <= 48,
        "{}",
        size_of::<DecodeError>()
    );
    assert!(
        size_of::<EncodeError>() <= 24,
        "{}",
        size_of::<EncodeError>()
    );
}

#[test]
fn everything_can_go_to_another_thread() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Value>();
    check::<Boxed>();
    check::<rpyc_core::wire::Message>();
    check::<rpyc_core::wire::MessageError>();
    check::<rpyc_core::wire::FrameBuf>();
    check::<rpyc_core::wire::FrameDecoder>();
    check::<rpyc_core::wire::FrameError>();
}
