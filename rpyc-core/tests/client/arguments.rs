//! Arguments of calls, and the verbs of what comes back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use rpyc_core::by_value::{AsDict, Serde};
use rpyc_core::object::{Comparison, Dict, List, callback};
use rpyc_core::*;

use crate::objects::{client_of, offering};

/// Gives back its arguments, or calls the first one with the others.
fn client() -> Connection {
    let service = offering(|cx, name, mut args| match name {
        "first" => Ok(args.positional.remove(0)),
        "names" => {
            let names = args.keyword.iter().map(|(name, _)| Any::from(name.clone()));
            Ok(Any::tuple(names))
        }
        "apply" => {
            let Some((_, function)) = args.keyword.first() else {
                return Err(Exception::type_error("one function by name"));
            };
            function.call_in(cx, Args::from(args.positional))
        }
        _ => Ok(Any::tuple(args.positional)),
    });
    client_of(service, Config::new(), Config::new()).0
}

#[test]
fn an_argument_is_whatever_a_result_is() -> Result<(), Error> {
    let conn = client();
    let root = conn.root()?;
    let (kept, name) = (Any::from(5), "text".to_owned());
    let sent = args![
        vec![1, 2],
        [1.5_f32],
        'c',
        PathBuf::from("/tmp"),
        b"bytes".as_slice(),
        &kept,
        &name,
        Serde(BTreeMap::from([("k", 1)])),
        BTreeMap::from([("k", 1)]),
        Some(List::of(["x"])?),
        callback(|| 1),
    ];
    let items: Vec<Any> = root.call_method("echo", sent)?.extract()?;
    let shown: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    let value = |index: usize| items[index].as_value().map(Value::to_string);
    let values: Vec<_> = (0..8).filter_map(value).collect();
    let expected = [
        "(1, 2)",
        "(1.5,)",
        "'c'",
        "'/tmp'",
        "b'bytes'",
        "5",
        "'text'",
        "(('k', 1),)",
    ];
    assert_eq!(values, expected);
    assert_eq!(shown[8..].len(), 3);
    // Objects of this side come back as themselves.
    assert!(items[8..].iter().all(|item| matches!(item, Any::Local(_))));
    Ok(())
}

#[test]
fn a_closure_among_the_arguments_is_called_back() -> Result<(), Error> {
    let conn = client();
    let root = conn.root()?;
    let (told, heard) = channel();
    let answer = root.call_method(
        "apply",
        args![
            2,
            5,
            progress = move |done: u32, total: u32| { told.send((done, total)).is_ok() }
        ],
    )?;
    assert_eq!(heard.recv(), Ok((2, 5)));
    assert!(answer.extract::<bool>()?);
    for called in [
        args![done = || 7],
        args![done = move || 7],
        args![2, 5, f = |a: i64, b: i64| -> i64 { a + b }],
        args![7, 5, f = |mut a: i64, _: i64| std::mem::take(&mut a)],
        args![(3, 4), f = |(a, b): (i64, i64)| a + b],
    ] {
        assert_eq!(root.call_method("apply", called)?.extract::<i64>()?, 7);
    }
    // As strict as any function: Python's TypeError for a wrong number or kind.
    for wrong in [
        args![1, f = |a: u32, b: u32| a + b],
        args!["x", f = |a: u32| a],
    ] {
        let error = root.call_method("apply", wrong).expect_err("refused");
        assert!(
            error
                .as_remote()
                .is_some_and(|raised| raised.is("TypeError")),
            "{error}"
        );
    }
    Ok(())
}

