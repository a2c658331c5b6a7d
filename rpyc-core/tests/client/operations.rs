//! Python's operators on netrefs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use rpyc_core::object::{Comparison, ObjectResult};
use rpyc_core::wire::{Handler, Limits};
use rpyc_core::*;

use crate::objects::{Scripted, client, client_of, everything, offering};

fn list(conn: &Connection) -> Netref {
    let list = conn
        .root()
        .and_then(|root| root.call_method("list", args![]));
    list.and_then(|list| list.netref().cloned())
        .expect("a list")
}

#[test]
fn a_list_within_itself_is_an_error_to_show_and_to_compare_and_ends_nothing() {
    let conn = client();
    let root = conn.root().expect("the root");
    let get = || root.call_method("circle", args![]).expect("a list");
    let (one, other) = (get(), get());
    let text = one.as_netref().expect("a netref").repr();
    assert!(text.is_err_and(|error| error.as_remote().is_some_and(|e| e.is("RecursionError"))));
    let same = one
        .as_netref()
        .expect("a netref")
        .request(Handler::Cmp, [other, Any::from("__eq__")]);
    assert!(same.is_err_and(|error| error.as_remote().is_some_and(|e| e.is("RecursionError"))));
    conn.ping().expect("an answer");
}

#[test]
fn a_method_of_the_root_is_called_and_its_result_extracted() -> Result<(), Error> {
    let conn = client();
    let sum = conn.root()?.call_method("add", args![1, 2])?;
    assert_eq!(sum.extract::<i64>()?, 3);
    let echo = conn.root()?.call_method("echo", args![(1, "two")])?;
    assert_eq!(echo.extract::<(u8, String)>()?, (1, "two".to_owned()));
    Ok(())
}

#[test]
fn a_closed_range_of_operators_works_on_a_remote_list() -> Result<(), Error> {
    let conn = client();
    let list = list(&conn);
    assert_eq!((list.len()?, list.is_empty()?), (3, false));
    assert!(list.contains(2)? && !list.contains(7)?);
    assert_eq!(list.get_item(0)?.extract::<i64>()?, 1);
    list.set_item(0, 10)?;
    list.del_item(1)?;
    assert_eq!(&*list.repr()?, "[10, 3]");
    assert_eq!(&*list.str()?, "[10, 3]");
    assert_eq!(list.dir()?.len(), 2);
    assert_eq!(
        list.inspect()?,
        [("__len__".into(), Some("How many.".into()))]
    );
    assert_eq!(list.remote_hash()?, list.clone().remote_hash()?);
    let error = list.get_item(9).map(drop).expect_err("out of range");
    assert!(
        error
            .as_remote()
            .is_some_and(|raised| raised.is("IndexError"))
    );
    Ok(())
}

#[test]
fn equality_of_netrefs_is_that_of_the_objects_identity() -> Result<(), Error> {
    let conn = client();
    let (one, other) = (list(&conn), list(&conn));
    let echo = conn.root()?.call_method("echo", args![one.clone()])?;
    // It is the peer's own object: it came back as the same reference.
    assert_eq!(echo.netref()?, &one);
    assert_ne!(one, other);
    #[allow(clippy::mutable_key_type)] // what changes inside takes no part in the hash
    let known: HashSet<Netref> = [one.clone(), other, one.clone()].into();
    assert_eq!(known.len(), 2);
    let second = client();
    assert_ne!(&one, second.root()?.netref()?);
    Ok(())
}

#[test]
fn comparisons_are_made_over_there_and_fall_back_as_in_python() -> Result<(), Error> {
    let conn = client();
    let (one, other) = (list(&conn), list(&conn));
    assert!(one.compare(Comparison::Lt, 4)?);
    assert!(!one.compare(Comparison::Lt, 3)?);
    assert!(one.compare(Comparison::Eq, one.clone())?);
    assert!(one.compare(Comparison::Ne, other.clone())?);
    let error = one.compare(Comparison::Ge, other).expect_err("no order");
    assert!(
        error
            .as_remote()
            .is_some_and(|raised| raised.is("TypeError"))
    );
    Ok(())
}

#[test]
fn a_loop_over_a_remote_list_is_not_a_round_trip_each() -> Result<(), Error> {
    let pair = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        crate::objects::everything(),
        Config::default(),
    )?;
    let (conn, server) = pair;
    let counted = server.clone();
    let serving = std::thread::spawn(move || server.serve_all());
    let numbers = conn.root()?.call_method("numbers", args![])?;
    let mut seen = Vec::new();
    for number in numbers.iter()? {
        seen.push(number?.extract::<i64>()?);
    }
    assert_eq!(seen, (0..3000).collect::<Vec<_>>());
    assert!(
        counted.requests_served() < 20,
        "{}",
        counted.requests_served()
    );
    conn.close()?;
    assert!(serving.join().is_ok_and(|reason| reason.is_normal()));
    Ok(())
}

/// Fewer items than were asked for were once taken for the end.
#[test]
fn a_peer_that_gives_fewer_items_at_a_time_gives_all_of_them() -> Result<(), Error> {
    let mut sparing = Config::default();
    sparing.limits = Limits::default().max_items(200);
    let (conn, _ended) = client_of(everything(), sparing, Config::default());
    let numbers = conn.root()?.call_method("numbers", args![])?;
    assert_eq!(numbers.iter()?.batch(1000).count(), 3000);
    Ok(())
}

