//! The attribute macros of `rpyc-core`, which re-exports and documents them.
#![forbid(unsafe_code)]

mod client;
mod exception;
mod expand;
mod method;
mod options;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::parse::Parser;
use syn::parse_macro_input;

use crate::expand::Kind;

/// The marked methods of the type are what a peer's `conn.root` offers.
///
/// Stands on one `impl` block of the type. What is marked with these, and nothing else, is visible
/// to peers:
///
/// - `#[exposed]` on a method; `#[exposed(name = "...")]` gives it another name. A dunder method
///   (`__len__`, `__iter__`, `__getitem__`, `__enter__`, `__exit__`, `__call__`, ...) makes the operator
///   work at the peer.
/// - `#[getter]` on a method that computes an attribute: `fn size(&self) -> T` makes the property `size`.
///   (A peer can't set a service's own attributes, whatever its config says; for those of other objects
///   there is [`expose`](macro@expose).)
/// - `#[configure]`, `#[on_connect]`, `#[before_closed]` and `#[on_disconnect]` on the hooks of a
///   connection's life (those of the trait `Service`).
///
/// Parameters are of any type that implements `FromAny`, or references to one (`&str`, `&[T]`);
/// results of any that implements `IntoAny`, `Result` with an error that becomes an exception
/// included. Beyond that a parameter may be
///
/// - `#[default] x: T` or `#[default = expr] x: T`: may be left out;
/// - `#[rest] xs: Vec<T>` and `#[keywords] map: HashMap<String, T>`: Python's `*args` and `**kwargs`;
/// - `cx: &Context<'_>`: the call's connection, credentials and addresses; no argument of the peer's;
/// - `this: &Exposed<Self>`: the object itself, to return it or to keep it.
///
/// Doc comments are the docstrings, of the methods and (on the block) of the class.
///
/// Options of the attribute: `name = "Name"` and `module = "pkg.mod"` for what a peer sees as the
/// class's name, `aliases("a", "b")` for the service's names. Without aliases the service is named
/// after the type, less `Service`, in capitals.
#[proc_macro_attribute]
pub fn service(options: TokenStream, item: TokenStream) -> TokenStream {
    of_block(Kind::Service, options, item)
}

/// The marked methods of the type are what a peer can use of a value that it holds by reference.
///
/// As [`service`](macro@service), without what only a service has: names to be found under and the
/// hooks of connections. `#[setter] fn set_size(&self, value: T)` and `#[deleter] fn delete_size(&self)`
/// are what setting and deleting the property `size` does, where the config has `allow_setattr` and
/// `allow_delattr`. Values of the type can be returned by exposed methods as they are; to hand
/// out one that lives on here, wrap it in `Exposed`.
#[proc_macro_attribute]
pub fn expose(options: TokenStream, item: TokenStream) -> TokenStream {
    of_block(Kind::Object, options, item)
}

/// A Rust error that is an exception of a Python class, in both directions: it implements
/// `PythonException` and `From<Self> for Exception`.
///
/// It stands on a struct that is an `Error`, so that `Display` gives its message. Each field is an
/// attribute of the exception; those with `#[arg]`, and the fields of a tuple struct, are its
/// arguments, too. Without any the message is the one argument. The fields are of types that
/// implement `IntoAny` and `FromAny`.
///
/// `#[exception(module = "lab", class = "OutOfRange")]` says what the class is called; without it that
/// is the module and the name of the struct.
#[proc_macro_derive(PythonException, attributes(exception, arg))]
pub fn python_exception(item: TokenStream) -> TokenStream {
    made(exception::expand(parse_macro_input!(item)))
}

/// A typed client of a remote object, a service's root mostly: the trait says what can be called.
///
/// For `trait Lab` it makes `struct LabClient`, which implements `Lab`. It is what
/// `conn.root()?.extract::<LabClient>()` gives, and can be a result or an argument itself. It has
///
/// - the methods of the trait: each calls the remote method of its name, and converts the answer;
/// - for each of them `async_...`, which doesn't wait and gives an `AsyncCall`;
/// - `timed(limit)`: a client whose calls have this time limit.
///
/// A method takes `&self` and gives a `Result` of a type that implements `FromAny`, with an error that
/// implements `From<rpyc_core::Error>`. Its parameters implement `IntoAny` and go by position; those
/// with `#[keyword]` go by name, `#[default] x: Option<T>` is left out where it is `None`, `#[rest]` and
/// `#[keywords]` pass on any number. `#[exposed(name = "...")]` gives the remote method another name;
/// `#[getter] fn size(&self)` and `#[setter] fn set_size(&self, value: T)` read and set the attribute
/// `size`. A method with a body stays as it is.
///
/// `#[client(name = "...")]` gives the struct another name.
#[proc_macro_attribute]
pub fn client(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = options::options(&["name"]).parse(options);
    let item = parse_macro_input!(item);
    made(options.and_then(|options| client::expand(options, item)))
}

fn of_block(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let known = ["name", "module", "aliases"];
    let options = options::options(&known).parse(options);
    let item = parse_macro_input!(item);
    made(options.and_then(|options| expand::expand(kind, options, item)))
}

fn made(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
