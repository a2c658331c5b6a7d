//! What the tests call: a few objects by hand, and connections to them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::error::CloseReason;
use rpyc_core::object::ObjectRef;
use rpyc_core::object::{IdParts, MethodInfo, ObjectResult};
use rpyc_core::service::PeerInfo;
use rpyc_core::transport::memory_pair;
use rpyc_core::*;

/// A hang's detector, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An object of the class `name` that does what the function says: it is given the name of a
/// method, or `__call__`.
pub(crate) struct Scripted<F> {
    name: &'static str,
    act: F,
}

impl<F> Scripted<F>
where
    F: Fn(&Context<'_>, &str, Args) -> ObjectResult + Send + Sync + 'static,
{
    pub(crate) fn object(name: &'static str, act: F) -> Any {
        Any::object(Scripted { name, act })
    }
}

impl<F> Object for Scripted<F>
where
    F: Fn(&Context<'_>, &str, Args) -> ObjectResult + Send + Sync + 'static,
{
    fn id_parts(&self) -> IdParts {
        IdParts::instance(self.name, self)
    }

    fn has_attr(&self, _: &Context<'_>, _: &str) -> bool {
        true
    }

    fn attr(&self, cx: &Context<'_>, name: &str) -> ObjectResult {
        (self.act)(cx, name, Args::new())
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        (self.act)(cx, "__call__", args)
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        (self.act)(cx, name.trim_start_matches("exposed_"), args)
    }
}

/// A list by reference.
pub(crate) struct List(pub(crate) Mutex<Vec<Value>>);

impl List {
    pub(crate) fn of(items: impl IntoIterator<Item = i64>) -> Any {
        let items = items.into_iter().map(Value::from).collect();
        Any::object(List(Mutex::new(items)))
    }
}

fn index_of(args: &Args, len: usize) -> Result<usize, Exception> {
    let index = args.positional.first().and_then(Any::as_value);
    let index = index
        .and_then(Value::as_u64)
        .and_then(|i| i.try_into().ok());
    index
        .filter(|index| *index < len)
        .ok_or_else(|| Exception::builtin("IndexError").with_arg("list index out of range"))
}

impl Object for List {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.list", self)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        name.starts_with("__")
    }

    fn call_method(&self, _: &Context<'_>, name: &str, mut args: Args) -> ObjectResult {
        let mut items = self.0.lock().expect("no panic");
        let len = items.len();
        Ok(match name {
            "__len__" => Any::from(len),
            "__getitem__" => Any::Value(items[index_of(&args, len)?].clone()),
            "__setitem__" => {
                let index = index_of(&args, len)?;
                items[index] = args.positional.remove(1).into_value().expect("a value");
                Any::NONE
            }
            "__delitem__" => {
                items.remove(index_of(&args, len)?);
                Any::NONE
            }
            "__contains__" => Any::from(items.contains(args.positional[0].as_value().expect("it"))),
            "__iter__" => Any::object(Items(Mutex::new(items.clone().into_iter()))),
            _ => return Err(self.no_attribute(name)),
        })
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<wire::Str> {
        let items = self.0.lock().expect("no panic");
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        Ok(format!("[{}]", items.join(", ")).into())
    }

    fn compare(&self, _: &Context<'_>, op: &str, other: &Any) -> ObjectResult {
        let len = self.0.lock().expect("no panic").len() as i64;
        let other = other.as_value().and_then(Value::as_i64);
        Ok(match (op, other) {
            ("__lt__", Some(other)) => Any::from(len < other),
            _ => Any::Value(Value::NotImplemented),
        })
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<wire::Str>> {
        Ok(vec!["__iter__".into(), "__len__".into()])
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([("__len__".into(), Some("How many.".into()))]))
    }
}

struct Items(Mutex<std::vec::IntoIter<Value>>);

impl Object for Items {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.list_iterator", self)
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        Ok(self.0.lock().expect("no panic").next().map(Any::Value))
    }
}

/// Counts up; raises at a number.
pub(crate) struct Counting {
    pub(crate) next: AtomicU64,
    pub(crate) raises_at: u64,
}

impl Object for Counting {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.generator", self)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        name == "__iter__"
    }

    fn call_method(&self, _: &Context<'_>, name: &str, _: Args) -> ObjectResult {
        match name {
            "__iter__" => Ok(Any::object(Counting {
                next: AtomicU64::new(0),
                raises_at: self.raises_at,
            })),
            _ => Err(self.no_attribute(name)),
        }
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number == self.raises_at {
            return Err(Exception::value_error("enough"));
        }
        Ok(Some(Any::from(number)))
    }
}

