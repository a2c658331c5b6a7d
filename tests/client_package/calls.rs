//! Objects of the server's, calls, callbacks, exceptions.

use crate::{benches, same_on, written};

#[test]
fn a_servers_objects_are_what_pythons_rpyc_makes_of_them() {
    same_on(
        benches(),
        r#"
        root = connect().root
        print(root.add(1), root.add(1, 2, 3, x=4), root.version, root.add.__doc__)
        items, table = root.items, root.table
        print(len(items), items[1:], 6 in items, list(items), isinstance(items, list))
        print(sorted(table), dict(table), table["b"][0], [x for x in root.counts(3)], max(items))
        items.append(8)
        items[0] = 1
        del items[1]
        print(list(items), repr(items), bool(root.thing()), items is root.thing())
        print(isinstance(items, rpyc.BaseNetref), type(items).__name__, items.____id_pack__[0], callable(root.add))
        show("private", lambda: root._conn)
        show("missing", lambda: root.nothing)
        show("set", setattr, root, "items", 1)
        with root.open() as door:
            print(door.state_now())
        print(door.state_now())
        try:
            with root.open() as door:
                raise KeyError("k")
        except KeyError:
            print(door.state_now())
        "#,
    );
}

#[test]
fn callbacks_are_called_on_the_thread_that_waits_three_deep_and_with_netrefs() {
    same_on(
        benches(),
        r#"
        root = connect().root
        ours = threading.get_ident()
        print(root.calls(lambda a, b: (a * b, threading.get_ident() == ours), 6, 7))
        print(root.calls(lambda: root.calls(lambda: root.calls(lambda: root.add(1, 2)))))
        print(root.deeper(lambda function, depth: function(root.deeper, depth), 0))
        def down(function, depth):
            return depth if depth == 0 else root.deeper(down, depth) + 1
        print(root.deeper(down, 5))
        class Local:
            def method(self, x):
                return x + 1
        local = Local()
        print(root.calls(local.method, 1), root.calls(lambda x: x is local, local), root.calls(len, [1, 2, 3]))
        print(root.calls(sorted, root.items), list(root.calls(lambda: [1, 2])), root.calls(dict, a=1) if 0 else "")
        "#,
    );
}

#[test]
fn exceptions_come_with_their_classes_arguments_and_remote_tracebacks_and_go_back() {
    let said = same_on(
        benches(),
        r#"
        root = connect().root
        for what in "key", "value", "own":
            try:
                root.fails(what)
            except Exception as error:
                print(type(error).__name__.rpartition(".")[2], error.args, isinstance(error, rpyc.GenericException),
                      isinstance(error, LookupError), "Remote Traceback" in str(error), "exposed_fails" in str(error))
        def fails(error):
            def fail():
                raise error
            return fail
        print(root.catches(fails(OSError(2, "x"))), root.catches(lambda: 1))
        try:
            root.calls(fails(RuntimeError("of ours")))
        except RuntimeError as error:
            print(error.args, str(error).count("Remote Traceback"))
        show("stop", next, iter(root.counts(0)))
        show("call", root.version)
        "#,
    );
    assert!(said.contains("Broken"), "{said}");
}

#[test]
fn exceptions_of_classes_that_are_here_are_of_these_where_the_config_says_so() {
    same_on(
        benches(),
        r#"
        sys.path.insert(0, os.environ["FOLDER"]) if "FOLDER" in os.environ else None
        class service:
            class Broken(Exception):
                pass
        sys.modules["service"] = sys.modules["service"] if "service" in sys.modules else service
        for given in {}, {"instantiate_custom_exceptions": True}:
            try:
                connect(config=given).root.fails("key")
            except Exception as error:
                print(type(error).__name__, isinstance(error, KeyError))
        "#,
    );
}

#[test]
fn a_service_of_the_clients_is_offered_and_told_of_its_connection() {
    same_on(
        benches(),
        r#"
        said = []
        class Mine(rpyc.Service):
            def __init__(self, answer="from the client"):
                self.answer = answer
            def on_connect(self, conn):
                said.append(conn.closed)
            def on_disconnect(self, conn):
                said.append("over")
            def exposed_answer(self):
                return self.answer
        @rpyc.service
        class Marked(rpyc.Service):
            @rpyc.exposed
            def answer(self):
                return "marked"
        for service in Mine, Mine("an instance"), Marked:
            conn = connect(service=service)
            print(conn.root.theirs())
            conn.close()
        wait_until(lambda: said.count("over") == 2)
        print(said)
        show("void", connect().root.theirs)
        class Refuses(rpyc.Service):
            def __init__(self):
                raise ValueError("not today")
        show("refuses", lambda: connect(service=Refuses))
        "#,
    );
}

#[test]
fn views_of_objects_and_iteration_in_pieces_are_those_of_pythons_rpyc() {
    same_on(
        benches(),
        r#"
        root = connect().root
        print(list(rpyc.buffiter(root.counts(25), chunk=4)), sum(rpyc.buffiter(root.counts(3000), 10, 500)))
        class Thing:
            a, b = 1, 2
        thing = Thing()
        view = rpyc.restricted(thing, ["a"], ["b"])
        print(view.a, root.calls(lambda it: it.a, view))
        show("b", getattr, view, "b")
        view.b = 5
        print(thing.b)
        show("a", setattr, view, "a", 1)
        "#,
    );
}

#[test]
fn what_the_package_alone_says_is_clear() {
    let said = written(
        r#"
        import rpyc_rs
        conn = connect()
        print(isinstance(conn, rpyc.Connection), isinstance(conn.root, rpyc.Connection), rpyc is rpyc_rs)
        show("option", lambda: connect(config={"allow_everything": True}))
        show("made", rpyc.Connection)
        for name in dir(rpyc):
            getattr(rpyc, name)
        conn.note = ["mine"]
        print(conn.note is conn.note, conn.note)
        show("nobody", rpyc.connect, HERE, 1)
        "#,
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "True False True");
    assert!(lines[1].starts_with("option raises ValueError"), "{said}");
    assert!(lines[2].starts_with("made raises TypeError"), "{said}");
    assert_eq!(lines[3], "True ['mine']");
    assert!(
        lines[4].starts_with("nobody raises ConnectionRefusedError"),
        "{said}"
    );
}
