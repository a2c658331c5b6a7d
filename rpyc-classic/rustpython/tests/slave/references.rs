//! Objects live exactly as long as somebody holds them, on either side.

use rpyc_core::{Any, args};

use crate::client::{Client, doubling, eventually};

#[test]
fn an_object_dies_when_the_client_lets_go_of_it() {
    let client = Client::connect();
    client
        .execute("import weakref\nclass Thing: pass\nthing = Thing()\nthings = weakref.ref(thing)");
    let thing = client.eval("thing");
    client.execute("del thing");
    assert_is!(client.eval("things() is None"), false);
    drop(thing);
    eventually("the object is dead", || client.is_true("things() is None"));
    client.close();
}

#[test]
fn a_client_object_dies_when_the_server_lets_go_of_it() {
    let client = Client::connect();
    client.execute("def keep(x):\n    global kept\n    kept = x");
    let before = client.connection().exported_objects();
    client.call("keep", doubling());
    assert!(client.connection().exported_objects() > before);
    client.execute("kept = None");
    eventually("the reference is given back", || {
        client.eval("None");
        client.connection().exported_objects() == before
    });
    client.close();
}

#[test]
fn a_connection_that_ends_lets_go_of_everything() {
    let witness = Client::connect();
    witness.execute("import sys, weakref\nclass Thing: pass\nthing = Thing()\nthings = weakref.ref(thing)\nsys.handed_over = thing\ndel thing");
    let client = Client::connect();
    client.execute("import sys\nnamed = sys.handed_over\ndel sys.handed_over");
    let held = client.eval("named");
    assert_is!(witness.eval("things() is None"), false);
    drop(held);
    client.close();
    eventually("what the connection held is dead", || {
        witness.is_true("things() is None")
    });
    witness.close();
}

#[test]
fn the_executors_threads_run_destructors() {
    let client = Client::connect();
    client.execute(
        "died = []
class Thing:
    def __del__(self): died.append(1)",
    );
    for _ in 0..100 {
        drop(client.eval("Thing()"));
    }
    eventually("all are dead", || client.is_true("len(died) == 100"));
    client.close();
}

#[test]
fn one_object_of_the_client_is_one_proxy() {
    let client = Client::connect();
    client.execute("def identical(a, b): return a is b");
    let callback = doubling();
    let identical = client.eval("identical");
    let identical = identical.netref().expect("a function");
    let answer = identical
        .call(args![callback.clone(), callback])
        .expect("called");
    assert_is!(answer, true);
    client.close();
}

#[test]
fn classes_made_one_after_the_other_are_told_apart() {
    let client = Client::connect();
    let mut classes = Vec::new();
    for _ in 0..50 {
        let class = client.eval("type('Same', (), {})");
        classes.push(class.netref().expect("a class").id_pack().class);
        drop(class);
        client.eval("__import__('gc').collect()");
    }
    classes.sort_by_key(|class| class.0);
    classes.dedup();
    assert_eq!(classes.len(), 50);
    client.close();
}

#[test]
fn collecting_garbage_waits_for_no_client() {
    let (idle, working) = (Client::connect(), Client::connect());
    // The idle client's thread waits in a read, one of its callbacks in a call.
    assert_is!(idle.eval("1"), 1);
    assert!(matches!(
        working.eval("__import__('gc').collect()"),
        Any::Value(_)
    ));
    idle.close();
    working.close();
}
