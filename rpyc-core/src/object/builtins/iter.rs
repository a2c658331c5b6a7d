//! [`Iter`]: a Rust iterator as a Python one.

use std::fmt;
use std::sync::Arc;

use crate::exception::Exception;
use crate::object::{
    Any, Args, Context, FromAny, Function, IdParts, IntoAny, MethodInfo, Object, ObjectResult,
};
use crate::sync::Mutex;
use crate::wire::Str;

/// A Rust iterator as a Python one: a shared handle, taken by whoever asks for the next item.
///
/// A Python peer takes it for a generator: `for`, `next` and `buffiter` work, `close` drops the Rust
/// iterator.
#[derive(Clone)]
pub struct Iter(Arc<Mutex<State>>);

/// Where the Rust iterator is.
enum State {
    Ended,
    // Out of the lock: it is foreign code, which may come back here.
    Executing,
    Idle(Items),
}

type Items = Box<dyn Iterator<Item = ObjectResult> + Send>;

impl Iter {
    /// Gives what this iterator gives; an item that is an error is raised, and ends it.
    pub fn new<I>(items: I) -> Iter
    where
        I: IntoIterator,
        I::Item: IntoAny + 'static,
        I::IntoIter: Send + 'static,
    {
        let items: Items = Box::new(items.into_iter().map(IntoAny::into_any));
        Iter(Arc::new(Mutex::new(State::Idle(items))))
    }

    fn close(&self) {
        let items = std::mem::replace(&mut *self.0.lock(), State::Ended);
        drop(items);
    }
}

impl IntoAny for Iter {
    fn into_any(self) -> ObjectResult {
        Ok(Any::object(self))
    }
}

impl Object for Iter {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.generator", &*self.0)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        METHODS.contains(&name)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        let Some(name) = METHODS.iter().find(|known| **known == name) else {
            return Err(self.no_attribute(name));
        };
        let this = self.clone();
        let method = Function::new(name, move |cx, args| this.call_method(cx, name, args));
        Ok(Any::object(method.bound_to(Arc::new(self.clone()))))
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        match name {
            "__iter__" => Ok(Any::object(self.clone())),
            // No value can be sent into a Rust iterator.
            "__next__" | "next" | "send" => match self.next(cx)? {
                Some(item) => Ok(item),
                None => Err(Exception::stop_iteration()),
            },
            "close" => {
                self.close();
                Ok(Any::NONE)
            }
            "throw" => {
                self.close();
                match args.positional.into_iter().next() {
                    Some(exc) => Err(Exception::from_any(exc)?),
                    None => Err(Exception::type_error(
                        "throw expected at least 1 argument, got 0",
                    )),
                }
            }
            "__length_hint__" => {
                let hint = match &*self.0.lock() {
                    State::Idle(items) => items.size_hint().0,
                    State::Ended | State::Executing => 0,
                };
                Ok(Any::from(hint))
            }
            "__doc__" => Ok(Any::NONE),
            name => Err(self.no_attribute(name)),
        }
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        let mut items = match &mut *self.0.lock() {
            State::Ended => return Ok(None),
            State::Executing => {
                return Err(Exception::value_error("generator already executing"));
            }
            state => match std::mem::replace(state, State::Executing) {
                State::Idle(items) => items,
                State::Ended | State::Executing => return Ok(None),
            },
        };
        // A panic leaves it executing: it is of no use any more.
        let item = items.next();
        let mut state = self.0.lock();
        // Closed meanwhile, it stays so.
        let goes_on = matches!(*state, State::Executing) && matches!(item, Some(Ok(_)));
        if goes_on {
            *state = State::Idle(items);
        } else {
            *state = State::Ended;
            drop(state);
            drop(items);
        }
        item.transpose()
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        Ok(METHODS.iter().map(|name| Str::from_static(name)).collect())
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        let names = METHODS.iter().map(|name| (Str::from_static(name), None));
        Ok(names.collect())
    }
}

impl fmt::Debug for Iter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<iterator>")
    }
}

const METHODS: [&str; 6] = [
    "__iter__",
    "__length_hint__",
    "__next__",
    "close",
    "send",
    "throw",
];
