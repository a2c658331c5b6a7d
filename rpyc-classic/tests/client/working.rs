//! Modules, evaluated code, the namespace, copies.

use std::collections::BTreeMap;

use rpyc_classic::ClassicConnection;
use rpyc_core::object::Function;
use rpyc_core::{Any, Connector, Error, args};
use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;

use crate::servers::on_both;

#[track_caller]
fn raised(result: Result<impl std::fmt::Debug, Error>, class: &str) {
    let error = result.expect_err(class);
    assert!(
        error.as_remote().is_some_and(|raised| raised.is(class)),
        "{error} instead of a {class}"
    );
}

#[test]
fn modules_are_imported_by_any_dotted_name() {
    on_both(|conn| {
        let path = conn.module("os.path").expect("a module");
        let joined = path.call_method("join", args!["a", "b"]).expect("a path");
        assert_eq!(joined.as_str(), Some("a/b"));
        let dom = conn.modules().get("xml.dom.minidom").expect("a module");
        assert!(dom.attr("parseString").is_ok());
        assert!(conn.modules().contains("json").expect("an answer"));
        assert!(!conn.modules().contains("no.such").expect("an answer"));
        raised(conn.module("no_such_module"), "ModuleNotFoundError");
    });
}

#[test]
fn builtins_are_called_with_functions_of_this_program() {
    on_both(|conn| {
        let builtins = conn.builtins().expect("builtins");
        let longest = Any::object(Function::new("length", |_, args| {
            let word = args.positional.first().and_then(Any::as_str);
            Ok(Any::from(word.map(str::len)))
        }));
        let words = conn.deliver(&["fig", "banana", "pear"]).expect("a list");
        let found = builtins.call_method("max", args![words, key = longest]);
        assert_eq!(found.expect("the longest").as_str(), Some("banana"));
        assert_eq!(conn.builtins().expect("the same"), builtins);
    });
}

#[test]
fn code_is_evaluated_and_executed_in_the_connections_namespace() {
    on_both(|conn| {
        conn.execute("import math\nradius = 2").expect("executed");
        let area: f64 = conn
            .obtain(&conn.eval("math.pi * radius ** 2").expect("evaluated"))
            .expect("a number");
        assert!((area - 12.566).abs() < 0.001);
        raised(conn.eval("1 / 0"), "ZeroDivisionError");
        raised(conn.eval("1 +"), "SyntaxError");
        raised(conn.execute("raise KeyError('x')"), "KeyError");
    });
}

#[test]
fn the_namespace_is_read_written_and_listed() {
    on_both(|conn| {
        let names = conn.namespace().expect("the namespace");
        names.set("x", 5).expect("set");
        let double = Function::new("double", |_, args| {
            let number = args.positional.into_iter().next().unwrap_or(Any::NONE);
            Ok(Any::from(2 * number.extract::<i64>()?))
        });
        names.set("double", Any::object(double)).expect("set");
        let product = conn.eval("double(x) + 1").expect("evaluated");
        assert_eq!(product.extract::<i64>().expect("a number"), 11);
        conn.execute("y = x + 1").expect("executed");
        assert_eq!(
            names
                .get("y")
                .expect("y")
                .extract::<i64>()
                .expect("a number"),
            6
        );
        let keys: Vec<String> = names
            .keys()
            .expect("names")
            .collect::<Result<_, _>>()
            .expect("names");
        let known: Vec<&str> = keys
            .iter()
            .map(String::as_str)
            .filter(|name| !name.starts_with('_'))
            .collect();
        assert_eq!(known, ["x", "double", "y"]);
        names.remove("x").expect("removed");
        assert!(!names.contains("x").expect("an answer"));
        raised(names.get("x"), "KeyError");
        raised(names.remove("x"), "KeyError");
    });
}

#[test]
fn structures_are_copied_both_ways() {
    on_both(|conn| {
        let table = BTreeMap::from([("a".to_owned(), vec![1, 2]), ("b".to_owned(), Vec::new())]);
        let there = conn.deliver(&table).expect("delivered");
        conn.namespace()
            .and_then(|names| names.set("table", there.clone()))
            .expect("set");
        conn.execute("table['b'].append(len(table)); assert type(table) is dict")
            .expect("a real dict");
        let back: BTreeMap<String, Vec<i64>> = conn.obtain(&there).expect("obtained");
        assert_eq!(back["b"], [2]);
        let plain: (i64, String) = conn
            .obtain(&conn.eval("(1, 'two')").expect("a tuple"))
            .expect("plain");
        assert_eq!(plain, (1, "two".to_owned()));
        let misfit = conn.obtain::<u8>(&conn.eval("'text'").expect("text"));
        assert!(matches!(misfit, Err(Error::Copy(_))), "{misfit:?}");
    });
}

#[test]
fn any_connector_leads_to_a_classic_connection() {
    let server = Server::start();
    let connector = Connector::new().timeout(Some(PATIENCE));
    let conn = connector.connect(server.address()).expect("a connection");
    let conn = ClassicConnection::new(conn).expect("classic");
    let clone = conn.clone();
    drop(conn);
    assert_eq!(
        clone
            .eval("6 * 7")
            .expect("evaluated")
            .extract::<i64>()
            .expect("a number"),
        42
    );
    clone.close().expect("a clean end");
    assert!(clone.eval("1").is_err_and(|error| error.is_closed()));
}
