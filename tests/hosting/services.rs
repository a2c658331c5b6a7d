//! Classes, their names and hooks, and the options of their connections.

use crate::{client, hosted, pythons, same_as_stock};

#[test]
fn methods_values_properties_and_classes_are_what_stock_clients_expect() {
    same_as_stock(
        "MagnetService",
        &[],
        r#"
        conn = connect()
        root = conn.root
        print(root.add(1, 2), root.exposed_add(1), root.add(a=1, b=2), root.add(1, 2, 3, c=4))
        print(root.version, root.amps, root.static(1), root.of_class(), root.add.__doc__)
        print(root.get_service_name(), root.get_service_aliases(), root.told())
        print(root.table["a"] if "__getitem__" in dir(type(root.table)) else None)
        coil = root.Coil(3)
        print(coil.turns(), coil.wire, len(coil), list(coil), coil[1])
        show("beyond", lambda: coil[7])
        print(isinstance(coil, root.Coil), type(coil).__name__)
        print(root.mine is root.mine, list(root.mine), root.private() == root)
        print(root.items([3, 1]), list(root.counts(3)), root.counts(2).__next__())
        with root.open() as door:
            pass
        print(door.log_of())
        print(root.thread() == root.thread())
        "#,
    );
}

#[test]
fn names_that_arent_exposed_are_refused_and_nothing_can_be_set() {
    same_as_stock(
        "MagnetService",
        &[],
        r#"
        root = connect().root
        for name in ("secret", "hidden", "_amps", "__class__", "__dict__", "on_connect", "nothing"):
            tried(name, getattr, root, name)
        for name in ("amps", "exposed_amps", "other", "_amps"):
            tried("set " + name, setattr, root, name, 3)
            tried("delete " + name, delattr, root, name)
        coil = root.Coil(1)
        tried("of an instance", getattr, coil, "limit")
        tried("set of an instance", setattr, coil, "wire", 1)
        print(root.amps, coil.wire)
        "#,
    );
}

#[test]
fn callbacks_are_called_at_once_later_and_by_the_service_itself() {
    same_as_stock(
        "MagnetService",
        &[],
        r#"
        root = connect().root
        print(root.calls(lambda x: x + 1, 4), root.later(lambda x: x * 2))
        print(root.calls(root.calls, len, "abc"), root.calls(root.add, 1, 2))
        print(root.calls(lambda: root.calls(lambda: root.add(5, 6))))
        print(root.root())
        "#,
    );
}

#[test]
fn exceptions_go_both_ways_as_the_options_say() {
    let code = r#"
        class Own(Exception):
            pass
        class Quench(Exception):
            pass
        Quench.__module__ = "lab"
        root = connect().root
        for what in ("key", "value", "own"):
            show(what, root.fails, what)
        def raises(error):
            raise error
        print(root.catches(lambda: 1 / 0))
        print(root.catches(lambda: raises(Own("x"))))
        print(root.catches(lambda: raises(Quench("x"))))
        import graphlib
        print(root.catches(lambda: raises(graphlib.CycleError("x"))))
        try:
            root.fails("key")
        except KeyError as error:
            print("exposed_fails" in str(error), "Remote Traceback" in str(error))
    "#;
    same_as_stock("MagnetService", &[], code);
    let instantiate = ("instantiate_custom_exceptions", "True");
    same_as_stock("MagnetService", &[instantiate], code);
    let import = ("import_custom_exceptions", "True");
    same_as_stock("MagnetService", &[instantiate, import], code);
    let silent = [
        ("include_local_traceback", "False"),
        ("include_local_version", "False"),
    ];
    same_as_stock("MagnetService", &silent, code);
}

