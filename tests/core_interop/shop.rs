//! The service that the scripts use.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use rpyc_core::by_value::Serde;
use rpyc_core::object::{Dict, Iter, List, Set};
use rpyc_core::wire::Value;
use serde::{Deserialize, Serialize};

use rpyc_core::{Any, Args, Context, Exception, Exposed, Netref, args, expose, service};

#[derive(Default)]
pub(crate) struct ShopService {
    opened: AtomicUsize,
    exits: Mutex<Vec<String>>,
}

/// Sells things.
///
/// To Python.
#[service(module = "shop", aliases("shop", "Store"))]
impl ShopService {
    /// Adds two numbers.
    #[exposed]
    fn add(&self, a: i64, #[default = 10] b: i64) -> i64 {
        a + b
    }

    #[exposed]
    fn echo(&self, value: Any) -> Any {
        value
    }

    #[exposed]
    fn join(&self, words: Vec<String>, #[default = ",".to_owned()] with: String) -> String {
        words.join(&with)
    }

    #[exposed]
    fn count(&self, stock: BTreeMap<String, i64>) -> i64 {
        stock.values().sum()
    }

    #[exposed]
    fn order(&self, order: Serde<Order>) -> Serde<Order> {
        let mut order = order.0;
        order.items.reverse();
        Serde(order)
    }

    #[exposed]
    fn all(
        &self,
        #[rest] args: Vec<Any>,
        #[keywords] named: BTreeMap<String, Any>,
    ) -> (usize, usize) {
        (args.len(), named.len())
    }

    #[exposed]
    fn apply(&self, cx: &Context<'_>, function: Any, value: Any) -> Result<Any, Exception> {
        function.call_in(cx, Args::from([value]))
    }

    #[exposed]
    fn credentials(&self, cx: &Context<'_>) -> Option<Any> {
        cx.connection().peer().credentials
    }

    #[exposed]
    fn shelf(&self, items: Vec<String>) -> Shelf {
        Shelf {
            items: Mutex::new(items),
        }
    }

    #[exposed]
    fn door(this: &Exposed<Self>) -> Door {
        Door { shop: this.clone() }
    }

    #[exposed]
    fn exits(&self) -> Vec<String> {
        self.exits
            .lock()
            .map(|exits| exits.clone())
            .unwrap_or_default()
    }

    #[exposed]
    fn prices(&self) -> Result<Dict, Exception> {
        let prices = Dict::new();
        prices.insert("tea", 3)?;
        prices.insert("milk", 1.5)?;
        Ok(prices)
    }

    #[exposed]
    fn stock(&self) -> Result<List, Exception> {
        List::of(["tea", "milk", "bread"])
    }

    #[exposed]
    fn tags(&self) -> Result<Set, Exception> {
        Set::of(["hot", "cold"])
    }

    #[exposed]
    fn squares(&self, count: u64) -> Iter {
        Iter::new((0..count).map(|number| number * number))
    }

    #[exposed]
    fn calls(&self, function: Netref) -> Iter {
        Iter::new((0..3).map(move |number| function.call(args![number])))
    }

    #[exposed]
    fn failing(&self) -> Iter {
        Iter::new((0..3).map(|number| match number {
            2 => Err(Exception::value_error("the third is bad")),
            number => Ok(number),
        }))
    }

    #[exposed]
    fn money(&self, amount: i64) -> Money {
        Money(amount)
    }

    #[exposed]
    fn raise(&self, kind: &str) -> Result<(), Exception> {
        Err(match kind {
            "value" => Exception::value_error("bad value").with_arg(7),
            "key" => Exception::key_error("lost"),
            "system" => Exception::builtin("OSError").with_arg("x"),
            "io" => std::io::Error::new(std::io::ErrorKind::PermissionDenied, "not today").into(),
            "file" => match std::fs::read("/no/such/file") {
                Err(error) => Exception::from_io(&error, "/no/such/file"),
                Ok(_) => return Ok(()),
            },
            "parse" => match "x".parse::<i64>() {
                Err(error) => Exception::from(error),
                Ok(_) => return Ok(()),
            },
            "custom" => Exception::new("shop", "OutOfStock")
                .with_arg("tea")
                .with_attr("until", "Monday"),
            "called" => Exception::new("subprocess", "CalledProcessError")
                .with_arg(3)
                .with_arg("false")
                .with_attr("returncode", 3)
                .with_attr("cmd", "false")
                .with_attr("output", Value::None)
                .with_attr("stderr", Value::None),
            _ => return Ok(()),
        })
    }