#[test]
fn an_exception_ends_the_iteration_as_its_last_item() -> Result<(), Error> {
    let conn = client();
    let counting = conn.root()?.call_method("counting", args![3])?;
    let mut one_by_one = counting.iter()?.batch(1);
    let first: Vec<i64> = one_by_one
        .by_ref()
        .take(3)
        .map(|item| item.and_then(Any::extract))
        .collect::<Result<_, _>>()?;
    assert_eq!(first, [0, 1, 2]);
    assert!(
        matches!(one_by_one.next(), Some(Err(Error::Remote(raised))) if raised.is("ValueError"))
    );
    assert!(one_by_one.next().is_none());
    let failures = counting.iter()?.filter(Result::is_err).count();
    assert_eq!(failures, 1);
    Ok(())
}

/// A context manager that notes what `__exit__` is told, and swallows ValueErrors.
fn manager(notes: &Arc<Mutex<Vec<String>>>) -> Any {
    let notes = notes.clone();
    Scripted::object("tests.Manager", move |cx, name, mut args| -> ObjectResult {
        let note = |text: String| notes.lock().expect("no panic").push(text);
        match name {
            "__enter__" => {
                note("enter".to_owned());
                Ok(Any::from("inside"))
            }
            "__exit__" => {
                let exc = args.positional.remove(1);
                let Any::Netref(exc) = exc else {
                    note("exit".to_owned());
                    return Ok(Any::from(false));
                };
                let _ = cx;
                note(format!("exit with {}", exc.repr()?));
                Ok(Any::from(&*exc.id_pack().name == "builtins.ValueError"))
            }
            _ => Err(Exception::attribute_error(name)),
        }
    })
}

#[test]
fn a_context_is_left_with_the_outcome_of_what_was_done_in_it() -> Result<(), Error> {
    let notes = Arc::new(Mutex::new(Vec::new()));
    let mine = notes.clone();
    let service = offering(move |_, _, _| Ok(manager(&mine)));
    let (conn, _) = client_of(service, Config::default(), Config::default());
    let manager = conn.root()?.call_method("manager", args![])?;
    let manager = manager.netref()?;

    let entered = manager.enter()?;
    assert_eq!(entered.value().as_str(), Some("inside"));
    assert_eq!(entered.exit::<_, Error>(Ok(5))?, Some(5));

    let swallowed = Error::Remote(Exception::value_error("x"));
    assert_eq!(manager.enter()?.exit::<(), Error>(Err(swallowed))?, None);

    let passed_on = Error::Remote(Exception::key_error("k"));
    let outcome = manager.enter()?.exit::<(), Error>(Err(passed_on));
    assert!(outcome.is_err_and(|error| error.as_remote().is_some_and(|e| e.is("KeyError"))));

    drop(manager.enter()?);
    // Dropped, it doesn't wait; what comes behind it has its turn later.
    conn.ping()?;
    let expected = [
        "enter",
        "exit",
        "enter",
        "exit with ValueError('x',)",
        "enter",
        "exit with KeyError('k',)",
        "enter",
        "exit",
    ];
    assert_eq!(*notes.lock().expect("no panic"), expected);
    Ok(())
}

#[test]
fn attributes_are_set_and_deleted_where_the_owner_allows_it() -> Result<(), Error> {
    struct Open(Mutex<HashMap<String, Any>>);
    impl Object for Open {
        fn id_parts(&self) -> object::IdParts {
            object::IdParts::instance("tests.Open", self)
        }
        fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
            let attrs = self.0.lock().expect("no panic");
            attrs
                .get(name)
                .cloned()
                .ok_or_else(|| self.no_attribute(name))
        }
        fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
            let mut attrs = self.0.lock().expect("no panic");
            attrs.insert(name.to_owned(), value);
            Ok(())
        }
        fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
            let mut attrs = self.0.lock().expect("no panic");
            attrs
                .remove(name)
                .map(drop)
                .ok_or_else(|| self.no_attribute(name))
        }
    }
    let mut open = Config::default();
    open.allow_public_attrs = true;
    open.allow_setattr = true;
    open.allow_delattr = true;
    let service = crate::objects::Offering(Arc::new(Open(Mutex::default())));
    let (conn, _) = client_of(Arc::new(service), open, Config::default());
    let root = conn.root()?;
    root.set_attr("color", "red")?;
    assert_eq!(root.attr("color")?.as_str(), Some("red"));
    root.netref()?.del_attr("color")?;
    assert!(root.attr("color").is_err());
    Ok(())
}

#[test]
fn what_is_not_a_netref_says_so() -> Result<(), Error> {
    let conn = client();
    let seven = conn.root()?.call_method("echo", args![7])?;
    let error = seven
        .call_method("anything", args![])
        .map(drop)
        .expect_err("an int");
    assert!(matches!(&error, Error::Conversion(_)));
    assert!(error.to_string().contains("int"), "{error}");
    let numbers = conn.root()?.call_method("list", args![])?;
    assert_eq!(
        numbers.extract::<Vec<i64>>()?,
        [1, 2, 3],
        "a list is fetched"
    );
    Ok(())
}