#[test]
fn the_options_of_access_count() {
    let code = r#"
        root = connect().root
        for name in ("secret", "hidden", "amps", "told", "_amps", "__dict__", "rpc_x", "mine"):
            tried(name, lambda: type(getattr(root, name)).__name__)
        tried("set", setattr, root, "amps", 3)
        tried("delete", delattr, root, "mine")
        tried("len", lambda: len(root.exposed_table))
    "#;
    for config in [
        &[("allow_public_attrs", "True")][..],
        &[("allow_all_attrs", "True")],
        &[("allow_exposed_attrs", "False")],
        &[("allow_getattr", "False")],
        &[("allow_setattr", "True"), ("allow_delattr", "True")],
        &[("allow_safe_attrs", "False")],
        &[("exposed_prefix", "'rpc_'")],
        &[("safe_attrs", "{'_amps'}")],
    ] {
        same_as_stock("MagnetService", config, code);
    }
}

#[test]
fn pickling_is_the_services_to_allow() {
    let code = r#"
        from rpyc.utils.classic import obtain
        root = connect(allow_pickle=True).root
        show("obtain", lambda: obtain(root.exposed_table))
    "#;
    same_as_stock("MagnetService", &[("allow_pickle", "True")], code);
    for python in pythons() {
        let server = hosted(python.as_deref(), "MagnetService", &[]);
        let written = client(&server, code);
        assert!(
            written.starts_with("obtain builtins ValueError"),
            "{written}"
        );
    }
}

#[test]
fn a_class_that_is_no_service_of_rpycs_has_the_names_that_it_has() {
    same_as_stock(
        "Opens",
        &[],
        r#"
        root = connect().root
        tried("method", lambda: root.method())
        tried("value", lambda: root.value)
        tried("private", lambda: root._conn)
        "#,
    );
    // Python's own server takes such a class only if it has a method of rpyc's.
    for python in pythons() {
        let written = client(
            &hosted(python.as_deref(), "Plain", &[]),
            r#"
            root = connect().root
            print(root.double(4), root.number)
            tried("triple", lambda: root.triple(1))
            "#,
        );
        assert_eq!(written, "8 5\ntriple is refused");
    }
}

#[test]
fn a_service_restricts_access_by_hooks_of_its_own() {
    same_as_stock(
        "Restricted",
        &[],
        r#"
        root = connect().root
        tried("safe_method", lambda: root.safe_method())
        tried("safe_value", lambda: root.safe_value)
        for name in ("method", "other", "exposed_method", "__dict__"):
            tried(name, getattr, root, name)
        tried("set", setattr, root, "safe_value", 5)
        print(root.safe_value)
        tried("set other", setattr, root, "other", 5)
        tried("delete other", delattr, root, "other")
        tried("delete", delattr, root, "safe_value")
        tried("deleted", lambda: root.safe_value)
        "#,
    );
}

#[test]
fn an_object_with_the_hooks_gives_peers_names_of_its_own() {
    same_as_stock(
        "GivesFoo",
        &[],
        r#"
        root = connect().root
        foo = root.foo()
        print(foo.value, foo.method())
        for name in ("safe_value", "safe_method", "other", "exposed_value"):
            tried(name, getattr, foo, name)
        foo.value = 5
        foo.new = 6
        print(foo.value, foo.new, sorted(root.seen()))
        print([root.seen()[name] for name in ("value", "safe_value", "safe_new", "method")])
        del foo.new
        tried("deleted", lambda: foo.new)
        class Mine:
            def __init__(self): self.safe_value = 1
            def safe_method(self): return "mine"
            def _rpyc_getattr(self, name): return getattr(self, "safe_" + name)
            def _rpyc_setattr(self, name, value): setattr(self, "safe_" + name, value)
            def _rpyc_delattr(self, name): delattr(self, "safe_" + name)
        mine = Mine()
        print(root.uses(mine), vars(mine))
        "#,
    );
}

#[test]
fn what_decorators_mark_is_exposed() {
    for python in pythons() {
        let written = client(
            &hosted(python.as_deref(), "Marked", &[]),
            r#"
            root = connect().root
            print(root.method(), root.other())
            tried("hidden", getattr, root, "hidden")
            "#,
        );
        assert_eq!(written, "marked too\nhidden is refused");
    }
}

