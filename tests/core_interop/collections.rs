//! Lists, dicts and iterators of Rust's, given by reference.

use std::collections::HashMap;

use rpyc_core::by_value::ByValue;
use rpyc_core::object::{Dict, List, Set};
use rpyc_core::wire::Value;
use rpyc_core::{Any, Config, Exception, Exposed};

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
    run_with(
        shop(),
        with_public_names(),
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
    run_with(
        shop(),
        with_public_names(),
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

fn with_public_names() -> Config {
    Config::new().allow_public_attrs(true)
}

#[test]
fn the_public_methods_and_operators_of_pythons_list_dict_and_set_are_there() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        ours = {"__contains__", "__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__",
                "__add__", "__iadd__", "__and__", "__iand__", "__rand__", "__or__", "__ior__", "__ror__",
                "__sub__", "__isub__", "__rsub__", "__xor__", "__ixor__", "__rxor__"}
        # Sorting and merging are the client's: sorted(remote), {**remote}.
        absent = {(list, "sort"), (dict, "fromkeys"), (dict, "__or__"), (dict, "__ior__"), (dict, "__ror__")}
        for remote, kind in (root.stock(), list), (root.prices(), dict), (root.tags(), set):
            for name in dir(kind):
                if (not name.startswith("_") or name in ours) and (kind, name) not in absent:
                    assert callable(getattr(remote, name)), (kind, name)
        "#,
    );
}

#[test]
fn a_set_is_used_as_a_set() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        tags = root.tags()
        same(type(tags).__name__, "builtins.set")
        assert isinstance(tags, set)
        same(len(tags), 2)
        same(sorted(tags), ["cold", "hot"])
        assert "hot" in tags and "sour" not in tags
        tags.add("sour")
        tags.add("hot")
        same(len(tags), 3)
        tags.remove("sour")
        tags.discard("sour")
        with raises(KeyError, "sour"):
            tags.remove("sour")
        with raises(TypeError, "unhashable type"):
            tags.add(slice(1))
        same(set(tags | {"sour"}), {"hot", "cold", "sour"})
        same(set({"sour"} | frozenset(tags)), {"hot", "cold", "sour"})
        same(set(tags & frozenset(["hot", "dry"])), {"hot"})
        same(set(tags - {"hot"}), {"cold"})
        same(set(tags ^ {"hot", "dry"}), {"cold", "dry"})
        same(set(tags.union(["a"], ("b",))), {"hot", "cold", "a", "b"})
        same(set(tags.intersection(["hot", "x"])), {"hot"})
        same(set(tags.difference(["hot"])), {"cold"})
        same(set(tags.symmetric_difference(["hot", "x"])), {"cold", "x"})
        assert tags == {"hot", "cold"} and tags != {"hot"}
        assert tags >= {"hot"} and tags > {"hot"} and tags <= {"hot", "cold", "x"}
        assert not tags < {"hot", "cold"} and tags.issuperset(["hot"]) and tags.isdisjoint(["x"])
        with raises(TypeError):
            tags | ["hot"]
        kept = tags
        kept |= {"new"}
        same(sorted(tags), ["cold", "hot", "new"])
        tags.difference_update(["new"])
        tags.update(["one", "two"])
        tags.intersection_update({"one", "hot"})
        tags.symmetric_difference_update({"one", "three"})
        same(sorted(tags), ["hot", "three"])
        copy = tags.copy()
        assert copy.pop() in ("hot", "three")
        same((len(copy), len(tags)), (1, 2))
        tags.clear()
        same(repr(tags), "set()")
        with raises(KeyError, "pop from an empty set"):
            tags.pop()
        "#,
    );
}

#[test]
fn a_list_is_sorted_by_its_client_extended_and_searched_in_parts() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        stock = root.stock()
        same(sorted(stock), ["bread", "milk", "tea"])
        same(sorted(stock, key=len, reverse=True), ["bread", "milk", "tea"])
        same(list(stock + ["jam"]), ["tea", "milk", "bread", "jam"])
        kept = stock
        kept += ["jam"]
        same(list(stock.copy()), ["tea", "milk", "bread", "jam"])
        stock[1:3] = [1, 2, 1]
        same(list(stock), ["tea", 1, 2, 1, "jam"])
        stock[::2] = ("a", "b", "c")
        same(list(stock), ["a", 1, "b", 1, "c"])
        stock[9:] = ["end"]
        stock[-1:-1] = [0]
        same(list(stock), ["a", 1, "b", 1, "c", 0, "end"])
        with raises(ValueError, "size 1 to extended slice of size 4"):
            stock[::2] = [0]
        del stock[4:]
        same(stock.index(1, 2), 3)
        same(stock.index(1, -3, 4), 1)
        with raises(ValueError, "9 is not in list"):
            stock.index(9)
        with raises(IndexError, "pop index out of range"):
            stock.pop(7)
        stock.clear()
        with raises(IndexError, "pop from empty list"):
            stock.pop()
        "#,
    );
}

