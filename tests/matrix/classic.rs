//! A Rust client on Python's classic server.

use std::collections::HashMap;

use rpyc_core::by_value::deliver;
use rpyc_core::{Connection, Error, Exception, Netref, args, connect};
use rpyc_tests::deadline::{PATIENCE, within};
use serde::{Deserialize, Serialize};

use crate::servers::{PythonServer, Rpyc};

#[path = "../../rpyc-core/examples/classic_client.rs"]
mod classic_client;

const SERVER: &str = "
    from rpyc.core import SlaveService
    from rpyc.utils.server import ThreadedServer
    server = ThreadedServer(SlaveService, hostname='127.0.0.1', port=0)
    listen(server)
    say('port %d' % server.port)
    server.start()
";

/// Does it with a server of rpyc, of rpyc-ng, and of rpyc_rs.
fn session(work: fn(&Connection, Rpyc) -> Result<(), Error>) {
    for rpyc in Rpyc::ALL {
        // What it needs may have to be installed: that isn't timed.
        let server = PythonServer::of(rpyc, SERVER);
        within(PATIENCE, "the session", move || {
            let conn = connect(("127.0.0.1", server.port())).expect("a connection");
            work(&conn, rpyc).unwrap_or_else(|error| panic!("{rpyc:?}: {error} ({error:?})"));
            conn.close().expect("a clean end");
        });
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    ratio: Option<f64>,
    tags: Vec<String>,
}

#[test]
fn a_large_list_of_dicts_is_obtained_in_one_round_trip() {
    session(|conn, _| {
        let root = conn.root()?;
        let table = root.call_method(
            "eval",
            args!["[dict(id=i, name='row %d' % i, ratio=None if i % 2 else i / 4, tags=['a', 'é'][:i % 3]) for i in range(150000)]"],
        )?;
        // One for each value would take longer than a session may.
        let rows: Vec<Row> = table.obtain()?;
        assert_eq!(rows.len(), 150_000);
        let expected = Row {
            id: 149_998,
            name: "row 149998".to_owned(),
            ratio: Some(37_499.5),
            tags: vec!["a".to_owned()],
        };
        assert_eq!(rows[149_998], expected);
        Ok(())
    });
}

#[test]
fn a_structure_is_delivered_and_obtained_back() {
    session(|conn, _| {
        let rows = vec![Row {
            id: u64::MAX,
            name: "ünïcode".to_owned(),
            ratio: Some(-0.5),
            tags: vec![String::new()],
        }];
        let there = deliver(conn, &rows)?;
        assert_eq!(
            &*there.repr()?,
            "[{'id': 18446744073709551615, 'name': 'ünïcode', 'ratio': -0.5, 'tags': ['']}]"
        );
        assert_eq!(there.obtain::<Vec<Row>>()?, rows);
        Ok(())
    });
}

#[test]
fn what_is_not_data_is_not_obtained() {
    session(|conn, _| {
        let root = conn.root()?;
        root.call_method("execute", args!["import datetime, collections"])?;
        let date = root.call_method("eval", args!["datetime.date(2020, 1, 2)"])?;
        let error = date.obtain::<String>().expect_err("no data");
        assert!(error.to_string().contains("datetime.date"), "{error}");
        let all = root.call_method(
            "eval",
            args!["{'none': None, 'flag': True, 'big': 2**100, 'neg': -2**70, 'set': {1}, 'nested': [{}]}"],
        )?;
        #[derive(Deserialize)]
        struct All {
            none: Option<u8>,
            flag: bool,
            big: u128,
            neg: i128,
            set: Vec<u8>,
            nested: Vec<HashMap<String, u8>>,
        }
        let all: All = all.obtain()?;
        assert_eq!((all.none, all.flag, all.big), (None, true, 1 << 100));
        assert_eq!(
            (all.neg, all.set, all.nested.len()),
            (-(1 << 70), vec![1], 1)
        );
        Ok(())
    });
}

#[test]
fn an_exception_reads_as_in_python() {
    session(|conn, _| {
        let root = conn.root()?;
        root.call_method("execute", args!["def fail(error): raise eval(error)"])?;
        let fail = root.call_method("eval", args!["fail"])?;
        for error in [
            "OSError(5, 'x')",
            "OSError('just a text')",
            "OSError(2, 'no', None)",
            "OSError(2, 'no', 7)",
            "OSError(2, 'no', 'a', None, 'b')",
            "FileNotFoundError(2, 'No such file or directory', '/no/such')",
            "TimeoutError('too late')",
            "SyntaxError('wrong')",
            "SyntaxError('wrong', ('/home/x/m.py', 3, 1, 'x'))",
            "SyntaxError('wrong', ('<string>', None, None, None))",
            "IndentationError('wrong', (None, 3, None, None))",
            "KeyError('key')",
            "KeyError()",
            "ValueError('one', 2)",
        ] {
            let text = root.call_method("eval", args![format!("str({error})")])?;
            let raised = fail.call(args![error]).expect_err(error);
            let message = raised.as_remote().map(Exception::message);
            assert_eq!(message, Some(text.extract()?), "{error}");
        }
        Ok(())
    });
}

#[test]
fn issubclass_is_asked_of_the_owner_of_the_class() {
    session(|conn, rpyc| {
        let root = conn.root()?;
        let code = "class Animal: pass\nclass Cat(Animal): pass";
        root.call_method("execute", args![code])?;
        let [animal, cat, some] = ["Animal", "Cat", "Cat()"]
            .map(|code| root.call_method("eval", args![code])?.extract::<Netref>());
        let (animal, cat, some) = (animal?, cat?, some?);
        assert!(cat.is_subclass(&animal)? && cat.is_subclass(&cat)?);
        assert!(!animal.is_subclass(&cat)?);
        // Python's rpyc says so of the classes alone that it has asked its peer about.
        let knows = rpyc != Rpyc::Stock;
        assert_eq!(
            [some.is_instance(&animal)?, some.is_instance(&cat)?],
            [knows; 2]
        );
        let refused = some.is_subclass(&animal).expect_err("no class");
        assert!(
            refused
                .as_remote()
                .is_some_and(|raised| raised.is("TypeError")),
            "{refused}"
        );
        Ok(())
    });
}

#[test]
fn isinstance_is_asked_of_the_owner_of_the_class() {
    session(|conn, _| {
        let root = conn.root()?;
        let builtins = root.call_method("getmodule", args!["builtins"])?;
        let (list, dict) = (builtins.attr("list")?, builtins.attr("dict")?);
        let object = root.call_method("eval", args!["[1, 2]"])?;
        assert!(list.netref()?.is_class());
        assert!(object.netref()?.is_instance(list.netref()?)?);
        assert!(!object.netref()?.is_instance(dict.netref()?)?);
        Ok(())
    });
}

#[test]
fn a_loop_over_a_dict_and_a_generator_and_one_that_raises() {
    session(|conn, _| {
        let root = conn.root()?;
        let eval = |code: &str| root.call_method("eval", args![code]);
        let keys: Vec<String> = eval("{'a': 1, 'b': 2}")?
            .iter()?
            .map(|key| key.and_then(rpyc_core::Any::extract))
            .collect::<Result<_, _>>()?;
        assert_eq!(keys, ["a", "b"]);
        let squares = eval("(i * i for i in range(100))")?;
        assert_eq!(squares.iter()?.filter_map(Result::ok).count(), 100);
        let failing = eval("(1 // (2 - i) for i in range(5))")?;
        let outcomes: Vec<bool> = failing.iter()?.batch(1).map(|item| item.is_ok()).collect();
        assert_eq!(outcomes, [true, true, false]);
        Ok(())
    });
}

#[test]
fn the_example_of_a_classic_client_runs() {
    let server = PythonServer::of(Rpyc::Stock, SERVER);
    let address = format!("127.0.0.1:{}", server.port());
    classic_client::run(&address).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_context_over_there_learns_that_the_block_failed_and_may_suppress_that() {
    session(|conn, rpyc| {
        let root = conn.root()?;
        let code = "
class Manager:
    def __init__(self, suppresses):
        self.suppresses, self.told = suppresses, 'nothing'
    def __enter__(self):
        return self
    def __exit__(self, kind, value, traceback):
        self.told = kind.__name__ if kind else 'no exception'
        return self.suppresses
";
        root.call_method("execute", args![code])?;
        let manager = |suppresses: bool| {
            root.call_method("eval", args![format!("Manager({})", i32::from(suppresses))])
        };
        for suppresses in [true, false] {
            let manager = manager(suppresses)?;
            let failed = Error::Remote(Exception::value_error("x"));
            let outcome = manager.netref()?.enter()?.exit::<(), Error>(Err(failed));
            assert_eq!(matches!(outcome, Ok(None)), suppresses, "{outcome:?}");
            let passed_on = outcome.is_err_and(|error| {
                error
                    .as_remote()
                    .is_some_and(|raised| raised.is("ValueError"))
            });
            assert_eq!(passed_on, !suppresses);
            // Python's rpyc can't raise a reference: it raises a TypeError about that.
            let told = manager.attr("told")?;
            let expected = match rpyc {
                Rpyc::Stock => "TypeError",
                Rpyc::Ng | Rpyc::Rs => "ValueError",
            };
            assert_eq!(told.as_str(), Some(expected));
        }
        Ok(())
    });
}
