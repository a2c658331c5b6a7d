//! What tells objects apart: what a peer learns of it, and what it may conclude.

use std::collections::HashSet;
use std::sync::Arc;

use rpyc_core::{Any, Config, Error, Exception, Exposed, FromAny, Value, args, expose, service};

use crate::support::{Session, session};

struct Thing;

#[expose(module = "shop")]
impl Thing {}

/// Whatever its `__iter__` was told to give.
struct Odd(Any);

#[expose(module = "shop")]
impl Odd {
    #[exposed]
    fn __iter__(&self) -> Any {
        self.0.clone()
    }
}

struct Shop(Exposed<Thing>);

#[service]
impl Shop {
    #[exposed]
    fn thing(&self) -> Exposed<Thing> {
        self.0.clone()
    }

    #[exposed]
    fn address(&self) -> u64 {
        let thing: &Thing = &self.0;
        std::ptr::from_ref(thing) as usize as u64
    }

    #[exposed]
    fn odd(&self, what: &str) -> Result<Any, Exception> {
        let given = match what {
            "int" => Any::from(7),
            "str" => Any::from("abc"),
            "None" => Any::NONE,
            "frozenset" => Any::from(Value::FrozenSet(vec![Value::None])),
            _ => Any::object(Exposed::new(Thing)),
        };
        Ok(Any::object(Exposed::new(Odd(given))))
    }

    #[exposed]
    fn odd_of(&self, given: Any) -> Any {
        Any::object(Exposed::new(Odd(given)))
    }
}

fn shop() -> Session {
    session(Exposed::new(Shop(Exposed::new(Thing))), Config::default())
}

#[test]
fn neither_repr_nor_hash_of_an_object_tells_its_address() -> Result<(), Error> {
    let shop = shop();
    let address = u64::from_any(shop.call("address", args![])?)?;
    let thing = shop.object("thing", args![]);
    let (repr, hash) = (thing.repr()?, thing.remote_hash()?);
    assert!(repr.starts_with("<shop.Thing object at 0x"), "{repr}");
    let digits = repr
        .trim_end_matches('>')
        .rsplit("0x")
        .next()
        .unwrap_or_default();
    let shown = u64::from_str_radix(digits, 16).expect("a number");
    // The value and its counts, its class, ... are within one allocation.
    let near = |number: u64| (address - 256..address + 256).contains(&number);
    assert!(!near(shown), "{repr} tells {address:#x}");
    let hash = u64::try_from(hash).expect("not negative");
    assert!(
        !near(hash) && !near(hash << 4),
        "{hash:#x} tells {address:#x}"
    );
    Ok(())
}

#[test]
fn an_object_has_one_repr_and_one_hash_and_another_one_has_others() -> Result<(), Error> {
    let (one, other) = (shop(), shop());
    let things = [one.object("thing", args![]), other.object("thing", args![])];
    let of = |thing: &rpyc_core::Netref| Ok::<_, Error>((thing.repr()?, thing.remote_hash()?));
    assert_eq!(of(&things[0])?, of(&things[0])?);
    assert_ne!(of(&things[0])?, of(&things[1])?);
    let ids: HashSet<_> = things.iter().map(|thing| thing.id_pack().class).collect();
    assert_eq!(ids.len(), 1, "one class has one id");
    Ok(())
}

#[test]
fn an_object_and_a_class_of_two_connections_are_not_compared() {
    let (one, other) = (shop(), shop());
    let thing = one.object("thing", args![]);
    let class = other.object("thing", args![]);
    let error = thing.is_instance(&class).expect_err("nobody knows");
    assert!(error.to_string().contains("two connections"), "{error}");
}

#[test]
fn what_gives_no_iterator_is_no_list() -> Result<(), Error> {
    let shop = shop();
    for what in ["int", "str", "None", "frozenset", "shop.Thing"] {
        let odd = shop.object("odd", args![what]);
        let items = Vec::<Any>::from_any(Any::Netref(odd));
        let error = items.expect_err(what).to_string();
        assert!(
            error.contains("TypeError") || error.contains("itera"),
            "{what}: {error}"
        );
    }
    // What comes back is an object of this side's.
    let ours = Any::Local(Arc::new(Exposed::new(Thing)));
    let odd = shop.object("odd_of", args![ours]);
    assert!(Vec::<Any>::from_any(Any::Netref(odd)).is_err());
    Ok(())
}
