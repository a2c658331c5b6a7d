//! What holds for every value, and for every sequence of bytes.

use bytes::Bytes;
use num_bigint::BigInt;
use proptest::prelude::*;
use rpyc_core::wire::{
    Boxed, ClassId, Dialect, DumpedException, FrameBuf, FrameDecoder, Handler, IdPack, InstanceId,
    Int, Limits, Message, NamedException, Seq, Str, Value, decode_value, decode_value_strict,
    encode_to_vec,
};

use crate::{
    bytes_of, frame,
    frames::{feed, feed_by},
    limits, vectors,
};

fn floats() -> impl Strategy<Value = f64> {
    // NaN differs from itself; the golden vectors have it.
    any::<u64>()
        .prop_map(f64::from_bits)
        .prop_filter("a number", |x| !x.is_nan())
}

fn ints() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-200_i64..300).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (any::<bool>(), prop::collection::vec(any::<u32>(), 0..40)).prop_map(
            |(negative, digits)| {
                let int = BigInt::from(num_bigint::BigUint::new(digits));
                Value::from(if negative { -int } else { int })
            }
        ),
    ]
}

fn leaves() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::None),
        Just(Value::NotImplemented),
        Just(Value::Ellipsis),
        any::<bool>().prop_map(Value::from),
        ints(),
        floats().prop_map(Value::from),
        (floats(), floats()).prop_map(|(re, im)| Value::Complex(re, im)),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        (4_000_usize..9_000, any::<u8>()).prop_map(|(length, byte)| vec![byte; length].into()),
        (4_000_usize..9_000).prop_map(|length| "\u{e9}".repeat(length / 2).into()),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    leaves().prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Tuple),
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::FrozenSet),
            [inner.clone(), inner.clone(), inner].prop_map(|parts| Value::Slice(Box::new(parts))),
        ]
    })
}

fn id_packs() -> impl Strategy<Value = IdPack> {
    (".{0,20}", any::<u64>(), any::<u64>())
        .prop_map(|(name, class, instance)| IdPack::new(name, ClassId(class), InstanceId(instance)))
}

fn boxed() -> impl Strategy<Value = Boxed> {
    let leaf = prop_oneof![
        values().prop_map(Boxed::Value),
        id_packs().prop_map(Boxed::LocalRef),
        id_packs().prop_map(Boxed::RemoteRef),
    ];
    leaf.prop_recursive(4, 20, 5, |inner| {
        prop::collection::vec(inner, 0..5).prop_map(Boxed::tuple)
    })
}

fn seqs() -> impl Strategy<Value = Seq> {
    prop_oneof![
        any::<u64>().prop_map(Seq::new),
        any::<i128>().prop_map(|int| Seq::from(Value::from(int))),
        Just(Seq::from(Value::None))
    ]
}

fn exceptions() -> impl Strategy<Value = DumpedException> {
    let text = || ".{0,30}".prop_map(Str::from);
    let named = (
        (text(), text()),
        prop::collection::vec(values(), 0..4),
        prop::collection::vec((text(), values()), 0..4),
        text(),
    )
        .prop_map(|((module, class), args, attrs, traceback)| {
            DumpedException::Named(Box::new(NamedException {
                module,
                class,
                args,
                attrs,
                traceback,
            }))
        });
    prop_oneof![
        Just(DumpedException::StopIteration),
        text().prop_map(DumpedException::Text),
        named
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        (seqs(), any::<i64>(), prop::collection::vec(boxed(), 0..5)).prop_map(
            |(seq, number, args)| {
                Message::Request {
                    seq,
                    handler: Handler::from_number(number % 40),
                    args,
                }
            }
        ),
        (seqs(), boxed()).prop_map(|(seq, result)| Message::Reply { seq, result }),
        (seqs(), exceptions()).prop_map(|(seq, exception)| Message::Exception { seq, exception }),
    ]
}

/// Bytes of which many are tags.
fn tag_soup() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0_u8..0x20, 0x50_u8..0x58, any::<u8>()], 0..200)
}

