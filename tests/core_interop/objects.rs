//! Rust objects by reference: operators, properties, context managers.

use rpyc_core::Config;

use crate::serving::{run, run_with};
use crate::shop::shop;

#[test]
fn an_object_is_indexed_iterated_measured_and_called() {
    run(
        shop(),
        r#"
        shelf = root.shelf(["tea", "milk"])
        same(len(shelf), 2)
        same(shelf[0], "tea")
        same(list(shelf), ["tea", "milk"])
        same([thing for thing in shelf], ["tea", "milk"])
        assert "milk" in shelf and "bread" not in shelf
        shelf[1] = "bread"
        same(shelf[1], "bread")
        del shelf[0]
        same(list(shelf), ["bread"])
        same(shelf("jam"), 2)
        with raises(IndexError, "no such place"):
            shelf[9]
        same(bool(shelf), True)
        same(bool(root.shelf([])), False)
        "#,
    );
}

#[test]
fn repr_str_and_type_are_the_object_s_own() {
    run(
        shop(),
        r#"
        shelf = root.shelf(["tea"])
        same(repr(shelf), 'Shelf(["tea"])')
        same(str(shelf), "tea")
        same(f"{shelf}", "tea")
        same(type(shelf).__name__, "shop.Shelf")
        assert repr(root).startswith("<shop.ShopService object at 0x"), repr(root)
        same(str(root), repr(root))
        "#,
    );
}

#[test]
fn properties_are_read_and_under_allow_setattr_set() {
    run(
        shop(),
        r#"
        shelf = root.shelf(["tea"])
        same(shelf.first, "tea")
        with raises(AttributeError, "allow_setattr"):
            shelf.first = "jam"
        same(shelf.first, "tea")
        "#,
    );
    let config = Config::new().allow_setattr(true).allow_delattr(true);
    run_with(
        shop(),
        config,
        r#"
        shelf = root.shelf(["tea"])
        shelf.first = "jam"
        same(list(shelf), ["jam", "tea"])
        with raises(TypeError, "must be str, not int"):
            shelf.first = 3
        with raises(AttributeError, "no deleter"):
            del shelf.first
        "#,
    );
}

#[test]
fn equality_order_and_hash_are_the_object_s_own() {
    run(
        shop(),
        r#"
        five, six = root.money(5), root.money(6)
        assert five == root.money(5) and five == 5 and 5 == five
        assert five != six and not five == six
        assert five < six and six > five and five < 6
        same(hash(five), hash(root.money(5)))
        same({five: "a"}[root.money(5)], "a")
        assert not five == "five"
        with raises(TypeError, "not supported between"):
            five < "six"
        same(repr(five + 2), "Money(7)")
        assert sorted([six, five])[0] == five
        "#,
    );
}

#[test]
fn an_object_without_equality_is_equal_to_itself() {
    run(
        shop(),
        r#"
        shelf = root.shelf([])
        assert shelf == shelf and shelf != root.shelf([])
        same({shelf: 1}[shelf], 1)
        assert root.add == root.add and root.add != root.join
        "#,
    );
}

#[test]
fn a_context_manager_learns_the_class_of_what_left_it_and_may_swallow_it() {
    run(
        shop(),
        r#"
        with root.door() as door:
            same(type(door).__name__, "shop.Door")
        with raises(ValueError, "x"):
            with root.door():
                raise ValueError("x")
        with root.door():
            raise KeyError("swallowed")
        same(root.exits(), ("clean", "ValueError", "KeyError"))
        "#,
    );
}

#[test]
fn what_is_not_an_operator_of_the_object_is_a_type_error() {
    run(
        shop(),
        r#"
        with raises(TypeError):
            len(root.door())
        with raises(TypeError):
            iter(root.door())
        with raises(TypeError, "not callable"):
            root.door()()
        with raises(TypeError):
            root.door()[0]
        "#,
    );
}

#[test]
fn an_object_comes_back_as_itself() {
    run(
        shop(),
        r#"
        shelf = root.shelf(["tea"])
        assert root.echo(shelf) is shelf
        assert root.echo((shelf, 1))[0] is shelf
        "#,
    );
}
