//! Bytes that are no value, or one that means harm, end with an error that says what was read and where.

use bytes::Bytes;
use rpyc_core::wire::{
    DecodeError, DecodeErrorKind, EncodeError, Limits, Value, decode_value, decode_value_strict,
    encode_to_vec,
};

use crate::{hex, limits};

fn decode(bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    decode_value(&Bytes::copy_from_slice(bytes), limits)
}

#[track_caller]
fn refused(digits: &str, offset: usize, kind: DecodeErrorKind) {
    let error = decode(&hex(digits), &limits()).unwrap_err();
    assert_eq!((error.offset, error.kind), (offset, kind), "{digits}");
}

#[track_caller]
fn accepted(digits: &str, expected: impl Into<Value>) {
    assert_eq!(
        decode(&hex(digits), &limits()).unwrap(),
        expected.into(),
        "{digits}"
    );
}

fn truncated(reading: &'static str, needed: usize, left: usize) -> DecodeErrorKind {
    DecodeErrorKind::Truncated {
        reading,
        needed,
        left,
    }
}

#[test]
fn deep_nesting_is_refused_before_it_hurts() {
    for opening in [
        &b"\x10"[..],
        b"\x1a\x10",
        b"\x19\x12",
        b"\x11\x00",
        b"\x14\x01",
        b"\x15\x00\x00\x00\x01",
    ] {
        let bytes = opening.repeat(500_000);
        let error = decode(&bytes, &limits()).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::TooDeep(100), "{opening:?}");
        // However generous the limit, no stack overflows.
        let error = decode(&bytes, &limits().max_depth(usize::MAX)).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::TooDeep(250), "{opening:?}");
    }
}

