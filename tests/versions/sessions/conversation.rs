//! What is recorded of a Rust client: a little of everything, always the same.

use std::net::TcpStream;
use std::time::Duration;

use rpyc_core::object::Function;
use rpyc_core::wire::{Dialect, Handler, Value};
use rpyc_core::{Any, Args, Config, Connection, Context, Error, FromAny, args};

use super::super::client::client_service;

/// Has the conversation with the server of this recording at the other end.
pub(super) fn with(name: &str, stream: TcpStream, dialect: Dialect) -> Result<(), Error> {
    let config = Config::new()
        .dialect(dialect)
        .sync_request_timeout(Duration::from_secs(60));
    let connection = Connection::open(stream, client_service(), config);
    let connection = connection.unwrap_or_else(|error| panic!("{name}: {error}"));
    if name.contains("classic") {
        classic(&connection)
    } else {
        service(&connection)
    }
}

fn service(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    assert_eq!(number(root.call_method("add", args![1, b = 2])?)?, 3);
    let echoed = root.call_method("echo", args![(1, 2.5, "\u{e9}", None::<i64>)])?;
    assert_eq!(
        echoed.extract::<(i64, f64, String, Option<i64>)>()?.2,
        "\u{e9}"
    );
    let applied = root.call_method("apply", Args::from([doubling(), Any::from(21)]))?;
    assert_eq!(number(applied)?, 42);
    assert_eq!(number(root.call_method("ask", args![])?)?, 42);
    let failed = root.call_method("fail", args!["nothing costs that"]);
    assert!(matches!(&failed, Err(Error::Remote(error)) if error.is("ValueError")));
    assert!(root.attr("hidden").is_err());
    let made = root.call_method("made", args![])?;
    let is_made = root.call_method("is_made", Args::from([made]))?;
    assert!(is_made.extract::<bool>()?);
    asynchronous(conn, &root.attr("add")?, [11, 12])?;
    drop(root);
    conn.close()
}

fn classic(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    let eval = |code: &str| root.call_method("eval", args![code]);
    let numbers = eval("[1, 2, 3]")?;
    numbers.call_method("append", args![4])?;
    assert_eq!(numbers.repr()?, *"[1, 2, 3, 4]");
    let mut sum = 0;
    for item in eval("iter([1, 2, 3])")?.iter()? {
        sum += number(item?)?;
    }
    assert_eq!(sum, 6);
    let mapped = eval("lambda f: [f(x) for x in (1, 2)]")?;
    let mapped = mapped.netref()?.call(Args::from([doubling()]))?;
    assert_eq!(mapped.extract::<Vec<i64>>()?, [2, 4]);
    let raised = eval("{}['nothing']");
    assert!(matches!(&raised, Err(Error::Remote(error)) if error.is("KeyError")));
    let thing = eval("__import__('argparse').Namespace(a=1)")?;
    thing.set_attr("b", 5)?;
    assert_eq!(number(thing.attr("b")?)?, 5);
    thing.netref()?.del_attr("b")?;
    assert!(thing.attr("b").is_err());
    asynchronous(conn, &eval("lambda x: x + 10")?, [11, 12])?;
    drop((thing, numbers, root));
    conn.close()
}

/// Two requests on the way at the same time.
fn asynchronous(conn: &Connection, adding: &Any, results: [i64; 2]) -> Result<(), Error> {
    let call = |number: i64| {
        let none = Any::from(Value::Tuple(Vec::new()));
        let args = vec![adding.clone(), Any::from((number,)), none];
        conn.async_request(Handler::Call, args)
    };
    let waiting = [call(1)?, call(2)?];
    for (result, expected) in waiting.iter().zip(results) {
        assert_eq!(number(result.value()?)?, expected);
    }
    Ok(())
}

fn doubling() -> Any {
    let double = |_: &Context<'_>, args: Args| {
        let number = i64::from_any(args.positional.into_iter().next().unwrap_or(Any::NONE))?;
        Ok(Any::from(number * 2))
    };
    Any::object(Function::new("double", double))
}

fn number(any: Any) -> Result<i64, Error> {
    any.extract()
}
