//! Copies of whole structures.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::thread;

use rpyc_core::by_value::{ByValue, from_value, to_value};
use rpyc_core::object::{Dict, Function, IntoAny, List, Set};
use rpyc_core::*;
use serde::{Deserialize, Serialize};

use crate::objects::{client_of, offering};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    tags: Vec<String>,
    ratio: Option<f64>,
}

fn row(id: u64) -> Row {
    Row {
        id,
        name: format!("row {id}"),
        tags: vec!["a".to_owned(); (id % 3) as usize],
        ratio: id.is_multiple_of(2).then_some(0.5),
    }
}

fn giver(rows: u64, allow_pickle: bool) -> Connection {
    let service =
        offering(move |_, _, _| Ok(Any::object(ByValue((0..rows).map(row).collect::<Vec<_>>()))));
    let config = Config::new().allow_pickle(allow_pickle);
    client_of(service, config, Config::default()).0
}

#[test]
fn a_structure_is_copied_between_rust_peers_in_one_round_trip() -> Result<(), Error> {
    let service = offering(|_, _, _| {
        let rows: Vec<Row> = (0..150_000).map(row).collect();
        Ok(Any::object(ByValue(rows)))
    });
    let config = Config::new().allow_pickle(true);
    let (conn, server) =
        Connection::pair(Arc::new(VoidService), Config::default(), service, config)?;
    let counted = server.clone();
    thread::spawn(move || server.serve_all());
    let table = conn.root()?.call_method("table", args![])?;
    let rows: Vec<Row> = table.obtain()?;
    // The root, the call and the copy; and what was let go of.
    let asked = counted.requests_served();
    assert!(asked < 10, "{asked} requests");
    assert_eq!(rows.len(), 150_000);
    assert_eq!(rows[149_999], row(149_999));
    Ok(())
}

#[test]
fn copying_is_refused_without_allow_pickle_at_the_giving_side() -> Result<(), Error> {
    let conn = giver(1, false);
    let table = conn.root()?.call_method("table", args![])?;
    let refused = table.obtain::<Vec<Row>>().expect_err("refused");
    let raised = refused.as_remote();
    assert!(raised.is_some_and(|raised| raised.is("ValueError")));
    Ok(())
}

#[test]
fn an_object_that_is_no_data_can_not_be_copied() -> Result<(), Error> {
    let config = Config::new().allow_pickle(true);
    let service = offering(|_, _, _| Ok(crate::objects::List::of([1])));
    let (conn, _) = client_of(service, config, Config::default());
    let list = conn.root()?.call_method("list", args![])?;
    let refused = list.obtain::<Vec<u8>>().expect_err("no data");
    assert!(
        refused
            .as_remote()
            .is_some_and(|raised| raised.is("TypeError"))
    );
    Ok(())
}

#[test]
fn a_copy_of_the_wrong_type_says_what_was_there() -> Result<(), Error> {
    let conn = giver(1, true);
    let table = conn.root()?.call_method("table", args![])?;
    let error = table
        .obtain::<BTreeMap<String, u8>>()
        .expect_err("a list is no map");
    assert!(matches!(error, Error::Copy(_)));
    Ok(())
}

#[test]
fn values_say_what_they_are_where_they_do_not_fit() {
    let error = from_value::<u8>(Value::from(300)).expect_err("too large");
    assert!(error.to_string().contains("300"), "{error}");
    assert!(from_value::<i64>(Value::from(true)).is_err());
    assert!(from_value::<i64>(Value::from(1.0)).is_err());
    assert_eq!(from_value(Value::from(1)), Ok(1.0));
    assert_eq!(from_value(Value::from(vec![1_u8, 2])), Ok(vec![1_u8, 2]));
}

#[test]
fn a_struct_crosses_as_pairs_and_is_read_from_its_fields_in_order_too() {
    let value = to_value(&row(1)).expect("plain");
    assert!(
        value
            .to_string()
            .starts_with("(('id', 1), ('name', 'row 1')")
    );
    assert_eq!(from_value(value), Ok(row(1)));
    let fields = to_value(&(1, "row 1", ["a"], ())).expect("plain");
    assert_eq!(from_value(fields), Ok(row(1)));
}

