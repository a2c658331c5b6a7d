//! The service that the hostile peers meet.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rpyc_core::object::ObjectRef;
use rpyc_core::object::{IdParts, MethodInfo, ObjectResult};
use rpyc_core::wire::Str;
use rpyc_core::{Any, Args, Connection, Context, Exception, Object, Service, Value};

/// Counts what happens to one connection.
#[derive(Default)]
pub(crate) struct Probe {
    pub(crate) disconnects: Arc<AtomicUsize>,
    pub(crate) ticks: Arc<AtomicUsize>,
}

impl Service for Probe {
    fn root(&self) -> ObjectRef {
        Arc::new(Root {
            ticks: self.ticks.clone(),
            kept: Mutex::default(),
        })
    }

    fn on_disconnect(&self, _: &Connection) {
        self.disconnects.fetch_add(1, Ordering::SeqCst);
    }
}

struct Root {
    ticks: Arc<AtomicUsize>,
    kept: Mutex<Vec<Any>>,
}

const NAMES: &[&str] = &[
    "bytes", "call", "echo", "inspect", "keep", "make", "names", "numbers", "things", "tick",
];

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("hostile.Root", self)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        name.strip_prefix("exposed_")
            .is_some_and(|name| NAMES.contains(&name))
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "exposed_things" => Ok(Any::object(Things(0))),
            "exposed_numbers" => Ok(Any::object(Numbers(0))),
            name => Err(self.no_attribute(name)),
        }
    }

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let mut positional = args.positional.into_iter();
        let mut first = || {
            positional
                .next()
                .ok_or_else(|| Exception::type_error("one is missing"))
        };
        match name {
            "exposed_bytes" => match first()? {
                Any::Value(Value::Int(count)) => {
                    let count = count.to_u64().unwrap_or(0).min(64 << 20);
                    Ok(Any::from(Value::Bytes(vec![7; count as usize].into())))
                }
                _ => Err(Exception::type_error("a count")),
            },
            "exposed_call" => {
                let callee = first()?;
                callee.call_in(cx, Args::from(positional.collect::<Vec<_>>()))
            }
            "exposed_echo" => first(),
            "exposed_inspect" => match first()? {
                Any::Netref(netref) => Ok(Any::from(netref.inspect()?.len() as i64)),
                _ => Err(Exception::type_error("a netref")),
            },
            "exposed_keep" => {
                let kept = first()?;
                self.kept.lock().unwrap().push(kept);
                Ok(Any::NONE)
            }
            "exposed_make" => Ok(Any::object(Thing(0))),
            "exposed_names" => {
                let names = args.keyword.iter().map(|(name, _)| Any::from(name.clone()));
                Ok(Any::tuple(names))
            }
            "exposed_tick" => Ok(Any::from(self.ticks.fetch_add(1, Ordering::SeqCst) as i64)),
            name => Err(self.no_attribute(name)),
        }
    }
}

/// Something that can be held.
struct Thing(#[allow(dead_code)] u8); // of some size, so that no two share an address

impl Object for Thing {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("hostile.Thing", self)
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([(Str::from_static("__len__"), None)]))
    }
}

/// An iterator of objects, without an end.
struct Things(#[allow(dead_code)] u8); // likewise

impl Object for Things {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("hostile.Things", self)
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        Ok(Some(Any::object(Thing(0))))
    }
}

/// An iterator of numbers, without an end.
struct Numbers(#[allow(dead_code)] u8); // likewise

impl Object for Numbers {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("hostile.Numbers", self)
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        Ok(Some(Any::from(7_i64)))
    }
}
