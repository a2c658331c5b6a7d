//! Collections of this side under the names of Python's own: [`List`], [`Dict`], [`Set`],
//! [`Iter`].
//!
//! A Python peer keeps ready-made proxies for these names, so that indexing, iterating, `len` and
//! `in` work without a question. As in Python, methods like `append` are public, not exposed: a
//! peer can call them only where `allow_public_attrs` lets it.

mod dict;
mod equality;
mod iter;
mod key;
mod list;
mod position;
mod set;

use std::array;
use std::cell::Cell;

pub use self::dict::Dict;
pub use self::iter::Iter;
pub use self::list::List;
pub use self::set::Set;
use super::class::Method;
use super::{Any, ClassBuilder, Context, Exposed, IntoAny, ObjectResult, Signature};
use crate::exception::Exception;

/// What a handle of a shared collection has, whichever it is.
macro_rules! collection {
    ($name:ident, $class:literal, $contents:ty) => {
        impl $name {
            /// An empty one.
            pub fn new() -> $name {
                $name::holding(Default::default())
            }

            /// How many it holds now.
            pub fn len(&self) -> usize {
                self.0.lock().len()
            }

            /// Whether it holds none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The one that an object is, if it is one of ours.
            pub(in crate::object) fn of_object(object: &crate::object::ObjectRef) -> Option<$name> {
                object.downcast_ref().cloned().map($name)
            }

            fn holding(contents: $contents) -> $name {
                $name(Exposed::new(Mutex::new(contents)))
            }

            /// The class, with the methods that all collections have.
            fn builder() -> ClassBuilder<Mutex<$contents>> {
                Class::builder("builtins", $class)
                    .with("__len__", [], |this: &This, _, []| Ok(this.lock().len()))
                    .with("copy", [], |this, _, []| {
                        Ok($name::holding(this.lock().clone()))
                    })
                    .with("clear", [], |this, _, []| {
                        let old = std::mem::take(&mut *this.lock());
                        drop(old);
                        Ok(())
                    })
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new()
            }
        }

        impl IntoAny for $name {
            fn into_any(self) -> ObjectResult {
                Ok(Any::from(self))
            }
        }

        impl From<$name> for Any {
            fn from(collection: $name) -> Any {
                Any::object(collection.0)
            }
        }

        impl crate::object::Expose for Mutex<$contents> {
            fn class() -> std::sync::Arc<Class<Self>> {
                static CLASS: std::sync::LazyLock<std::sync::Arc<Class<Mutex<$contents>>>> =
                    std::sync::LazyLock::new(|| std::sync::Arc::new(class()));
                CLASS.clone()
            }
        }
    };
}
use collection;

impl<T: Send + Sync + 'static> ClassBuilder<T> {
    /// Adds a method with these parameters.
    fn with<const N: usize, R: IntoAny>(
        self,
        name: &str,
        parameters: [&str; N],
        call: impl Fn(&Exposed<T>, &Context<'_>, [Any; N]) -> ObjectResult<R> + Send + Sync + 'static,
    ) -> ClassBuilder<T> {
        self.with_optional(name, parameters, [], move |this, cx, args, []| {
            call(this, cx, args)
        })
    }

    /// Adds a method with these parameters, of which the second ones may be left out.
    fn with_optional<const N: usize, const M: usize, R: IntoAny>(
        self,
        name: &str,
        required: [&str; N],
        optional: [&str; M],
        call: impl Fn(&Exposed<T>, &Context<'_>, [Any; N], [Option<Any>; M]) -> ObjectResult<R>
        + Send
        + Sync
        + 'static,
    ) -> ClassBuilder<T> {
        let signature = Signature::method(&format!("{}.{name}", self.class.name()));
        let signature = required.into_iter().fold(signature, Signature::required);
        let signature = optional.into_iter().fold(signature, Signature::optional);
        let method = Method::bound(name, signature, move |this, cx, bound| {
            let required = array::from_fn(|index| bound.take(index).unwrap_or(Any::NONE));
            let optional = array::from_fn(|index| bound.take(N + index));
            call(this, cx, required, optional)?.into_any()
        });
        if name.starts_with("__") {
            self.method(method)
        } else {
            self.public_method(method)
        }
    }
}

/// `repr(item)`
fn repr_of(cx: &Context<'_>, item: &Any) -> ObjectResult<String> {
    match item {
        Any::Value(value) => Ok(value.to_string()),
        Any::Local(object) => deeper(|| Ok(object.repr(cx)?.to_string())),
        Any::Netref(netref) => Ok(netref.repr()?.to_string()),
        Any::Tuple(items) => {
            let comma = if items.len() == 1 { "," } else { "" };
            Ok(format!("({}{comma})", reprs_of(cx, items)?))
        }
    }
}

/// The texts of several, with commas between.
fn reprs_of(cx: &Context<'_>, items: &[Any]) -> ObjectResult<String> {
    let texts: ObjectResult<Vec<String>> = items.iter().map(|item| repr_of(cx, item)).collect();
    Ok(texts?.join(", "))
}

/// Does `work`, which looks into a thing within another, unless that is too deep: one may hold itself.
fn deeper<T>(work: impl FnOnce() -> ObjectResult<T>) -> ObjectResult<T> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(Exception::recursion_error(
            "collections are nested too deeply, or within themselves",
        ));
    }
    DEPTH.set(depth + 1);
    let _back = Back(depth);
    work()
}

/// Sets the depth back, also when a panic passes.
struct Back(usize);

impl Drop for Back {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Stops a peer that puts a list into itself and asks for its text: the stack would overflow,
/// which ends the process.
const MAX_DEPTH: usize = 64;