/// Offers one object as its root.
pub(crate) struct Offering(pub(crate) ObjectRef);

impl Service for Offering {
    fn root(&self) -> ObjectRef {
        self.0.clone()
    }
}

/// A service whose root does what the function says.
pub(crate) fn offering<F>(act: F) -> Arc<dyn Service>
where
    F: Fn(&Context<'_>, &str, Args) -> ObjectResult + Send + Sync + 'static,
{
    match Scripted::object("tests.Root", act) {
        Any::Local(root) => Arc::new(Offering(root)),
        _ => unreachable!("an object is local"),
    }
}

/// Everything that the tests ask for, by name.
pub(crate) fn everything() -> Arc<dyn Service> {
    offering(|cx, name, mut args| match name {
        "add" => {
            let sum: i64 = args
                .positional
                .iter()
                .filter_map(|item| item.as_value().and_then(Value::as_i64))
                .sum();
            Ok(Any::from(sum))
        }
        "echo" => Ok(args.positional.remove(0)),
        "apply" => {
            let function = args.positional.remove(0);
            function.call_in(cx, args)
        }
        "numbers" => Ok(List::of(0..3000)),
        "list" => Ok(List::of([1, 2, 3])),
        "circle" => {
            let list = object::List::of([1])?;
            list.push(Any::from(list.clone()))?;
            Ok(Any::from(list))
        }
        "counting" => Ok(Any::object(Counting {
            next: AtomicU64::new(0),
            raises_at: args.positional[0]
                .as_value()
                .and_then(Value::as_u64)
                .expect("a number"),
        })),
        "fail" => Err(Exception::value_error("as asked")),
        _ => Err(Exception::attribute_error(format!("no {name}"))),
    })
}

/// A client of the service, whose side is served by a thread. The receiver is told when that ends.
pub(crate) fn client_of(
    service: Arc<dyn Service>,
    server: impl Into<Side>,
    client: impl Into<Side>,
) -> (Connection, Receiver<CloseReason>) {
    pair_of(Arc::new(VoidService), client, service, server)
}

/// The same where the client offers something, too.
pub(crate) fn pair_of(
    client_service: Arc<dyn Service>,
    client: impl Into<Side>,
    service: Arc<dyn Service>,
    server: impl Into<Side>,
) -> (Connection, Receiver<CloseReason>) {
    let (here, there) = memory_pair();
    let (Side(here_config, here_peer), Side(config, peer)) = (client.into(), server.into());
    let here = Connection::over(Arc::new(here), client_service, here_config, here_peer);
    let there = Connection::over(Arc::new(there), service, config, peer);
    let (here, there) = (here.expect("a connection"), there.expect("a connection"));
    let (told, ended) = channel();
    thread::spawn(move || {
        let _ = told.send(there.serve_all());
    });
    (here, ended)
}

/// One side of a connection: its options, and its name in logs and the like.
pub(crate) struct Side(pub(crate) Config, pub(crate) PeerInfo);

impl Side {
    pub(crate) fn named(connid: &str, config: Config) -> Side {
        Side(config, PeerInfo::named(connid))
    }
}

impl From<Config> for Side {
    fn from(config: Config) -> Side {
        Side(config, PeerInfo::default())
    }
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} never came");
        thread::yield_now();
    }
}

/// A client of [`everything`].
pub(crate) fn client() -> Connection {
    client_of(everything(), Config::default(), Config::default()).0
}
