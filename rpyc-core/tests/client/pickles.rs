//! Pickles that a peer answers with are data, whatever their bytes say; and what is written as one.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use proptest::prelude::*;
use rpyc_core::by_value::{ByValue, from_value, to_value};
use rpyc_core::object::{IdParts, List, ObjectResult};
use rpyc_core::*;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::objects::{client_of, offering};

/// What gives these bytes as its pickle.
struct Pickled(Bytes);

impl Object for Pickled {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("tests.Pickled", self)
    }

    fn pickle(&self, _: &Context<'_>, _: i64) -> ObjectResult<Bytes> {
        Ok(self.0.clone())
    }
}

fn obtained<T: DeserializeOwned>(pickle: impl Into<Bytes>) -> Result<T, String> {
    let pickle = pickle.into();
    let service = offering(move |_, _, _| Ok(Any::object(Pickled(pickle.clone()))));
    let config = Config::new().allow_pickle(true);
    let (conn, _) = client_of(service, config, Config::default());
    let text = |error: Error| error.to_string();
    let pickled = conn.root().map_err(text)?.call(args![]).map_err(text)?;
    pickled.obtain().map_err(text)
}

#[test]
fn a_python_pickle_of_every_plain_kind_is_read() {
    // pickle.dumps([None, True, 7, -300, 1 << 40, 2.5, "é", b"x", (1, 2), {"k": [1]}, {3}], 4)
    let pickle = b"\x80\x04\x95A\0\0\0\0\0\0\0]\x94(N\x88K\x07J\xd4\xfe\xff\xff\x8a\x06\0\0\0\0\0\x01G@\x04\0\0\0\0\0\0\x8c\x02\xc3\xa9\x94C\x01x\x94K\x01K\x02\x86\x94}\x94\x8c\x01k\x94]\x94K\x01as\x8f\x94(K\x03\x90e.";
    type All = (
        Option<u8>,
        bool,
        u8,
        i32,
        u64,
        f64,
        String,
        CString, // which asks for bytes
        (u8, u8),
        HashMap<String, Vec<u8>>,
        Vec<u8>,
    );
    let all: All = obtained(pickle.as_slice()).expect("plain data");
    assert_eq!((all.0, all.1, all.2, all.3), (None, true, 7, -300));
    assert_eq!((all.4, all.5, &*all.6), (1 << 40, 2.5, "é"));
    assert_eq!((all.7.as_bytes(), all.8), (&b"x"[..], (1, 2)));
    assert_eq!((&all.9["k"], all.10), (&vec![1], vec![3]));
}

#[test]
fn what_names_a_class_is_refused_by_its_name() {
    // cposix\nsystem\n, the argument "true", called
    let pickle = b"cposix\nsystem\n\x8c\x04true\x85R.";
    let error = obtained::<String>(pickle.as_slice()).expect_err("a call");
    assert!(error.contains("posix.system"), "{error}");
}

#[test]
fn sharing_without_end_and_nesting_without_end_are_refused() {
    // Each list holds the one before it ten times over.
    let mut laughs = b"\x80\x04]\x94".to_vec();
    for level in 0..12_u8 {
        laughs.extend(b"](");
        for _ in 0..10 {
            laughs.extend([b'h', level]);
        }
        laughs.extend(b"e\x94");
    }
    laughs.push(b'.');
    let mut deep = b"]".repeat(100_000);
    deep.extend(b"a".repeat(99_999));
    deep.push(b'.');
    let within_itself = b"]\x94h\0a.".to_vec();
    for (pickle, because) in [
        (laughs, "unfolds to too much"),
        (deep, "nested too deep"),
        (within_itself, "nested too deep"),
    ] {
        let error = obtained::<IgnoredAny>(pickle).expect_err(because);
        assert!(error.contains(because), "{error}");
    }
}

#[test]
fn a_large_pickle_unfolds_no_further_than_any_may() {
    // 5 MiB that could grow 256 times, beyond 1 GiB: a list of 1,000 lists of the same 40,000 numbers, padded.
    let mut pickle = b"\x80\x04(".to_vec();
    pickle.extend(b"K\x01".repeat(40_000));
    pickle.extend(b"l\x94(");
    pickle.extend(b"h\0".repeat(1_000));
    pickle.extend(b"l\x8e");
    let padding = vec![0; 5 << 20];
    pickle.extend((padding.len() as u64).to_le_bytes());
    pickle.extend(padding);
    pickle.extend(b"0.");
    let error = obtained::<IgnoredAny>(pickle).expect_err("too much");
    assert!(error.contains("unfolds to too much"), "{error}");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Segment(i64, i64),
    Named { name: String, sides: Option<u8> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    small: i8,
    word: i64,
    wide: i128,
    unsigned: u64,
    real: f64,
    text: String,
    letter: char,
    list: Vec<u32>,
    pair: (u8, String),
    map: BTreeMap<i32, Shape>,
    maybe: Option<Box<Everything>>,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Empty),
        (-1e9..1e9).prop_map(Shape::Circle),
        any::<(i64, i64)>().prop_map(|(a, b)| Shape::Segment(a, b)),
        any::<(String, Option<u8>)>().prop_map(|(name, sides)| Shape::Named { name, sides }),
    ]
}

prop_compose! {
    fn flat()(
        (flag, small, word, wide, unsigned, text, letter, list, pair) in any::<(bool, i8, i64, i128, u64, String, char, Vec<u32>, (u8, String))>(),
        real in -1e300..1e300,
        map in proptest::collection::btree_map(any::<i32>(), shape(), 0..4),
    ) -> Everything {
        Everything { flag, small, word, wide, unsigned, real, text, letter, list, pair, map, maybe: None }
    }
}

/// Within a list of ours it goes as a pickle, also to a peer of this crate.
#[test]
fn what_is_written_is_read_back() -> Result<(), Error> {
    let given: Arc<Mutex<Option<Everything>>> = Arc::default();
    let taken = given.clone();
    let service = offering(move |_, _, _| {
        let everything = taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        List::of([Any::object(ByValue(everything))]).map(Any::from)
    });
    let config = Config::new().allow_pickle(true);
    let (conn, _) = client_of(service, config, Config::default());
    let root = conn.root()?;
    proptest!(|(outer in flat(), inner in flat())| {
        let everything = Everything { maybe: Some(Box::new(inner)), ..outer };
        *given.lock().unwrap_or_else(PoisonError::into_inner) = Some(everything.clone());
        let list = root.call(args![]).and_then(|list| list.obtain());
        prop_assert_eq!(list.map_err(|error| error.to_string()), Ok([everything.clone()]));
        let value = to_value(&everything);
        prop_assert_eq!(value.and_then(from_value), Ok(everything));
    });
    Ok(())
}
