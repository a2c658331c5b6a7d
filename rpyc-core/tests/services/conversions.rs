//! Rust's types to what crosses the API, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use proptest::prelude::*;
use rpyc_core::object::{Dict, List};
use rpyc_core::wire::Int;
use rpyc_core::{Any, Exception, FromAny, IntoAny, Value};

fn round_trip<T: FromAny + IntoAny + Clone + PartialEq + Debug>(value: &T) {
    let any = value.clone().into_any().expect("it can be sent");
    assert_eq!(&T::from_any(any).expect("it is of its own type"), value);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn numbers_and_text_come_back_as_they_were(
        numbers: (i8, u16, i32, u64, i64, i128, u128),
        float in -1e300..1e300,
        text: String,
        letter: char,
        flag: bool,
    ) {
        round_trip(&numbers);
        round_trip(&float);
        round_trip(&text);
        round_trip(&letter);
        round_trip(&flag);
    }

    #[test]
    fn containers_come_back_as_they_were(
        bytes: Vec<u8>,
        list: Vec<Option<i64>>,
        nested: Vec<(String, Vec<bool>)>,
        set: BTreeSet<String>,
        map: HashMap<String, i64>,
        sorted: BTreeMap<i32, Vec<u8>>,
        three: [u32; 3],
    ) {
        round_trip(&bytes);
        round_trip(&list);
        round_trip(&nested);
        round_trip(&set);
        round_trip(&map);
        round_trip(&sorted);
        round_trip(&three);
    }

    #[test]
    fn an_int_that_does_not_fit_is_never_cut_off(number: i128) {
        let any = || Any::from(Int::from(number));
        prop_assert_eq!(u8::from_any(any()).ok(), u8::try_from(number).ok());
        prop_assert_eq!(i64::from_any(any()).ok(), i64::try_from(number).ok());
        prop_assert_eq!(u64::from_any(any()).ok(), u64::try_from(number).ok());
        prop_assert_eq!(u128::from_any(any()).ok(), u128::try_from(number).ok());
    }
}

#[track_caller]
fn refuses<T: FromAny + Debug>(any: impl Into<Any>, message: &str) {
    let error = T::from_any(any.into()).expect_err("it is of another type");
    assert_eq!(Exception::from(error).to_string(), message);
}

#[test]
fn what_is_of_another_type_is_refused_with_both_names() {
    refuses::<i64>("x", "TypeError: the value must be int, not str");
    refuses::<i64>(1.5, "TypeError: the value must be int, not float");
    refuses::<bool>(1, "TypeError: the value must be bool, not int");
    refuses::<String>(vec![1_u8], "TypeError: the value must be str, not bytes");
    refuses::<f64>("1", "TypeError: the value must be float, not str");
    refuses::<u8>(256, "OverflowError: the value is out of range for u8");
    refuses::<Vec<i64>>(1, "TypeError: the value must be iterable, not int");
    refuses::<char>("ab", "ValueError: the value must be a single character");
    refuses::<HashMap<String, i64>>(1, "TypeError: the value must be dict, not int");
    let pair = Value::tuple([Value::from(1), Value::from("x")]);
    refuses::<(i64, i64)>(pair.clone(), "TypeError: item 1 must be int, not str");
    refuses::<(i64,)>(pair, "ValueError: the value must have 1 items, not 2");
}

#[test]
fn an_int_is_taken_for_a_float_and_a_bool_for_an_int_as_in_python() {
    assert_eq!(f64::from_any(Any::from(2)).ok(), Some(2.0));
    assert_eq!(i64::from_any(Any::from(true)).ok(), Some(1));
}

#[test]
fn a_vec_crosses_in_one_piece_and_a_vec_of_bytes_as_bytes() {
    let tuple = vec![1, 2].into_any().expect("ints can be sent");
    assert_eq!(
        tuple.as_value(),
        Some(&Value::tuple([Value::from(1), Value::from(2)]))
    );
    let bytes = vec![1_u8, 2].into_any().expect("bytes can be sent");
    assert_eq!(bytes.as_value(), Some(&Value::from(vec![1_u8, 2])));
}

#[test]
fn an_error_is_raised_instead_of_a_result() {
    let parsed = "x".parse::<i64>().into_any();
    assert!(parsed.is_err_and(|error| error.is("ValueError")));
    let fine = "7".parse::<i64>().into_any().expect("a number");
    assert_eq!(fine.as_value(), Some(&Value::from(7)));
}

#[test]
fn handles_of_lists_and_dicts_share_what_they_hold() {
    let list = List::of(["tea"]).expect("texts can be sent");
    let same = list.clone();
    same.push(3).expect("a number can be sent");
    assert_eq!(list.len(), 2);
    assert_eq!(
        Vec::<Any>::from_any(Any::from(list))
            .map(|items| items.len())
            .ok(),
        Some(2)
    );
    let dict = Dict::new();
    dict.insert(1, "one").expect("it is hashable");
    let one = dict
        .get(1.0)
        .expect("it is hashable")
        .expect("1.0 is the key 1");
    assert_eq!(one.as_str(), Some("one"));
    let slice = Value::Slice(Box::new([Value::None, Value::None, Value::None]));
    assert!(
        dict.insert(slice, 1)
            .is_err_and(|error| error.is("TypeError"))
    );
    assert!(dict.remove(true).expect("it is hashable").is_some());
    assert!(dict.is_empty());
}