#[test]
fn a_raw_identifier_names_an_argument_without_its_prefix() -> Result<(), Error> {
    let conn = client();
    let names = conn
        .root()?
        .call_method("names", args![r#type = 1, other = 2])?;
    assert_eq!(names.extract::<Vec<String>>()?, ["type", "other"]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn an_argument_that_cannot_be_sent_fails_the_call_before_anything_is_sent() -> Result<(), Error> {
    use std::os::unix::ffi::OsStringExt;
    let conn = client();
    let root = conn.root()?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(vec![0xff]));
    let refused = root
        .call_method("echo", args![1, path])
        .expect_err("not UTF-8");
    assert!(
        matches!(&refused, Error::Misuse(text) if text.contains("UTF-8")),
        "{refused}"
    );
    conn.ping()
}

#[test]
fn what_a_call_gives_has_the_verbs_of_a_netref() -> Result<(), Error> {
    let dict = Dict::new();
    dict.insert("a", 1)?;
    let service = offering(move |_, _, _| Ok(dict.clone().into()));
    let (conn, _ended) = client_of(service, Config::new(), Config::new());
    let table = conn.root()?.call_method("table", args![])?;
    table.set_item("b", 2)?;
    assert_eq!((table.len()?, table.contains("b")?), (2, true));
    table.del_item("a")?;
    let timed = table.timed(Duration::from_secs(30))?;
    assert_eq!(timed.call_method("__len__", args![])?.extract::<u8>()?, 1);
    let len = table.attr("__len__")?;
    assert_eq!(len.call(args![])?.extract::<u8>()?, 1);
    assert_eq!(len.async_call(args![])?.value()?.extract::<u8>()?, 1);
    assert_eq!((table.is_empty()?, table.str()?), (false, table.repr()?));
    assert!(
        table.compare(Comparison::Eq, &table)? && table.dir()?.iter().any(|name| &**name == "keys")
    );
    // Of a plain value there is nothing to call.
    assert_eq!(
        (&*Any::from("a").str()?, &*Any::from("a").repr()?),
        ("a", "'a'")
    );
    let refused = Any::from(1).call(args![]).expect_err("an int");
    assert!(matches!(refused, Error::Conversion(_)), "{refused}");
    // Exceptions are errors of a client, too.
    let failed: Result<(), Error> = (|| Err(Exception::value_error("own"))?)();
    assert!(failed.is_err_and(|error| error.as_remote().is_some_and(|own| own.is("ValueError"))));
    Ok(())
}

#[test]
fn a_dict_is_written_as_in_python_and_keeps_its_order() -> Result<(), Error> {
    let conn = client();
    let root = conn.root()?;
    let nested = dict! { "low" => 0 };
    let sent = dict! { "volts" => 1.5, 2 => vec!["x"], "range" => nested, "none" => () };
    let Any::Local(dict) = root.call_method("first", args![sent])? else {
        panic!("it is this side's");
    };
    let keys: Vec<Any> = Any::Local(dict).extract()?;
    let keys = Any::tuple(keys).into_value().map(|keys| keys.to_string());
    assert_eq!(keys.as_deref(), Some("('volts', 2, 'range', 'none')"));
    assert!(dict! {}?.items().is_empty());
    // What one entry locks is free for the next.
    let lock = std::sync::Mutex::new(1);
    let value = || lock.try_lock().expect("nobody holds it");
    assert!(dict! { "a" => *value(), "b" => *value() }.is_ok());
    let unhashable = dict! { Dict::new() => 1 };
    assert!(unhashable.is_err_and(|error| error.is("TypeError")));
    // A call with such a one isn't made.
    let refused = root.call_method("echo", args![dict! { Dict::new() => 1 }]);
    assert!(matches!(refused, Err(Error::Misuse(_))), "{refused:?}");
    Ok(())
}

#[test]
fn a_serde_struct_is_a_dict_where_one_is_wanted() -> Result<(), Error> {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Reading {
        volts: f64,
        range: (i64, i64),
        labels: BTreeMap<String, u8>,
        unit: Unit,
    }
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    enum Unit {
        Volts,
        Scaled { by: f64 },
    }
    let reading = |unit| Reading {
        volts: 1.5,
        range: (0, 10),
        labels: BTreeMap::from([("a".to_owned(), 1)]),
        unit,
    };
    let service = offering(move |_, name, _| match name {
        "volts" => AsDict(reading(Unit::Volts)).into_any(),
        _ => AsDict(reading(Unit::Scaled { by: 2.0 })).into_any(),
    });
    let (conn, _ended) = client_of(service, Config::new(), Config::new());
    let root = conn.root()?;
    let dict = root.call_method("volts", args![])?;
    assert_eq!(dict.iter()?.collect::<Result<Vec<_>, _>>()?.len(), 4);
    assert_eq!(dict.get_item("unit")?.as_str(), Some("Volts"));
    assert_eq!(dict.get_item("labels")?.get_item("a")?.extract::<u8>()?, 1);
    let scaled = root.call_method("scaled", args![])?.get_item("unit")?;
    let (name, content): (String, BTreeMap<String, f64>) = scaled.extract()?;
    assert_eq!((&*name, content["by"]), ("Scaled", 2.0));
    // And back again.
    for (name, unit) in [("volts", Unit::Volts), ("scaled", Unit::Scaled { by: 2.0 })] {
        let Serde(read) = root
            .call_method(name, args![])?
            .extract::<Serde<Reading>>()?;
        assert_eq!(read.volts, 1.5);
        assert_eq!(read.unit, unit);
    }
    Ok(())
}