#[test]
fn the_deepest_value_is_read_compared_and_dropped_on_a_small_stack() {
    let work = || {
        let limits = limits().max_depth(usize::MAX);
        let mut bytes = vec![0x10; 250];
        bytes.push(0x02);
        let value = decode(&bytes, &limits).unwrap();
        assert_eq!(value.clone(), value);
        assert_eq!(encode_to_vec(&value, &limits).unwrap(), bytes);
        assert!(format!("{value:?}").len() > 250);
    };
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn what_is_sent_is_no_deeper_than_what_is_read() {
    for (opening, wrap) in [
        (
            &b"\x10"[..],
            (|value| Value::Tuple(vec![value])) as fn(Value) -> Value,
        ),
        (b"\x1a\x10", |value| Value::FrozenSet(vec![value])),
        (b"\x19\x12\x00\x00", |value| {
            Value::Slice(Box::new([Value::None, Value::None, value]))
        }),
    ] {
        for depth in [9, 10, 11] {
            let limits = limits().max_depth(10);
            let value = (0..depth).fold(Value::None, |value, _| wrap(value));
            let mut bytes = opening.repeat(depth);
            bytes.push(0);
            if depth <= 10 {
                assert_eq!(encode_to_vec(&value, &limits).unwrap(), bytes);
                assert_eq!(decode(&bytes, &limits).unwrap(), value);
            } else {
                assert_eq!(
                    encode_to_vec(&value, &limits),
                    Err(EncodeError::TooDeep(10))
                );
                assert_eq!(
                    decode(&bytes, &limits).unwrap_err().kind,
                    DecodeErrorKind::TooDeep(10)
                );
            }
        }
    }
}

#[test]
fn counts_and_lengths_are_compared_with_what_is_there() {
    refused(
        "15 ffffffff 00",
        5,
        DecodeErrorKind::CountExceedsInput {
            count: 0xffff_ffff,
            left: 1,
        },
    );
    refused(
        "14 05 00000000",
        2,
        DecodeErrorKind::CountExceedsInput { count: 5, left: 4 },
    );
    refused(
        "11 00",
        1,
        DecodeErrorKind::CountExceedsInput { count: 2, left: 1 },
    );
    // The inner tuple claims the byte that the outer one's second item needs.
    refused(
        "11 11 00 00",
        2,
        DecodeErrorKind::CountExceedsInput { count: 2, left: 1 },
    );
    refused("0f ffffffff 61", 5, truncated("bytes", 0xffff_ffff, 1));
    refused("08 0f ffffffff 61", 6, truncated("str", 0xffff_ffff, 1));
    refused("17 ffffffff 31", 5, truncated("int", 0xffff_ffff, 1));
}

#[test]
fn many_nested_counts_reserve_no_more_than_was_sent() {
    // A hundred tuples, each of which announces all of the rest.
    let mut bytes = Vec::new();
    for level in 0..100_u32 {
        bytes.push(0x15);
        bytes.extend_from_slice(&(500_000 - 5 * level).to_be_bytes());
    }
    bytes.resize(500_000 + 5, 0);
    let error = decode(&bytes, &limits()).unwrap_err();
    assert!(
        matches!(error.kind, DecodeErrorKind::CountExceedsInput { .. }),
        "{error}"
    );
    assert!(error.offset <= 10, "{error}");
}

#[test]
fn items_are_counted_over_the_whole_payload() {
    let limits = limits().max_items(10);
    let ten = Value::Tuple(vec![
        Value::tuple((0..4).map(Value::from)),
        Value::tuple((0..4).map(Value::from)),
    ]);
    let bytes = encode_to_vec(&ten, &limits).unwrap();
    assert_eq!(decode(&bytes, &limits).unwrap(), ten);
    let eleven = Value::Tuple(vec![ten]);
    assert_eq!(
        encode_to_vec(&eleven, &limits),
        Err(EncodeError::TooManyItems(10))
    );
    let bytes = encode_to_vec(&eleven, &Limits::default()).unwrap();
    assert_eq!(
        decode(&bytes, &limits).unwrap_err().kind,
        DecodeErrorKind::TooManyItems(10)
    );
}

#[test]
fn the_parts_of_a_slice_count_as_items() {
    let limits = limits().max_items(12);
    let slice = || Value::Slice(Box::new([Value::None, Value::None, Value::None]));
    let twelve = Value::tuple([slice(), slice(), slice()]);
    let bytes = encode_to_vec(&twelve, &limits).unwrap();
    assert_eq!(decode(&bytes, &limits).unwrap(), twelve);
    let thirteen = Value::tuple([slice(), slice(), slice(), Value::None]);
    assert_eq!(
        encode_to_vec(&thirteen, &limits),
        Err(EncodeError::TooManyItems(12))
    );
    let bytes = encode_to_vec(&thirteen, &Limits::default()).unwrap();
    assert_eq!(
        decode(&bytes, &limits).unwrap_err().kind,
        DecodeErrorKind::TooManyItems(12)
    );
}

#[test]
fn truncated_values_are_refused() {
    refused("", 0, truncated("value", 1, 0));
    refused("08", 1, truncated("str", 1, 0));
    refused("0a", 1, truncated("bytes", 1, 0));
    refused("0d 616263", 1, truncated("bytes", 4, 3));
    refused("0e", 1, truncated("bytes", 1, 0));
    refused("0e 02 61", 2, truncated("bytes", 2, 1));
    refused("0f 0000", 1, truncated("bytes", 4, 2));
    refused("16", 1, truncated("int", 1, 0));
    refused("16 03 3131", 2, truncated("int", 3, 2));
    refused("17 000000", 1, truncated("int", 4, 3));
    refused("18 00000000000000", 1, truncated("float", 8, 7));
    refused("1b 0000000000000000 00", 9, truncated("complex", 8, 1));
    refused("19", 1, truncated("slice", 1, 0));
    let three = DecodeErrorKind::CountExceedsInput { count: 3, left: 2 };
    refused("19 12 00 00", 2, three);
    refused("1a", 1, truncated("frozenset", 1, 0));
    refused("14", 1, truncated("tuple", 1, 0));
    refused("15 0000", 1, truncated("tuple", 4, 2));
}

#[test]
fn every_prefix_of_what_python_wrote_is_refused() {
    for row in crate::vectors::brine()
        .iter()
        .filter(|row| row.bytes.len() < 600)
    {
        for length in 0..row.bytes.len() {
            decode(&row.bytes[..length], &limits()).expect_err(row.name);
        }
    }
}

#[test]
fn what_follows_the_value_is_ignored_unless_asked_for() {
    accepted("51 ff ff", 1);
    let error = decode_value_strict(&Bytes::from_static(b"\x51\xff\xff"), &limits()).unwrap_err();
    assert_eq!(
        (error.offset, error.kind),
        (1, DecodeErrorKind::TrailingBytes(2))
    );
    assert_eq!(
        decode_value_strict(&Bytes::from_static(b"\x51"), &limits()).unwrap(),
        1.into()
    );
}

#[test]
fn unknown_tags_are_refused_wherever_they_stand() {
    for tag in [0x07].into_iter().chain(0x1c..=0x1f).chain(0xf0..=0xff) {
        let error = decode(&[tag], &limits()).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (0, DecodeErrorKind::UnknownTag(tag))
        );
        let error = decode(&[0x11, 0x00, tag], &limits()).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (2, DecodeErrorKind::UnknownTag(tag))
        );
    }
}

#[test]
fn a_long_of_python_2_is_an_int() {
    // As Python 2 sends them, whatever their size.
    accepted("09 55", 5);
    accepted("09 16 03 323030", 200);
    accepted("09 17 00000002 3737", 77);
    accepted("09 0a 35", 5);
    accepted("09 0e 05 2d31323334", -1234);
    accepted("09 0f 00000002 3737", 77);
    refused("09 01", 2, DecodeErrorKind::InvalidInt);
    refused(
        "09 08 0a 35",
        1,
        DecodeErrorKind::UnexpectedTag {
            reading: "int",
            found: 0x08,
        },
    );
}

