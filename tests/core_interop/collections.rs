//! Lists, dicts and iterators of Rust's, given by reference.

use rpyc_core::Config;

use crate::serving::{run, run_with};
use crate::shop::shop;

#[test]
fn a_list_is_used_as_a_list() {
    run(
        shop(),
        r#"
        stock = root.stock()
        same(type(stock).__name__, "builtins.list")
        assert isinstance(stock, list)
        same(len(stock), 3)
        same(stock[0], "tea")
        same(stock[-1], "bread")
        same(list(stock[1:]), ["milk", "bread"])
        same(list(stock[::-1]), ["bread", "milk", "tea"])
        same(list(stock), ["tea", "milk", "bread"])
        assert "milk" in stock and "jam" not in stock
        stock[0] = "jam"
        del stock[1]
        same(list(stock), ["jam", "bread"])
        same(repr(stock), "['jam', 'bread']")
        assert stock == ["jam", "bread"] and stock != ["jam"]
        with raises(IndexError, "list index out of range"):
            stock[5]
        with raises(TypeError, "list indices must be integers or slices, not str"):
            stock["x"]
        with raises(TypeError, "unhashable type: 'list'"):
            hash(stock)
        with raises(AttributeError, "allow_public_attrs"):
            stock.append("x")
        same(list(rpyc.utils.helpers.buffiter(stock)), ["jam", "bread"])
        "#,
    );
}

#[test]
fn the_methods_of_a_list_and_of_a_dict_are_there_where_public_names_are() {
    let mut config = Config::default();
    config.allow_public_attrs = true;
    run_with(
        shop(),
        config,
        r#"
        stock = root.stock()
        stock.append("jam")
        stock.extend(["salt"])
        stock.insert(0, "oil")
        same(stock.pop(), "salt")
        same(stock.pop(0), "oil")
        same(stock.index("jam"), 3)
        same(stock.count("tea"), 1)
        stock.remove("tea")
        same(list(stock), ["milk", "bread", "jam"])
        stock.reverse()
        same(list(stock), ["jam", "bread", "milk"])
        with raises(ValueError):
            stock.remove("nothing")
        prices = root.prices()
        same(sorted(prices.keys()), ["milk", "tea"])
        same(dict(prices.items()), {"tea": 3, "milk": 1.5})
        same(prices.get("nothing"), None)
        same(prices.get("nothing", 7), 7)
        same(prices.pop("tea"), 3)
        same(prices.setdefault("salt", 9), 9)
        same(len(prices), 2)
        "#,
    );
}

#[test]
fn a_dict_is_used_as_a_dict() {
    run(
        shop(),
        r#"
        prices = root.prices()
        same(type(prices).__name__, "builtins.dict")
        assert isinstance(prices, dict)
        same(len(prices), 2)
        same(prices["tea"], 3)
        same(list(prices), ["tea", "milk"])
        assert "tea" in prices and "jam" not in prices
        prices["jam"] = 4
        prices[1] = "one"
        same(prices[True], "one")
        same(prices[1.0], "one")
        del prices["tea"]
        same(list(prices), ["milk", "jam", 1])
        with raises(KeyError, "tea"):
            prices["tea"]
        with raises(KeyError):
            del prices["tea"]
        same(repr(prices), "{'milk': 1.5, 'jam': 4, 1: 'one'}")
        assert prices == {"milk": 1.5, "jam": 4, 1: "one"}
        assert prices != {"milk": 1.5}
        key = object()
        prices[key] = "mine"
        same(prices[key], "mine")
        "#,
    );
}

#[test]
fn an_iterator_gives_one_item_after_the_other_and_ends_once() {
    run(
        shop(),
        r#"
        squares = root.squares(4)
        assert iter(squares) is squares
        same(next(squares), 0)
        same(next(squares), 1)
        same(list(squares), [4, 9])
        with raises(StopIteration):
            next(squares)
        same(next(squares, "end"), "end")
        same(sum(root.squares(100)), 328350)
        same(list(rpyc.utils.helpers.buffiter(root.squares(25), 10)), [n * n for n in range(25)])
        "#,
    );
}

#[test]
fn an_iterator_that_is_asked_while_it_runs_says_so_and_one_that_is_closed_ends() {
    let mut config = Config::default();
    config.allow_public_attrs = true;
    run_with(
        shop(),
        config,
        r#"
        def ask(value):
            with raises(ValueError, "generator already executing"):
                next(calls)
            return value
        calls = root.calls(ask)
        same(next(calls), 0)
        same(next(calls), 1)
        calls.close()
        same(list(calls), [])
        "#,
    );
}

#[test]
fn an_iterator_that_fails_raises_and_is_at_its_end() {
    run(
        shop(),
        r#"
        failing = root.failing()
        same((next(failing), next(failing)), (0, 1))
        with raises(ValueError, "the third is bad"):
            next(failing)
        same(list(failing), [])
        "#,
    );
}
