//! A Rust client on Python servers of any version.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rpyc_core::object::class::{Class, Method};
use rpyc_core::object::{Comparison, Function};
use rpyc_core::{
    Any, Args, Connection, Connector, Context, Error, Exposed, FromAny, Service, args,
};
use rpyc_tests::versions::{Peer, PythonServer};

pub(crate) fn uses_classic_server(version: &'static str) {
    let server = Peer::new(version).server("classic");
    let outcome = classic(&connect(&server, version), version);
    outcome.unwrap_or_else(|error| panic!("{version}: {error}"));
}

pub(crate) fn uses_service(version: &'static str) {
    let server = Peer::new(version).server("service");
    for _ in 0..2 {
        // The second time it is known what the server speaks.
        let outcome = service(&connect(&server, version));
        outcome.unwrap_or_else(|error| panic!("{version}: {error}"));
    }
}

fn connect(server: &PythonServer, version: &str) -> Connection {
    let connector = Connector::new().service(client_service());
    let connection = connector.connect(("127.0.0.1", server.port()));
    let connection = connection.unwrap_or_else(|error| panic!("{version}: {error}"));
    let spoken = connection.dialect().to_string();
    let expected = match version.get(..3) {
        Some("3.4") => "rpyc 3",
        Some("4.0") => "rpyc 4.0",
        Some("6.0") => "rpyc 6",
        Some("7.0") => "rpyc-ng 7",
        _ => "rpyc 4.1 to 5.3",
    };
    assert_eq!(spoken, expected);
    connection
}

/// What servers find at the client.
pub(crate) fn client_service() -> Arc<dyn Service> {
    let double = |_: &Exposed<()>, _: &Context<'_>, args: Args| {
        let number = args.positional.first().and_then(Any::as_value);
        Ok(Any::from(
            number.and_then(|number| number.as_i64()).unwrap_or(0) * 2,
        ))
    };
    let nothing = |name| Method::new(name, |_, _, _| Ok(Any::NONE));
    let class = Class::builder("client", "ClientService")
        .service()
        .method(Method::new("double", double))
        // A classic server of rpyc 3 looks for a classic service at its client, and ends a connection without.
        .method(nothing("getmodule"))
        .method(nothing("eval"))
        .method(nothing("execute"))
        .constant("namespace", ())
        .build();
    Arc::new(Exposed::of_class(class, ()))
}

fn classic(conn: &Connection, version: &str) -> Result<(), Error> {
    let root = conn.root()?;
    let modules = |name: &str| root.call_method("getmodule", args![name]);
    let cwd: String = modules("os")?.call_method("getcwd", args![])?.extract()?;
    assert!(cwd.starts_with('/'), "{cwd}");
    let eval = |code: &str| root.call_method("eval", args![code]);

    let call = eval("lambda a, b=2: a + b")?;
    assert_eq!(call.netref()?.call(args![1, b = 5])?.extract::<i64>()?, 6);

    let calls = Arc::new(AtomicI64::new(0));
    let counted = calls.clone();
    let callback = Function::new("callback", move |_: &Context<'_>, args: Args| {
        counted.fetch_add(1, Ordering::Relaxed);
        let number = i64::from_any(args.positional.into_iter().next().unwrap_or(Any::NONE))?;
        Ok(Any::from(number + 1))
    });
    let mapped = eval("lambda f: [f(x) for x in (1, 2, 3)]")?;
    let mapped = mapped.netref()?.call(Args::from([Any::object(callback)]))?;
    assert_eq!(mapped.clone().extract::<Vec<i64>>()?, [2, 3, 4]);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    assert_eq!(mapped.repr()?, *"[2, 3, 4]");

    let raised = eval("{}['nothing']");
    let Err(Error::Remote(exception)) = raised else {
        panic!("no exception: {raised:?}");
    };
    assert!(exception.is("KeyError"), "{exception}");
    assert_eq!(exception.message(), "'nothing'");
    let traceback = exception.traceback().map_or("", |text| text.as_str());
    assert!(traceback.contains("Traceback (most recent call last)"));

    let mut sum = 0;
    for item in eval("iter(range(10))")?.iter()? {
        sum += item?.extract::<i64>()?;
    }
    assert_eq!(sum, 45);

    let (one, other) = (eval("[1]")?, eval("[2]")?);
    let (one, other) = (one.netref()?, other.netref()?);
    assert!(one.compare(Comparison::Lt, Any::Netref(other.clone()))?);
    assert!(!one.compare(Comparison::Eq, Any::Netref(other.clone()))?);
    let names = one.inspect()?;
    assert!(names.iter().any(|(name, _)| &**name == "append"));
    let list = modules("builtins")
        .or_else(|_| modules("__builtin__"))?
        .attr("list")?;
    assert!(one.is_instance(list.netref()?)?);

    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join(version).to_string_lossy().into_owned();
    let file = eval("open")?.netref()?.call(args![path.as_str(), "w"])?;
    file.call_method("write", args!["text"])?;
    drop(file.netref()?.enter()?);
    assert!(file.attr("closed")?.extract::<bool>()?);
    modules("os")?.call_method("remove", args![path.as_str()])?;

    root.call_method(
        "execute",
        args!["class Thing(object): pass\nthing = Thing()"],
    )?;
    let thing = eval("thing")?;
    thing.set_attr("number", 5)?;
    assert_eq!(thing.attr("number")?.extract::<i64>()?, 5);
    thing.netref()?.del_attr("number")?;
    assert!(thing.attr("number").is_err());
    conn.ping()?;
    drop((thing, file, list, mapped, call));
    conn.close()
}

fn service(conn: &Connection) -> Result<(), Error> {
    let root = conn.root()?;
    assert_eq!(root.call_method("add", args![1])?.extract::<i64>()?, 11);
    assert_eq!(
        root.call_method("add", args![1, b = 2])?.extract::<i64>()?,
        3
    );
    assert_eq!(root.call_method("ask", args![])?.extract::<i64>()?, 42);
    let failed = root.call_method("fail", args!["nothing costs that"]);
    let Err(Error::Remote(exception)) = failed else {
        panic!("no exception: {failed:?}");
    };
    assert!(exception.is("ValueError"), "{exception}");
    assert_eq!(exception.message(), "nothing costs that");
    assert!(root.attr("hidden").is_err());
    let made = root.call_method("made", args![])?;
    let is_made = root.call_method("is_made", Args::from([made]))?;
    assert!(is_made.extract::<bool>()?);
    let context = root.call_method("context", args![])?;
    let entered = context.netref()?.enter()?;
    assert!(context.call_method("inside", args![])?.extract::<bool>()?);
    drop(entered);
    assert!(!context.call_method("inside", args![])?.extract::<bool>()?);
    conn.ping()?;
    drop(context);
    conn.close()
}
