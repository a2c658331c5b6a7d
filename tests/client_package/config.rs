//! `DEFAULT_CONFIG`: the options of connections, where programs look for them.

use crate::{benches, same_on};

#[test]
fn the_default_options_are_those_of_pythons_rpyc() {
    same_on(
        benches(),
        r#"
        defaults = rpyc.core.protocol.DEFAULT_CONFIG
        for name, value in defaults.items():
            print(name, type(value).__name__, sorted(value) if name == "safe_attrs" else value)
        print(type(defaults).__name__, rpyc.core.DEFAULT_CONFIG is defaults)
        "#,
    );
}

#[test]
fn a_connection_takes_a_changed_copy_of_the_default_options() {
    same_on(
        benches(),
        r#"
        config = rpyc.core.protocol.DEFAULT_CONFIG.copy()
        config["sync_request_timeout"] = 45
        config.update(allow_public_attrs=True, safe_attrs=config["safe_attrs"] | {"__name__"})
        with connect(config=config) as conn:
            print(conn.root.add(1), conn._config["sync_request_timeout"], conn._config["allow_public_attrs"])
            print("__name__" in conn._config["safe_attrs"], conn._config["credentials"])
        with connect() as conn:
            print(conn._config["sync_request_timeout"], conn._config["allow_public_attrs"])
        "#,
    );
}

#[test]
fn changed_default_options_hold_for_connections_that_are_made_from_then_on() {
    same_on(
        benches(),
        r#"
        class Public(rpyc.Service):
            def method(self):
                return "called"

        defaults = rpyc.core.protocol.DEFAULT_CONFIG
        before = rpyc.connect_thread(remote_service=Public)
        show("before", lambda: before.root.method())
        defaults["allow_public_attrs"] = True
        defaults["sync_request_timeout"] = 45
        defaults["safe_attrs"].add("__name__")
        show("before", lambda: before.root.method())
        after = rpyc.connect_thread(remote_service=Public)
        show("after", lambda: after.root.method())
        print(after._config["sync_request_timeout"], "__name__" in after._config["safe_attrs"])
        given = rpyc.connect_thread(config={"sync_request_timeout": 5}, remote_config={"allow_public_attrs": False},
                                    remote_service=Public)
        show("given", lambda: given.root.method())
        print(given._config["sync_request_timeout"])
        "#,
    );
}
