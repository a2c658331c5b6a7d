//! What Python wrote is read as what it was, and written again byte by byte.

use bytes::Bytes;
use num_bigint::BigInt;
use rpyc_core::wire::{
    DumpedException, FrameDecoder, Message, Str, Value, decode_value_strict, encode_to_vec,
};

use crate::{bytes_of, frame, limits, vectors};
use rpyc_core::wire::{Dialect, FrameBuf};

#[test]
fn every_value_python_wrote_is_written_again_alike() {
    for row in vectors::brine().iter().chain(&vectors::exceptions()) {
        let value = decode_value_strict(&row.bytes, &limits())
            .unwrap_or_else(|e| panic!("{}: {e}", row.name));
        assert_eq!(
            encode_to_vec(&value, &limits()).unwrap(),
            row.bytes,
            "{}",
            row.name
        );
    }
}

#[test]
fn every_message_python_wrote_is_written_again_alike() {
    for row in vectors::messages() {
        let message = Message::decode(&row.bytes, Dialect::V6, &limits())
            .unwrap_or_else(|e| panic!("{}: {e}", row.name));
        let mut out = FrameBuf::new();
        message
            .encode(&mut out, Dialect::V6, &limits(), false)
            .unwrap();
        assert_eq!(bytes_of(&mut out), frame(&row.bytes), "{}", row.name);
    }
}

#[test]
fn every_exception_python_wrote_is_understood() {
    for row in vectors::exceptions() {
        let value = decode_value_strict(&row.bytes, &limits()).unwrap();
        let exception = DumpedException::from_value(value.clone(), &limits()).unwrap();
        assert_eq!(exception.to_value(&limits()), value, "{}", row.name);
        let DumpedException::Named(named) = exception else {
            assert!(row.name.starts_with("stop_iteration"), "{}", row.name);
            continue;
        };
        let denied = row.name.ends_with("_denied");
        let version = if denied { "<version denied>" } else { "6.0.2" };
        assert_eq!(
            named.attrs.last().unwrap(),
            &(Str::from("_remote_version"), version.into())
        );
        assert_eq!(
            named.traceback == "<traceback denied>",
            denied,
            "{}",
            row.name
        );
    }
}

#[test]
fn the_parts_of_an_exception_are_where_python_put_them() {
    let rows = vectors::exceptions();
    let value = decode_value_strict(&vectors::find(&rows, "os_error"), &limits()).unwrap();
    let Ok(DumpedException::Named(error)) = DumpedException::from_value(value, &limits()) else {
        panic!("not a named exception");
    };
    assert_eq!(
        (error.module.as_str(), error.class.as_str()),
        ("builtins", "FileNotFoundError")
    );
    assert_eq!(error.args, [Value::from(2), "No such file".into()]);
    assert!(error.attrs.contains(&("errno".into(), 2.into())));
    assert!(error.attrs.contains(&("filename".into(), "x.txt".into())));
    assert!(
        error
            .traceback
            .starts_with("Traceback (most recent call last):\n")
    );
    assert!(
        error
            .traceback
            .ends_with("FileNotFoundError: [Errno 2] No such file: 'x.txt'\n")
    );
}

#[test]
fn every_frame_python_wrote_is_read() {
    let payloads: [(&str, Vec<u8>); 9] = [
        ("empty", vec![]),
        ("one_byte", b"x".to_vec()),
        ("newline", b"\n".to_vec()),
        ("plain_3000", b"ab".repeat(1500)),
        (
            "plain_3001_uncompressed",
            [b"ab".repeat(1500), b"c".to_vec()].concat(),
        ),
        (
            "compressed_3001",
            [b"ab".repeat(1500), b"c".to_vec()].concat(),
        ),
        ("compressed_zeros_100000", vec![0; 100_000]),
        (
            "compressed_brine",
            encode_to_vec(&Value::tuple((0..2000).map(Value::from)), &limits()).unwrap(),
        ),
        ("plain_all_bytes", (0..=255).collect()),
    ];
    let rows = vectors::frames();
    for (name, payload) in payloads {
        let bytes = vectors::find(&rows, name);
        let flag = u8::from(name.starts_with("compressed"));
        assert_eq!(bytes[4], flag, "{name}");
        let mut decoder = FrameDecoder::new(limits());
        assert_eq!(
            crate::frames::feed(&mut decoder, &bytes).unwrap(),
            [Bytes::from(payload.clone())],
            "{name}"
        );
        assert_eq!(decoder.offset(), u64::try_from(bytes.len()).unwrap());
        if flag == 0 {
            assert_eq!(bytes, frame(&payload), "{name}");
        }
    }
}

#[test]
fn what_python_wrote_means_what_it_meant() {
    let rows = vectors::brine();
    for (name, expected) in expected_values() {
        let value = decode_value_strict(&vectors::find(&rows, name), &limits()).unwrap();
        assert_eq!(value, expected, "{name}");
    }
    for (name, bits) in [
        ("float_nan", 0x7ff8_0000_0000_0000_u64),
        ("float_minus_nan", 0xfff8_0000_0000_0000),
        ("float_nan_with_payload", 0x7ff8_0000_00c0_ffee),
        ("float_minus_zero", 1 << 63),
    ] {
        let value = decode_value_strict(&vectors::find(&rows, name), &limits()).unwrap();
        let Value::Float(float) = value else {
            panic!("{name}: {value}")
        };
        assert_eq!(float.to_bits(), bits, "{name}");
    }
}