    #[getter]
    fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    #[allow(dead_code)] // that it can't be reached is what it is here for
    fn set_opened(&self, opened: usize) {
        self.opened.store(opened, Ordering::Relaxed);
    }

    #[on_connect]
    fn open(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    #[allow(dead_code)] // that it can't be reached is what it is here for
    fn till(&self) -> i64 {
        1000
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    name: String,
    items: Vec<(String, u32)>,
    paid: Option<f64>,
}

/// Holds things, in order.
pub(crate) struct Shelf {
    items: Mutex<Vec<String>>,
}

#[expose(module = "shop")]
impl Shelf {
    #[exposed]
    fn __len__(&self) -> usize {
        self.with(|items| items.len())
    }

    #[exposed]
    fn __getitem__(&self, index: i64) -> Result<String, Exception> {
        let index = usize::try_from(index).ok();
        self.with(|items| index.and_then(|index| items.get(index).cloned()))
            .ok_or_else(|| Exception::builtin("IndexError").with_arg("no such place"))
    }

    #[exposed]
    fn __setitem__(&self, index: usize, item: String) {
        self.with(|items| items[index] = item);
    }

    #[exposed]
    fn __delitem__(&self, index: usize) {
        self.with(|items| items.remove(index));
    }

    #[exposed]
    fn __contains__(&self, item: &str) -> bool {
        self.with(|items| items.iter().any(|known| known == item))
    }

    #[exposed]
    fn __iter__(&self) -> Iter {
        Iter::new(self.with(|items| items.clone()))
    }

    /// Puts a thing at the end.
    #[exposed]
    fn __call__(&self, item: String) -> usize {
        self.with(|items| {
            items.push(item);
            items.len()
        })
    }

    #[exposed]
    fn __repr__(&self) -> String {
        self.with(|items| format!("Shelf({items:?})"))
    }

    #[exposed]
    fn __str__(&self) -> String {
        self.with(|items| items.join(" "))
    }

    #[getter]
    fn first(&self) -> Option<String> {
        self.with(|items| items.first().cloned())
    }

    #[setter]
    fn set_first(&self, item: String) {
        self.with(|items| items.insert(0, item));
    }

    fn with<T>(&self, action: impl FnOnce(&mut Vec<String>) -> T) -> T {
        let mut items = match self.items.lock() {
            Ok(items) => items,
            Err(poisoned) => poisoned.into_inner(),
        };
        action(&mut items)
    }
}

pub(crate) struct Door {
    shop: Exposed<ShopService>,
}

#[expose(module = "shop")]
impl Door {
    #[exposed]
    fn __enter__(this: &Exposed<Self>) -> Exposed<Self> {
        this.clone()
    }

    /// Swallows a KeyError.
    #[exposed]
    fn __exit__(&self, exc: Option<Exception>) -> bool {
        let text = exc.as_ref().map_or("clean".to_owned(), ToString::to_string);
        if let Ok(mut exits) = self.shop.exits.lock() {
            exits.push(text);
        }
        exc.is_some_and(|exc| exc.is("KeyError"))
    }
}

pub(crate) struct Money(i64);

#[expose(module = "shop")]
impl Money {
    #[exposed]
    fn __eq__(&self, other: Any) -> Any {
        self.compare(&other, |one, two| one == two)
    }

    #[exposed]
    fn __lt__(&self, other: Any) -> Any {
        self.compare(&other, |one, two| one < two)
    }

    #[exposed]
    fn __hash__(&self) -> i64 {
        self.0
    }

    #[exposed]
    fn __add__(&self, other: i64) -> Money {
        Money(self.0 + other)
    }

    #[exposed]
    fn __repr__(&self) -> String {
        format!("Money({})", self.0)
    }

    fn compare(&self, other: &Any, by: fn(i64, i64) -> bool) -> Any {
        let number = match other {
            Any::Local(object) => {
                let object: &dyn std::any::Any = &**object;
                object.downcast_ref::<Exposed<Money>>().map(|money| money.0)
            }
            other => other.as_value().and_then(Value::as_i64),
        };
        match number {
            Some(number) => Any::from(by(self.0, number)),
            None => Any::Value(Value::NotImplemented),
        }
    }
}

/// Numbers that a client may count up.
pub(crate) static COUNTER: AtomicI64 = AtomicI64::new(0);

/// A shop that is all new.
pub(crate) fn shop() -> Exposed<ShopService> {
    Exposed::new(ShopService::default())
}
