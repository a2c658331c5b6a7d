//! The scenarios, with rpyc-core as the client.

use std::time::Instant;

use rpyc_core::object::{Comparison, Function};
use rpyc_core::wire::{Dialect, PlainType};
use rpyc_core::{Any, Args, Connection, Connector, Error, Value, args, connect};
use rpyc_tests::deadline::{PATIENCE, within};
use serde::Deserialize;

use crate::servers::Rpyc;

/// Runs them all against the server at the port.
pub(crate) fn run(port: u16, rpyc: Option<Rpyc>) {
    within(PATIENCE, "the scenarios", move || {
        let more = [("types by value", types as Scenario)];
        let more = more.into_iter().filter(|_| rpyc == Some(Rpyc::Ng));
        for (what, scenario) in SCENARIOS.into_iter().chain(more) {
            let conn = connect(("127.0.0.1", port)).expect("a connection");
            if let Err(error) = scenario(&conn) {
                panic!("{what}: {error} ({error:?})");
            }
            conn.close().expect("a clean end");
        }
        closing(port).unwrap_or_else(|error| panic!("closing: {error}"));
    });
}

type Scenario = fn(&Connection) -> Result<(), Error>;

const SCENARIOS: [(&str, Scenario); 7] = [
    ("values", values),
    ("proxies", proxies),
    ("callbacks", callbacks),
    ("exceptions", exceptions),
    ("references", references),
    ("by value", by_value),
    ("asynchronous", asynchronous),
];

/// Asks until it is so; each turn is a round trip.
pub(crate) fn eventually(
    what: &str,
    mut condition: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let until = Instant::now() + PATIENCE;
    while !condition()? {
        assert!(Instant::now() < until, "never: {what}");
    }
    Ok(())
}

fn is(error: &Error, class: &str) -> bool {
    error.as_remote().is_some_and(|raised| raised.is(class))
}

fn values(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let values = [
        Value::None,
        Value::Ellipsis,
        Value::from(true),
        Value::from(0),
        Value::from(-1),
        Value::from(1_u64 << 63),
        Value::from(i128::MIN),
        Value::from(1.5),
        Value::from(f64::INFINITY),
        Value::Complex(1.0, 2.0),
        Value::from(""),
        Value::from("é中"),
        Value::from(vec![0, 255]),
        Value::tuple([]),
        Value::from((1, ("two", (3.0,)))),
        Value::FrozenSet(vec![Value::from(1)]),
        Value::Slice(Box::new([Value::from(1), Value::None, Value::from(2)])),
        Value::from("x".repeat(100_000)),
    ];
    for value in values {
        let echo = root.call_method("echo", Args::new().arg(value.clone()))?;
        assert_eq!(echo.as_value(), Some(&value));
    }
    let sum = root.call_method("add", args![1])?;
    assert_eq!(sum.extract::<i64>()?, 2);
    let sum = root.call_method("add", args![1, b = 5])?;
    assert_eq!(sum.extract::<i64>()?, 6);
    Ok(())
}

/// What only rpyc-ng sends and takes.
fn types(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    assert_eq!(conn.dialect(), Dialect::NG7);
    for plain in PlainType::ALL {
        if matches!(plain, PlainType::NotImplemented | PlainType::Ellipsis) {
            // It writes them, and can't read them.
            continue;
        }
        let plain = Value::Type(plain);
        let echo = root.call_method("echo", Args::new().arg(plain.clone()))?;
        assert_eq!(echo.as_value(), Some(&plain));
    }
    Ok(())
}

fn proxies(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let numbers = root.call_method("numbers", args![3000])?;
    let numbers = numbers.netref()?;
    assert_eq!((numbers.len()?, numbers.is_empty()?), (3000, false));
    assert_eq!(numbers.get_item(3)?.extract::<i64>()?, 3);
    let all: Vec<i64> = numbers
        .iter()?
        .map(|item| item.and_then(Any::extract))
        .collect::<Result<_, _>>()?;
    assert_eq!(all, (0..3000).collect::<Vec<_>>());
    assert!(numbers.contains(7)? && !numbers.contains(7000)?);
    numbers.set_item(0, 100)?;
    assert_eq!(numbers.get_item(0)?.extract::<i64>()?, 100);
    numbers.del_item(0)?;
    assert_eq!(numbers.len()?, 2999);
    assert!(numbers.repr()?.starts_with("[1, 2, "));
    assert!(numbers.str()?.starts_with("[1, 2, "));
    assert!(numbers.dir()?.iter().any(|name| &**name == "__len__"));
    assert!(
        numbers
            .inspect()?
            .iter()
            .any(|(name, _)| &**name == "__getitem__")
    );
    let outside = numbers.get_item(5000).map(drop).expect_err("out of range");
    assert!(is(&outside, "IndexError"), "{outside}");
    assert!(numbers.compare(Comparison::Eq, numbers.clone())?);
    assert!(!numbers.compare(Comparison::Ne, numbers.clone())?);

    let echo = root.call_method("echo", Args::new().arg(numbers.clone()))?;
    assert_eq!(echo.netref()?, numbers);
    let thing = root.call_method("thing", args![])?;
    let thing = thing.netref()?;
    assert_eq!(thing.remote_hash()?, thing.remote_hash()?);
    assert!(!thing.compare(Comparison::Eq, 5)?);

    let manager = root.call_method("manager", args![])?;
    let entered = manager.netref()?.enter()?;
    assert_eq!(entered.value().as_str(), Some("inside"));
    assert_eq!(entered.exit::<_, Error>(Ok(1))?, Some(1));
    let outcome = manager.call_method("outcome", args![])?;
    assert_eq!(outcome.as_str(), Some("nothing"));
    let failure = Error::Misuse("of the context".to_owned());
    assert!(
        manager
            .netref()?
            .enter()?
            .exit::<(), _>(Err(failure))
            .is_err()
    );
    let outcome = manager.call_method("outcome", args![])?;
    assert_eq!(outcome.as_str(), Some("an exception"));
    Ok(())
}