fn expected_values() -> Vec<(&'static str, Value)> {
    let int = |text: &str| Value::from(text.parse::<BigInt>().unwrap());
    let letters = |n: usize| ('a'..='z').cycle().take(n).collect::<String>();
    let bytes = |n: usize| Value::from((0..=250).cycle().take(n).collect::<Vec<u8>>());
    let range = |n: i64| (0..n).map(Value::from);
    let mut deep = Value::Tuple(vec![]);
    for _ in 0..64 {
        deep = Value::Tuple(vec![deep]);
    }
    vec![
        ("none", Value::None),
        ("true", true.into()),
        ("false", false.into()),
        ("not_implemented", Value::NotImplemented),
        ("ellipsis", Value::Ellipsis),
        ("int_0", 0.into()),
        ("int_159", 159.into()),
        ("int_160", 160.into()),
        ("int_minus_48", (-48).into()),
        ("int_minus_49", (-49).into()),
        ("int_1000", 1000.into()),
        ("int_2_to_62_even", (1_i64 << 62).into()),
        ("int_2_to_63_less_1", i64::MAX.into()),
        ("int_2_to_63_even", (1_u64 << 63).into()),
        ("int_2_to_64_less_1", u64::MAX.into()),
        ("int_2_to_64_even", int("18446744073709551616")),
        ("int_minus_2_to_63_even", i64::MIN.into()),
        ("int_minus_2_to_63_less_1", int("-9223372036854775809")),
        ("int_2_to_128_less_1", u128::MAX.into()),
        ("int_of_4300_digits", int(&"9".repeat(4300))),
        (
            "int_minus_of_256_digits",
            int(&format!("-{}", "9".repeat(256))),
        ),
        ("float_zero", 0.0.into()),
        ("float_tenth", 0.1.into()),
        ("float_pi", std::f64::consts::PI.into()),
        ("float_max", f64::MAX.into()),
        ("float_min_subnormal", f64::from_bits(1).into()),
        ("float_minus_inf", f64::NEG_INFINITY.into()),
        ("complex_1_minus_2", Value::Complex(1.0, -2.0)),
        ("bytes_of_0", bytes(0)),
        ("bytes_of_1", bytes(1)),
        ("bytes_of_4", bytes(4)),
        ("bytes_of_5", bytes(5)),
        ("bytes_of_255", bytes(255)),
        ("bytes_of_256", bytes(256)),
        ("bytes_of_5000", bytes(5000)),
        ("str_of_0", "".into()),
        ("str_of_3", "abc".into()),
        ("str_of_255", letters(255).into()),
        ("str_of_256", letters(256).into()),
        ("str_of_5000", letters(5000).into()),
        ("str_mixed", "a\u{e9}\u{20ac}\u{1f600}z".into()),
        ("str_nul", "a\0b".into()),
        ("str_last", "\u{10ffff}".into()),
        ("tuple_of_0", Value::Tuple(vec![])),
        ("tuple_of_4", Value::tuple(range(4))),
        ("tuple_of_5", Value::tuple(range(5))),
        ("tuple_of_255", Value::tuple(range(255))),
        ("tuple_of_256", Value::tuple(range(256))),
        ("tuple_64_deep", deep),
        (
            "tuple_mixed",
            Value::Tuple(vec![
                Value::None,
                true.into(),
                1.into(),
                1.5.into(),
                "x".into(),
                b"y".to_vec().into(),
                Value::Tuple(vec![]),
                Value::Tuple(vec![Value::Tuple(vec![])]),
                Value::Ellipsis,
                Value::NotImplemented,
                Value::Complex(0.0, 2.0),
            ]),
        ),
        (
            "tuple_bools_and_ints",
            Value::Tuple(vec![true.into(), 1.into(), false.into(), 0.into()]),
        ),
        ("frozenset_empty", Value::FrozenSet(vec![])),
        ("frozenset_of_one", Value::FrozenSet(vec!["x".into()])),
        ("frozenset_of_ints", Value::FrozenSet(range(5).collect())),
        ("slice_stop", slice(Value::None, 3.into(), Value::None)),
        ("slice_full", slice(1.into(), 10.into(), 2.into())),
        (
            "slice_of_tuples",
            slice(Value::tuple([1.into(), 2.into()]), "b".into(), 2.5.into()),
        ),
        (
            "slice_in_slice",
            slice(
                slice(Value::None, 1.into(), Value::None),
                Value::None,
                Value::None,
            ),
        ),
    ]
}

fn slice(start: Value, stop: Value, step: Value) -> Value {
    Value::Slice(Box::new([start, stop, step]))
}

#[test]
fn values_print_as_python_prints_them() {
    let rows: [(Value, &str); 9] = [
        (Value::None, "None"),
        (Value::from(true), "True"),
        (Value::from(-7), "-7"),
        (Value::from(1.0), "1.0"),
        (Value::from("it's\n"), "\"it's\\n\""),
        (Value::from(vec![0u8, b'a']), "b'\\x00a'"),
        (Value::Tuple(vec![Value::from(1)]), "(1,)"),
        (Value::Tuple(vec![]), "()"),
        (Value::FrozenSet(vec![Value::from("a")]), "frozenset({'a'})"),
    ];
    for (value, expected) in rows {
        assert_eq!(value.to_string(), expected);
    }
}
