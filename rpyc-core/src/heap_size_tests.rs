//! What is counted for a value is what the allocator gave for it, within a factor of two.

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use proptest::prelude::*;

use crate::exception::Exception;
use crate::object::Any;
use crate::wire::{
    Boxed, Dialect, DumpedException, FrameBuf, FrameDecoder, Handler, Limits, Message,
    NamedException, Seq, Str, Value,
};

fn values() -> impl Strategy<Value = Value> {
    let leaves = prop_oneof![
        Just(Value::None),
        Just(Value::NotImplemented),
        Just(Value::Ellipsis),
        any::<bool>().prop_map(Value::from),
        any::<i128>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (1_u32..40).prop_map(|digits| num_bigint::BigInt::from(7).pow(digits * 50).into()),
        any::<f64>().prop_map(Value::from),
        (any::<f64>(), any::<f64>()).prop_map(|(re, im)| Value::Complex(re, im)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        (4_000_usize..20_000).prop_map(|length| vec![7; length].into()),
        (4_000_usize..20_000).prop_map(|length| "x".repeat(length).into()),
    ];
    leaves.prop_recursive(6, 100, 10, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..10).prop_map(Value::Tuple),
            prop::collection::vec(inner.clone(), 0..10).prop_map(Value::FrozenSet),
            [inner.clone(), inner.clone(), inner].prop_map(|parts| Value::Slice(Box::new(parts))),
        ]
    })
}

/// Each kind of value, many of it: none hides among others.
fn uniform() -> impl Strategy<Value = Value> {
    (values(), 1_usize..40).prop_map(|(value, count)| Value::Tuple(vec![value; count]))
}

fn exceptions() -> impl Strategy<Value = DumpedException> {
    let text = || prop_oneof!["[a-z]{0,40}", "[a-z]{3000,6000}"].prop_map(Str::from);
    let args = prop::collection::vec(values(), 0..20);
    let attrs = prop::collection::vec((text(), values()), 0..20);
    (text(), text(), args, attrs, text()).prop_map(|(module, class, args, attrs, traceback)| {
        DumpedException::Named(Box::new(NamedException {
            module,
            class,
            args,
            attrs,
            traceback,
        }))
    })
}

/// The message of a frame, and what it took to read it that is still there.
fn receive(frame: &[u8]) -> (Message, AllocationInfo) {
    let mut message = None;
    let allocated = measure(|| {
        let mut decoder = FrameDecoder::new(Limits::default());
        let mut rest = frame;
        while !rest.is_empty() {
            let space = decoder.space();
            let count = space.len().min(rest.len());
            let (now, later) = rest.split_at(count);
            space[..count].copy_from_slice(now);
            decoder.advance(count);
            rest = later;
        }
        let payload: Bytes = decoder.next_frame().unwrap().expect("a whole frame");
        drop(decoder);
        message = Message::decode(&payload, Dialect::V6, &Limits::default()).ok();
    });
    (message.expect("a message"), allocated)
}

#[track_caller]
fn agree(counted: usize, allocated: AllocationInfo) {
    // An allocator keeps some bytes of its own for each.
    let given = allocated.bytes_current + 16 * allocated.count_current;
    let counted = i64::try_from(counted).unwrap();
    let same = counted <= 2 * given && given <= 2 * counted;
    assert!(same, "{counted} bytes are counted, {given} were given");
}

fn request(value: &Value, compress: bool) -> Vec<u8> {
    let mut frames = FrameBuf::new();
    let (limits, seq) = (Limits::default(), Seq::new(1));
    let args = vec![Boxed::Value(value.clone())];
    let handler = Handler::Ping;
    Message::Request { seq, handler, args }
        .encode(&mut frames, Dialect::V6, &limits, compress)
        .unwrap();
    frames.slices().collect::<Vec<_>>().concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_received_value_counts_as_what_was_allocated_for_it(
        value in prop_oneof![values(), uniform()],
        compress in any::<bool>(),
    ) {
        let (message, allocated) = receive(&request(&value, compress));
        let Message::Request { args, .. } = message else { panic!("a request") };
        let counted = match args.as_slice() {
            [Boxed::Value(value)] => Any::Value(value.clone()).heap_size(),
            other => panic!("{other:?}"),
        };
        agree(counted + args.capacity() * size_of::<Boxed>() + 16, allocated);
    }

    #[test]
    fn a_received_exception_counts_as_what_was_allocated_for_it(
        exception in exceptions(),
        compress in any::<bool>(),
    ) {
        let mut frames = FrameBuf::new();
        let (limits, seq) = (Limits::default(), Seq::new(1));
        let message = Message::Exception { seq, exception };
        message.encode(&mut frames, Dialect::V6, &limits, compress).unwrap();
        let frame = frames.slices().collect::<Vec<_>>().concat();
        let (message, allocated) = receive(&frame);
        let Message::Exception { exception, .. } = message else { panic!("an exception") };
        agree(Exception::load(exception).heap_size(), allocated);
    }
}

#[test]
fn what_takes_much_more_memory_than_bytes_counts_as_what_it_takes() {
    let nothing = || Value::Slice(Box::new([Value::None, Value::None, Value::None]));
    let rows = [
        ("slices", nothing()),
        (
            "nested slices",
            Value::Slice(Box::new([nothing(), nothing(), nothing()])),
        ),
        ("single bytes", Value::from(vec![7])),
        ("ints of 20 digits", Value::from(u64::MAX)),
        (
            "texts of 25 bytes",
            Value::from("0123456789012345678901234"),
        ),
        ("tuples of one", Value::tuple([Value::None])),
        ("frozensets", Value::FrozenSet(vec![Value::None])),
    ];
    for (what, value) in rows {
        let many = Value::Tuple(vec![value; 50_000]);
        let (message, allocated) = receive(&request(&many, true));
        let Message::Request { args, .. } = message else {
            panic!("{what}: no request")
        };
        let counted = match args.as_slice() {
            [Boxed::Value(value)] => value.heap_size(),
            other => panic!("{other:?}"),
        };
        agree(counted, allocated);
    }
}