fn callbacks(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let product = Any::object(Function::new("product", |_, args| {
        let factors = args.positional.into_iter();
        let product: i64 = factors
            .filter_map(|factor| factor.as_value().and_then(Value::as_i64))
            .product();
        Ok(Any::from(product))
    }));
    let called = root.call_method("call", args![product.clone(), 6, 7])?;
    assert_eq!(called.extract::<i64>()?, 42);

    let deep = nested_sum(root.clone());
    assert_eq!(
        root.call_method("call", args![deep, 9])?.extract::<i64>()?,
        10
    );

    let rung = Any::object(Function::new("rung", |_, _| Ok(Any::from("rung"))));
    root.call_method("keep", args![rung])?;
    assert_eq!(root.call_method("ring", args![])?.as_str(), Some("rung"));
    root.call_method("forget", args![])?;
    drop(product);
    // The peer gives our functions back; rpyc-ng keeps their class for as long as the connection lasts.
    let kept = 1 + usize::from(conn.dialect() == Dialect::NG7);
    eventually("the functions come back", || {
        conn.ping()?;
        Ok(conn.exported_objects() == kept)
    })
}

/// A function that has the peer call another one, which calls the peer.
fn nested_sum(root: Any) -> Any {
    Any::object(Function::new("nested", move |_, mut args| {
        let depth = args.positional.remove(0);
        let peer = root.clone();
        let innermost = Function::new("innermost", move |_, _| {
            Ok(peer.call_method("add", Args::new().arg(depth.clone()))?)
        });
        Ok(root.call_method("call", args![Any::object(innermost)])?)
    }))
}

fn exceptions(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let error = root.call_method("fail", args!["as asked"]).map(drop);
    let error = error.expect_err("as asked");
    let raised = error.as_remote().expect("an exception");
    assert!(raised.is("ValueError"), "{raised}");
    assert_eq!(raised.args(), [Value::from("as asked"), Value::from(42)]);
    assert!(
        raised
            .traceback()
            .is_some_and(|text| text.contains("ValueError"))
    );

    // From here, through there, and back.
    let failing = Function::new("failing", |_, _| {
        Err(rpyc_core::Exception::key_error("missing"))
    });
    let error = root
        .call_method("call", args![Any::object(failing)])
        .map(drop);
    let error = error.expect_err("raised here");
    assert!(is(&error, "KeyError"), "{error}");

    for refused in [
        root.attr("no_such_thing").map(drop),
        root.attr("__class__").map(drop),
        root.set_attr("add", 1),
        root.netref()?.del_attr("add"),
    ] {
        let refused = refused.expect_err("refused");
        assert!(is(&refused, "AttributeError"), "{refused}");
    }
    Ok(())
}

fn references(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let live = || root.call_method("live", args![])?.extract::<i64>();
    eventually("nothing lives", || Ok(live()? == 0))?;
    let things: Vec<Any> = (0..20)
        .map(|_| root.call_method("thing", args![]))
        .collect::<Result<_, _>>()?;
    assert_eq!(live()?, 20);
    let again = root.call_method("echo", Args::new().arg(things[0].clone()))?;
    assert_eq!(again.netref()?, things[0].netref()?);
    drop(things);
    eventually("all but one are gone", || Ok(live()? == 1))?;
    drop(again);
    eventually("all are gone", || Ok(live()? == 0))
}

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    id: u64,
    name: String,
    ratio: f64,
}

fn by_value(conn: &Connection) -> Result<(), Error> {
    let table = conn.root()?.call_method("table", args![1000])?;
    let rows: Vec<Row> = table.obtain()?;
    assert_eq!(rows.len(), 1000);
    let last = Row {
        id: 999,
        name: "row 999".to_owned(),
        ratio: 499.5,
    };
    assert_eq!(rows[999], last);
    Ok(())
}

fn asynchronous(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let results: Vec<_> = (0..100)
        .map(|number| root.async_call_method("add", args![number, 1]))
        .collect::<Result<_, _>>()?;
    rpyc_core::AsyncResult::wait_all(&results, Some(PATIENCE))?;
    for (number, result) in (1..).zip(&results) {
        assert_eq!(result.value()?.extract::<i64>()?, number);
    }
    let _serving = conn.serve_in_background()?;
    assert_eq!(root.call_method("add", args![1])?.extract::<i64>()?, 2);
    Ok(())
}

fn closing(port: u16) -> Result<(), Error> {
    let connector = Connector::new().timeout(Some(PATIENCE));
    let watching = connector.connect(("127.0.0.1", port))?;
    let root = watching.root()?;
    let ended = || root.call_method("ended", args![])?.extract::<i64>();
    let before = ended()?;
    let second = connector.connect(("127.0.0.1", port))?;
    let held = second.root()?;
    second.close()?;
    assert!(second.is_closed());
    let after = held.call_method("add", args![1]).map(drop);
    assert!(after.is_err_and(|error| error.is_closed()));
    // The ends of the scenarios' connections may still be counted meanwhile.
    eventually("the end is noticed", || Ok(ended()? > before))?;
    watching.close()
}