#[test]
fn every_index_and_slice_names_the_items_that_it_names_in_a_list_of_python() {
    run(
        shop(),
        r#"
        import itertools
        stock, ours = root.stock(), ["tea", "milk", "bread"]
        large = 1 << 63, -1 << 63, 1 << 70, -1 << 70
        for index in *range(-4, 4), *large:
            if -3 <= index < 3:
                same(stock[index], ours[index])
            else:
                with raises(IndexError, "list index out of range"):
                    stock[index]
        ends = None, *range(-4, 5), *large
        for parts in itertools.product(ends, ends, (None, 1, 2, -1, -2, *large)):
            same(list(stock[slice(*parts)]), ours[slice(*parts)])
        "#,
    );
}

#[test]
fn what_is_one_key_in_python_is_one_key_and_one_element() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        things = [0, -0.0, False, 1, 1.0, True, 1 + 0j, 0.5, complex(0.5, -0.0), 1.5j, complex(-0.0, 1.5),
                  "1", "a", b"a", "", b"", (), frozenset(), frozenset([1]), frozenset([2]), frozenset([1, "a"]),
                  frozenset(["a", 1.0, True]), None, ..., 1 << 64, float(1 << 64), 0x3fe0000000000000]
        for within in (lambda key: key), (lambda key: (key,)), (lambda key: frozenset([key, 7])):
            theirs, ours = root.prices(), root.tags()
            theirs.clear()
            ours.clear()
            keys = {}
            for number, thing in enumerate(things):
                keys[within(thing)] = theirs[within(thing)] = number
                ours.add(within(thing))
            same(list(theirs.items()), list(keys.items()))
            same((len(ours), set(ours)), (len(keys), set(keys)))
        # All of them once had one hash. That they are one key is what Python says of one and the same.
        tags = root.tags()
        tags.update([float("nan") for _ in range(1000)])
        same(len(tags), 3)
        "#,
    );
}

/// Their items were compared each with each: 10,000,000,000 times. Of nested ones both directions were
/// gone through at each level: 2^60 times.
#[test]
fn large_and_nested_frozensets_are_compared_in_no_time() {
    run(
        shop(),
        r#"
        def nested():
            inner = 1
            for number in range(50):
                inner = frozenset([inner, number])
            return inner
        prices = root.prices()
        prices[frozenset(range(100_000))] = "large"
        same(prices[frozenset(reversed(range(100_000)))], "large")
        prices[nested()] = "nested"
        same(prices[nested()], "nested")
        "#,
    );
}

#[test]
fn a_dict_is_merged_by_its_client_updated_and_copied() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        prices = root.prices()
        prices.update({"tea": 4}, jam=2)
        prices.update([("salt", 1)])
        same(dict(prices), {"tea": 4, "milk": 1.5, "jam": 2, "salt": 1})
        same(prices.popitem(), ("salt", 1))
        same({**prices, "tea": 9}, {"tea": 9, "milk": 1.5, "jam": 2})
        prices["oil"] = 7
        copy = prices.copy()
        copy["tea"] = 0
        same((prices["tea"], prices["oil"]), (4, 7))
        with raises(ValueError, "length 1; 2 is required"):
            prices.update([(1,)])
        prices.clear()
        with raises(KeyError, "dictionary is empty"):
            prices.popitem()
        "#,
    );
}

#[test]
fn lists_and_dicts_are_iterated_backwards_where_all_names_are() {
    let config = Config::new().allow_all_attrs(true);
    run_with(
        shop(),
        config,
        r#"
        same(list(reversed(root.stock())), ["bread", "milk", "tea"])
        same(list(reversed(root.prices())), ["milk", "tea"])
        "#,
    );
}