#[test]
fn ints_are_decimal_digits_and_nothing_else() {
    for text in [
        "", "-", "--1", "+5", " 5", "5 ", "1_000", "1.0", "1e3", "0x1", "\u{663}", "5\0", "-+1",
        "5\n",
    ] {
        let mut bytes = vec![0x16, u8::try_from(text.len()).unwrap()];
        bytes.extend_from_slice(text.as_bytes());
        let error = decode(&bytes, &limits()).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (2, DecodeErrorKind::InvalidInt),
            "{text:?}"
        );
    }
    accepted("16 01 35", 5);
    accepted("16 03 303037", 7);
    accepted("16 02 2d30", 0);
    accepted("17 00000002 3432", 42);
    // Around the ends of 64 bits.
    accepted(
        "16 12 393939393939393939393939393939393939",
        999_999_999_999_999_999_i64,
    );
    accepted(
        "16 13 31303030303030303030303030303030303030",
        1_000_000_000_000_000_000_i64,
    );
    accepted("16 13 39323233333732303336383534373735383037", i64::MAX);
    accepted("16 14 2d39323233333732303336383534373735383038", i64::MIN);
    accepted("16 13 39323233333732303336383534373735383038", 1_u64 << 63);
    accepted("16 16 30303030303030303030303030303030303030303031", 1);
}

#[test]
fn the_digits_of_an_int_are_counted_before_it_is_read() {
    let with = |text: &str| {
        let mut bytes = vec![0x17];
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        decode(&bytes, &limits())
    };
    assert_eq!(
        with(&"9".repeat(100_000)).unwrap_err().kind,
        DecodeErrorKind::IntTooLong {
            digits: 100_000,
            limit: 4_300
        }
    );
    assert!(with(&"9".repeat(4_301)).is_err());
    assert!(with(&"9".repeat(4_300)).is_ok());
    // The sign is no digit.
    assert!(with(&format!("-{}", "9".repeat(4_300))).is_ok());
}

#[test]
fn an_int_too_long_for_a_python_peer_is_not_sent() {
    let ten = num_bigint::BigInt::from(10);
    let encode = |int| encode_to_vec(&Value::from(int), &limits());
    let error = Err(EncodeError::IntTooLong(4_300));
    assert!(encode(ten.pow(4_300) - 1).is_ok());
    assert!(encode(1 - ten.pow(4_300)).is_ok());
    assert_eq!(encode(ten.pow(4_300)), error);
    assert_eq!(encode(-ten.pow(4_300)), error);
    assert_eq!(encode(ten.pow(100_000)), error);
}

#[test]
fn a_str_is_utf8_in_a_bytes_value() {
    let utf8 = |digits| refused(digits, 1, DecodeErrorKind::InvalidUtf8);
    utf8("08 0b fffe");
    utf8("08 0c eda080");
    utf8("08 0b c080");
    utf8("08 0c e28241");
    utf8("08 0a 80");
    let long = [&[0x08, 0x0f, 0, 0, 0x20, 0][..], &[b'a'; 8_191], &[0xff]].concat();
    assert_eq!(
        decode(&long, &limits()).unwrap_err().kind,
        DecodeErrorKind::InvalidUtf8
    );
    for tag in [0x00, 0x02, 0x08, 0x10, 0x16, 0x18, 0x51, 0xff] {
        let error = decode(&[0x08, tag, 0, 0, 0], &limits()).unwrap_err();
        assert_eq!(
            (error.offset, error.kind),
            (
                1,
                DecodeErrorKind::UnexpectedTag {
                    reading: "str",
                    found: tag
                }
            )
        );
    }
    accepted("08 0c 610062", "a\0b");
}

#[test]
fn frozensets_and_slices_are_made_of_tuples() {
    refused(
        "1a 0a61",
        1,
        DecodeErrorKind::UnexpectedTag {
            reading: "frozenset",
            found: 0x0a,
        },
    );
    refused(
        "1a 1a02",
        1,
        DecodeErrorKind::UnexpectedTag {
            reading: "frozenset",
            found: 0x1a,
        },
    );
    refused(
        "19 00",
        1,
        DecodeErrorKind::UnexpectedTag {
            reading: "slice",
            found: 0x00,
        },
    );
    let count = |found| DecodeErrorKind::WrongCount {
        reading: "slice",
        expected: 3,
        found,
    };
    refused("19 02", 1, count(0));
    refused("19 11 0000", 1, count(2));
    refused("19 15 ffffffff", 1, count(0xffff_ffff));
    accepted(
        "19 14 03 51 52 53",
        Value::Slice(Box::new([1.into(), 2.into(), 3.into()])),
    );
}

#[test]
fn an_error_says_what_was_read_and_where() {
    let error = decode(&hex("11 00 0d 616263"), &limits()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bytes needs 4 bytes and 3 are left, at byte 3 of the payload"
    );
}