/// Golden bytes with some of them changed, cut off, or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let golden: Vec<Bytes> = [vectors::brine(), vectors::messages(), vectors::frames()]
        .into_iter()
        .flatten()
        .map(|row| row.bytes)
        .filter(|bytes| bytes.len() < 1_000)
        .collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4);
    (
        prop::sample::select(golden),
        prop::collection::vec(change, 1..5),
    )
        .prop_map(|(bytes, changes)| {
            let mut bytes = bytes.to_vec();
            for (place, byte, how) in changes {
                let place = place.index(bytes.len() + 1);
                match how {
                    0 => bytes.truncate(place),
                    1 => bytes.insert(place, byte),
                    _ => {
                        if let Some(changed) = bytes.get_mut(place) {
                            *changed = byte;
                        }
                    }
                }
            }
            bytes
        })
}

/// Whatever these bytes are, reading them ends.
fn read_as_anything(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    let limits = Limits::default();
    if let Ok(value) = decode_value(&payload, &limits) {
        // What was read can be written, and is then canonical.
        let written = Bytes::from(encode_to_vec(&value, &limits).unwrap());
        let again = decode_value_strict(&written, &limits).unwrap();
        assert_eq!(encode_to_vec(&again, &limits).unwrap(), written);
    }
    if let Ok(message) = Message::decode(&payload, Dialect::V6, &limits) {
        message
            .encode(&mut FrameBuf::new(), Dialect::V6, &limits, false)
            .unwrap();
    }
    let _ = Dialect::detect(bytes);
    let _ = feed(&mut FrameDecoder::new(limits), bytes);
}

proptest! {
    #[test]
    fn values_survive_the_wire(value in values()) {
        let bytes = Bytes::from(encode_to_vec(&value, &limits()).unwrap());
        prop_assert_eq!(decode_value_strict(&bytes, &limits()).unwrap(), value);
    }

    #[test]
    fn messages_survive_the_wire(message in messages(), compress in any::<bool>()) {
        let mut out = FrameBuf::new();
        message.encode(&mut out, Dialect::V6, &limits(), compress).unwrap();
        let frames = feed(&mut FrameDecoder::new(limits()), &bytes_of(&mut out)).unwrap();
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(Message::decode(&frames[0], Dialect::V6, &limits()).unwrap(), message);
    }

    #[test]
    fn frames_survive_any_cuts(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6_000), 0..8),
        step in 1_usize..5_000,
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| frame(payload)).collect();
        let frames = feed_by(&mut FrameDecoder::new(limits()), &stream, step).unwrap();
        prop_assert_eq!(frames, payloads);
    }

    #[test]
    fn id_packs_and_ints_survive_as_values(id_pack in id_packs(), int in any::<i128>()) {
        prop_assert_eq!(IdPack::from_value(&id_pack.to_value()).unwrap(), id_pack);
        let as_int = Int::from(int);
        prop_assert_eq!(as_int.to_string(), int.to_string());
        prop_assert_eq!(as_int.to_i64(), i64::try_from(int).ok());
        prop_assert_eq!(as_int.to_u64(), u64::try_from(int).ok());
    }

    #[test]
    fn digits_are_counted_right(int in ints()) {
        let int = int.as_int().unwrap();
        let digits = int.to_string().trim_start_matches('-').len();
        for limit in digits - 1..=digits + 1 {
            prop_assert_eq!(int.exceeds_digits(limit), digits > limit);
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_as_anything(&bytes);
    }

    #[test]
    fn arbitrary_tags_are_read_or_refused(bytes in tag_soup(), kind in 1_u8..=3) {
        read_as_anything(&bytes);
        read_as_anything(&[&[kind, 0x11, 0x55], bytes.as_slice()].concat());
    }

    #[test]
    fn golden_bytes_with_flaws_are_read_or_refused(bytes in mutated()) {
        read_as_anything(&bytes);
    }
}

#[test]
fn digits_around_powers_of_ten_are_counted_right() {
    let ten = BigInt::from(10);
    for exponent in 0..400 {
        let power = ten.pow(exponent);
        let expected = usize::try_from(exponent).unwrap();
        let has = |int: &Int, digits| int.exceeds_digits(digits - 1) && !int.exceeds_digits(digits);
        assert!(has(&Int::from(power.clone()), expected + 1));
        assert!(has(&Int::from(-&power), expected + 1));
        assert!(has(&Int::from(power - 1), expected.max(1)));
    }
    assert!(Int::from(i64::MIN).exceeds_digits(18) && !Int::from(i64::MIN).exceeds_digits(19));
}