#[test]
fn each_client_has_an_instance_unless_one_is_for_all() {
    let code = r#"
        one, two = connect(), connect()
        print(one.root.next(), one.root.next(), two.root.next(), one.root.next())
    "#;
    same_as_stock("Counter", &[], code);
    same_as_stock("one_counter", &[], code);
    same_as_stock("from_hundred", &[], code);
    for python in pythons() {
        let server = hosted(python.as_deref(), "Counter", &["--shared"]);
        assert_eq!(client(&server, code), "1 2 3 4");
    }
}

#[test]
fn a_service_is_told_when_a_connection_ends() {
    same_as_stock(
        "MagnetService",
        &[],
        r#"
        first = connect()
        print(first.root.told())
        first.close()
        second = connect()
        while len(second.root.told()) < 3:
            pass
        # The end of the first and the beginning of the second come in either order.
        print(sorted(second.root.told()))
        "#,
    );
}

#[test]
fn each_option_arrives_at_the_connection() {
    let names = "allow_safe_attrs allow_exposed_attrs allow_public_attrs allow_all_attrs exposed_prefix \
        allow_getattr allow_setattr allow_delattr include_local_traceback include_local_version \
        instantiate_custom_exceptions import_custom_exceptions instantiate_oldstyle_exceptions \
        propagate_SystemExit_locally propagate_KeyboardInterrupt_locally log_exceptions allow_pickle \
        connid credentials sync_request_timeout before_closed close_catchall bind_threads";
    let code = format!("print(*sorted(connect().root.config(*{names:?}.split())), sep='\\n')");
    same_as_stock("MagnetService", &[("connid", "'mine'")], &code);
    let others = [
        ("allow_delattr", "True"),
        ("allow_pickle", "True"),
        ("allow_setattr", "True"),
        ("close_catchall", "True"),
        ("connid", "'mine'"),
        ("credentials", "('me', 7)"),
        ("import_custom_exceptions", "True"),
        ("include_local_traceback", "False"),
        ("include_local_version", "False"),
        ("instantiate_custom_exceptions", "True"),
        ("instantiate_oldstyle_exceptions", "True"),
        ("log_exceptions", "False"),
        ("propagate_KeyboardInterrupt_locally", "False"),
        ("propagate_SystemExit_locally", "True"),
        ("sync_request_timeout", "12.5"),
    ];
    same_as_stock("MagnetService", &others, &code);
    same_as_stock(
        "MagnetService",
        &[("sync_request_timeout", "None"), ("connid", "'mine'")],
        &code,
    );
    for python in pythons() {
        let options = ["--protocol-config", "lab:options"];
        let server = hosted(python.as_deref(), "MagnetService", &options);
        let written = client(
            &server,
            "print(connect().root.config('allow_public_attrs', 'sync_request_timeout'))",
        );
        assert_eq!(
            written,
            "(('allow_public_attrs', True), ('sync_request_timeout', 7))"
        );
    }
}

#[test]
fn before_closed_is_called_with_the_peers_root_when_this_side_closes() {
    for python in pythons() {
        let options = ["--protocol-config", "lab:closes"];
        let server = hosted(python.as_deref(), "MagnetService", &options);
        let written = client(&server, "closed(connect().root)");
        assert_eq!(written, "closed\nTrue");
    }
}

#[test]
fn a_service_says_who_its_client_is_and_what_is_called_before_it_closes() {
    let code = r#"
        root = connect().root
        print(root.decided())
        closed(root)
        "#;
    same_as_stock("Decides", &[], code);
}

#[test]
fn the_log_of_a_connection_goes_where_its_logger_says() {
    for python in pythons() {
        let options = [
            "--protocol-config",
            "logger=rpyc.magnets",
            "--log-format",
            "json",
            "--verbose",
        ];
        let server = hosted(python.as_deref(), "MagnetService", &options);
        client(&server, "show('fails', connect().root.fails, 'value')");
        server.wait_for_log("the exception", |lines| {
            let is_told =
                |line: &String| line.contains("rpyc.magnets") && line.contains("ValueError");
            lines.iter().any(is_told).then_some(())
        });
    }
}
