//! Names, docstrings, attributes: what a Python program sees of a Rust service before it calls.

use rpyc_core::{Config, Exposed, service};

use crate::serving::{run, run_with};
use crate::shop::{ShopService, shop};

#[test]
fn methods_are_called_with_positional_and_keyword_arguments_and_defaults() {
    run(
        shop(),
        r#"
        same(root.add(1, 2), 3)
        same(root.add(1), 11)
        same(root.add(b=2, a=1), 3)
        same(root.exposed_add(1, 2), 3)
        same(root.all(1, 2, x=3), (2, 1))
        same(root.join(["a", "b"]), "a,b")
        same(root.join(("a", "b"), "-"), "a-b")
        same(root.count({"tea": 3, "milk": 4}), 7)
        same(root.echo((1, "x", None, 2.5, b"b")), (1, "x", None, 2.5, b"b"))
        "#,
    );
}

#[test]
fn a_serde_type_is_made_of_dicts_and_lists_and_goes_back_as_pairs() {
    run(
        shop(),
        r#"
        order = {"name": "Ann", "items": [["tea", 1], ("milk", 2)], "paid": None}
        answer = dict(root.order(order))
        same(answer, {"name": "Ann", "items": (("milk", 2), ("tea", 1)), "paid": None})
        with raises(TypeError, "argument 'order'"):
            root.order({"name": "Ann"})
        with raises(TypeError, "argument 'order'"):
            root.order(3)
        import itertools
        with raises(MemoryError, "more than 1000000 items"):
            root.join(itertools.repeat("x"))
        endless = []
        endless.append(endless)
        with raises(TypeError, "nested too deep"):
            root.order(endless)
        "#,
    );
}

struct Orders;

#[service]
impl Orders {
    #[exposed]
    fn order(&self, item: i64, count: i64, #[default = 9] price: i64) -> (i64, i64, i64) {
        (item, count, price)
    }

    #[exposed]
    fn ship(&self, a: i64, b: i64, c: i64) -> i64 {
        a + b + c
    }

    #[exposed]
    fn now(&self) {}

    #[exposed]
    fn all(
        &self,
        a: i64,
        #[rest] more: Vec<i64>,
        #[keywords] named: Vec<(String, i64)>,
    ) -> (i64, Vec<i64>, Vec<(String, i64)>) {
        (a, more, named)
    }
}

#[test]
fn arguments_find_their_places_or_are_refused_as_those_of_a_class_of_python_are() {
    run(
        Orders,
        r#"
        class Orders:
            def order(self, item, count, price=9):
                return item, count, price
            def ship(self, a, b, c):
                return a + b + c
            def now(self):
                pass
            def all(self, a, *more, **named):
                return a, more, tuple(named.items())
        for name, method in vars(Orders).items():
            if callable(method):
                method.__qualname__ = f"Orders.{name}"
        def outcome(of, name, args, named):
            try:
                return getattr(of, name)(*args, **named)
            except TypeError as error:
                return str(error).splitlines()[0]
        seen = set()
        for name in "order", "ship", "now", "all":
            for count in range(6):
                for named in ({}, {"price": 3}, {"count": 2, "price": 3}, {"item": 1}, {"hue": 7},
                              {"z": 1, "b": 2}, {"a": 5, "c": 6}):
                    there, here = (outcome(of, name, range(count), named) for of in (root, Orders()))
                    same(there, here)
                    seen.add(here)
        assert len(seen) > 40, seen
        "#,
    );
}

#[test]
fn an_argument_of_a_wrong_type_is_named() {
    run(
        shop(),
        r#"
        with raises(TypeError, "ShopService.add() argument 'a' must be int, not str"):
            root.add("1")
        with raises(TypeError, "argument 'b' must be int, not NoneType"):
            root.add(1, None)
        with raises(TypeError, "argument 'words': item 1 must be str, not int"):
            root.join(["a", 2])
        with raises(OverflowError, "argument 'a' is out of range for i64"):
            root.add(1 << 70)
        "#,
    );
}

#[test]
fn names_and_docstrings_are_those_of_the_source() {
    run(
        shop(),
        r#"
        same(root.__doc__, "Sells things.\n\nTo Python.")
        same(root.add.__doc__, "Adds two numbers.")
        same(type(root).exposed_add.__doc__, "Adds two numbers.")
        same(type(root).__name__, "shop.ShopService")
        names = dir(root)
        assert "add" in names and "exposed_add" in names and "opened" in names, names
        assert "till" not in names and "exposed_till" not in names, names
        assert type(root.add).__name__ == "builtins.method", type(root.add)
        assert repr(root.add).startswith("<bound method ShopService.add of <shop.ShopService"), repr(root.add)
        import pydoc
        text = pydoc.render_doc(type(root), renderer=pydoc.plaintext)
        assert "Adds two numbers." in text, text
        "#,
    );
}

#[test]
fn a_service_tells_its_names() {
    run(
        shop(),
        r#"
        same(root.get_service_name(), "SHOP")
        same(root.get_service_aliases(), ("SHOP", "STORE"))
        "#,
    );
}

#[test]
fn what_is_not_exposed_can_not_be_reached_and_the_error_says_who_refused_and_why() {
    run(
        shop(),
        r#"
        for name in ["till", "_private", "__dict__", "__globals__", "set_opened"]:
            with raises(AttributeError, "cannot access"):
                getattr(root, name)
        with raises(AttributeError, "no attribute 'exposed_till'"):
            root.exposed_till
        with raises(AttributeError, "denied by the policy of the side that owns it (allow_public_attrs)"):
            root.till
        for name in ["__class__", "__subclasses__", "__getattribute__", "__reduce__"]:
            with raises(AttributeError, "allow_all_attrs"):
                conn.sync_request(rpyc.core.consts.HANDLE_GETATTR, root, name)
        "#,
    );
}

#[test]
fn a_service_can_not_be_changed_whatever_the_config_says() {
    let config = Config::new()
        .allow_setattr(true)
        .allow_delattr(true)
        .allow_all_attrs(true);
    run_with(
        shop(),
        config,
        r#"
        same(root.opened, 1)
        with raises(AttributeError, "access denied"):
            root.opened = 5
        with raises(AttributeError, "access denied"):
            del root.opened
        same(root.opened, 1)
        "#,
    );
}

#[test]
fn one_value_serves_all_connections_when_its_handle_is_shared() {
    run(
        shop(),
        r#"
        same(root.opened, 1)
        other = rpyc.connect(HOST, PORT)
        same(other.root.opened, 2)
        same(root.opened, 2)
        "#,
    );
}

#[test]
fn the_type_of_the_root_is_no_python_type_and_asking_costs_nothing() {
    let service: Exposed<ShopService> = shop();
    run(
        service,
        r#"
        assert not isinstance(root, int)
        assert not isinstance(root, str)
        assert root == root
        assert len({root: 1, conn.root: 2}) == 1
        "#,
    );
}