#[derive(Debug, PartialEq, Deserialize)]
enum Shape {
    Empty,
    Circle(f64),
    Segment(i64, i64),
    Named { name: String, sides: Option<u8> },
}

#[test]
fn a_variant_is_its_name_or_a_pair_of_name_and_content() {
    let named = || Shape::Named {
        name: "x".to_owned(),
        sides: Some(3),
    };
    for (value, shape) in [
        (Value::from("Empty"), Shape::Empty),
        (to_value(&("Empty", ())).expect("plain"), Shape::Empty),
        (
            to_value(&("Circle", 1.5)).expect("plain"),
            Shape::Circle(1.5),
        ),
        (
            to_value(&("Segment", (1, 2))).expect("plain"),
            Shape::Segment(1, 2),
        ),
        (
            to_value(&("Named", (("name", "x"), ("sides", 3)))).expect("plain"),
            named(),
        ),
        (to_value(&("Named", ("x", 3))).expect("plain"), named()),
    ] {
        assert_eq!(from_value(value.clone()), Ok(shape), "{value}");
    }
    for value in ["Square", "Circle"] {
        assert!(from_value::<Shape>(Value::from(value)).is_err(), "{value}");
    }
    let no_map = from_value::<HashMap<String, u8>>(Value::from(vec![1_u8]));
    assert!(no_map.is_err());
    let no_map = from_value::<HashMap<String, u8>>(Value::tuple([Value::from(1)]));
    let error = no_map.expect_err("a tuple that isn't of pairs");
    assert!(error.to_string().contains("expected a map"), "{error}");
}

/// Lists, dicts and sets of this crate, one within the other, and what else they may hold.
fn collections(_: &Context<'_>, _: &str, args: Args) -> rpyc_core::object::ObjectResult {
    let row = Any::object(ByValue(row(2)));
    let list = List::of([1, 2])?;
    match args.positional.first().and_then(Any::as_str) {
        Some("list") => List::of([Any::from(list), row]).map(Any::from),
        Some("map") => HashMap::from([("one", 1_u8), ("two", 2)]).into_any(),
        Some("tuple") => {
            let dict = Dict::new();
            dict.insert("rows", List::of([row])?)?;
            let set = Set::of(["x"])?;
            Ok(Any::tuple([Any::from(7), dict.into(), set.into()]))
        }
        Some("itself") => {
            let within = List::new();
            within.push(within.clone())?;
            Ok(within.into())
        }
        Some("laughs") => {
            let mut laughs = List::of(["ha".repeat(1000)])?;
            for _ in 0..12 {
                laughs = List::of(vec![laughs; 10])?;
            }
            Ok(laughs.into())
        }
        _ => List::of([Any::object(Function::new("f", |_, _| Ok(Any::NONE)))]).map(Any::from),
    }
}

#[test]
fn lists_dicts_and_sets_are_copied_with_all_that_they_hold() -> Result<(), Error> {
    let config = Config::new().allow_pickle(true);
    let (conn, _) = client_of(offering(collections), config, Config::default());
    let root = conn.root()?;
    let give = |what: &str| root.call_method("give", args![what]);
    let list: (Vec<u8>, Row) = give("list")?.obtain()?;
    assert_eq!(list, (vec![1, 2], row(2)));
    let map: HashMap<String, u8> = give("map")?.obtain()?;
    assert_eq!((map["one"], map["two"]), (1, 2));
    let tuple: (u8, HashMap<String, Vec<Row>>, Vec<String>) = give("tuple")?.obtain()?;
    assert_eq!((tuple.0, &tuple.1["rows"]), (7, &vec![row(2)]));
    assert_eq!(tuple.2, ["x"]);
    for (what, class) in [
        ("itself", "RecursionError"),
        ("laughs", "MemoryError"),
        ("function", "TypeError"),
    ] {
        let refused = give(what)?.obtain::<serde::de::IgnoredAny>();
        let refused = refused.expect_err(what);
        assert!(
            refused.as_remote().is_some_and(|raised| raised.is(class)),
            "{what}: {refused}"
        );
    }
    Ok(())
}