/// Lists, dicts and sets of either side were taken as keys and elements, by their identity.
#[test]
fn what_python_cannot_hash_is_neither_key_nor_element() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        import collections
        prices, tags, stock = root.prices(), root.tags(), root.stock()
        bad = {"list": [[], stock, (1, []), ((stock,),)], "dict": [{}, prices],
               "set": [set(), tags], "bytearray": [bytearray()],
               "OrderedDict": [collections.OrderedDict()]}
        for name, things in bad.items():
            for thing in things:
                for use in (
                    lambda: prices[thing],
                    lambda: prices.__setitem__(thing, 1),
                    lambda: thing in prices,
                    lambda: prices.setdefault(thing, 1),
                    lambda: prices.update([(thing, 1)]),
                    lambda: tags.add(thing),
                    lambda: thing in tags,
                    lambda: tags.discard(thing),
                    lambda: tags.update([thing]),
                ):
                    with raises(TypeError, f"unhashable type: '{name}'"):
                        use()
        same((len(prices), len(tags)), (2, 2))
        # What has a hash is a key: an object, a class, a tuple that holds them.
        class Thing:
            pass
        thing = Thing()
        for key in thing, Thing, (1, thing), ((thing,), "x"), frozenset([1, 2]), len:
            prices[key] = "here"
            same(prices[key], "here")
            tags.add(key)
            assert key in tags
        same(prices[frozenset([2.0, True])], "here")
        "#,
    );
}

#[test]
fn an_operator_of_sets_gives_the_left_operands_type() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        tags = root.tags()
        fixed = frozenset(["hot", "dry"])
        results = [
            (fixed & tags, {"hot"}),
            (fixed | tags, {"hot", "dry", "cold"}),
            (fixed - tags, {"dry"}),
            (fixed ^ tags, {"dry", "cold"}),
        ]
        for result, expected in results:
            same(type(result), frozenset)
            same(set(result), expected)
        for result in tags & fixed, tags | fixed, tags - fixed, tags ^ fixed:
            same(type(result).__name__, "builtins.set")
        for result in set(fixed) & tags, set(fixed) - tags:
            same(type(result).__name__, "builtins.set")
        "#,
    );
}

/// All frozensets had one hash: each was compared with all that were there.
#[test]
fn many_frozensets_are_as_many_keys_in_no_time() {
    run_with(
        shop(),
        with_public_names(),
        r#"
        prices = root.prices()
        many = {frozenset([n, -n, "x"]): n for n in range(20000)}
        prices.update(list(many.items()))
        same(len(prices), 2 + len(many))
        same(prices[frozenset(["x", -9, 9])], 9)
        "#,
    );
}

struct Copied;

#[rpyc_core::service]
impl Copied {
    /// Everything that a list may hold.
    #[exposed]
    fn all(&self, theirs: Any) -> Result<List, Exception> {
        let dict = Dict::new();
        dict.insert("row", ByValue(vec![(1, "one")]))?;
        dict.insert(2, Set::of([3])?)?;
        let items = [
            Any::from(1_u128 << 100),
            Any::from(-5),
            Any::from(0.5),
            Any::from("text"),
            Any::from(true),
            Any::NONE,
            Any::Value(Value::Bytes(b"bytes".as_slice().into())),
            Any::Value(Value::Complex(1.0, 2.0)),
            Any::Value(Value::Ellipsis),
            Any::Value(Value::FrozenSet(vec![Value::from(1)])),
            Any::Value(Value::Slice(Box::new([
                Value::from(1),
                Value::None,
                Value::None,
            ]))),
            dict.into(),
            theirs,
        ];
        List::of(items)
    }

    #[exposed]
    fn map(&self) -> (i64, HashMap<String, Vec<i64>>) {
        (1, HashMap::from([("a".to_owned(), vec![1, 2])]))
    }
}

#[test]
fn lists_dicts_and_maps_are_obtained_with_all_that_they_hold() {
    let config = Config::new().allow_pickle(true);
    run_with(
        Exposed::new(Copied),
        config,
        r#"
        from rpyc.utils.classic import obtain
        conn._config['allow_pickle'] = True
        theirs = [['of the client'], {'k': (1, 2)}]
        got = obtain(root.all(theirs))
        same(got, [1 << 100, -5, 0.5, 'text', True, None, b'bytes', 1 + 2j, ..., frozenset({1}),
                   slice(1, None, None), {'row': [(1, 'one')], 2: {3}}, theirs])
        same(type(got), list)
        same(obtain(root.map()), (1, {'a': (1, 2)}))
        "#,
    );
}
