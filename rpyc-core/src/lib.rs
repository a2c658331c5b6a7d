//! RPyC: transparent, symmetric remote object access, on the wire of Python's rpyc 6.
//!
//! A program holds a [`Netref`] of an object that lives in another process, and
//! every operation on it happens there. Either side may call the other at any moment, also while
//! it waits for an answer. The other side may be Rust or Python.
//!
//! # A service and a client
//!
//! ```
//! use std::net::TcpListener;
//! use std::thread;
//!
//! use rpyc_core::object::Function;
//! use rpyc_core::{Any, Args, Config, Connection, Context, Exception};
//! use rpyc_core::{args, connect, service};
//!
//! struct CalculatorService;
//!
//! /// Calculates. A Python client sees this as the docstring.
//! #[service]
//! impl CalculatorService {
//!     #[exposed]
//!     fn add(&self, a: i64, #[default = 1] b: i64) -> i64 {
//!         a + b
//!     }
//!
//!     #[exposed]
//!     fn twice(&self, cx: &Context<'_>, function: Any) -> Result<Any, Exception> {
//!         function.call_in(cx, Args::new())?;
//!         function.call_in(cx, Args::new())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The server: one thread for each client.
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! thread::spawn(move || {
//!     for stream in listener.incoming().flatten() {
//!         thread::spawn(move || {
//!             let conn = Connection::open(stream, CalculatorService, Config::default())?;
//!             Ok::<_, rpyc_core::Error>(conn.serve_all())
//!         });
//!     }
//! });
//!
//! // The client.
//! let conn = connect(address)?;
//! let root = conn.root()?;
//! let sum = root.call_method("add", args![40, b = 2])?.extract::<i64>()?;
//! assert_eq!(sum, 42);
//!
//! // A function of the client's, called by the server.
//! let greeting = "hello".to_owned();
//! let answer = root.call_method("twice", args![move || greeting.clone()])?;
//! assert_eq!(answer.as_str(), Some("hello"));
//!
//! // What the other side refuses or raises is an error that says so.
//! let error = root.call_method("no_such_thing", args![]).unwrap_err();
//! assert!(error.as_remote().is_some_and(|raised| raised.is("AttributeError")));
//! conn.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What you want, and where it is
//!
//! | to | use |
//! |---|---|
//! | connect: TCP, TLS, Unix socket, pipes, child process, ssh | [`connect`], [`Connector`] |
//! | find a server by the name of its service | the crate `rpyc-registry`: `connect_by_service` |
//! | offer a service: by attribute, of closures, by hand | [`macro@service`], [`object::Class`], [`Service`] |
//! | call whichever server of a service is there | `ServicePool` of `rpyc-registry` |
//! | use a remote object: attributes, items, calls, `for`, `with` | [`Any`], [`Netref`] |
//! | use one by methods with types | [`macro@client`] |
//! | raise exceptions of one's own classes, and catch them | [`macro@PythonException`], [`Error::downcast`] |
//! | pass functions, lists, dicts | [`args!`], [`dict!`], [`object::List`] |
//! | know what a call failed with | [`Error`]; why a connection ended: [`error::CloseReason`] |
//! | know who calls: address, credentials | [`Connection::peer`] |
//! | act when a client comes or goes | the hooks of [`macro@service`] |
//! | make Rust types of results, and the reverse | [`Any::extract`], [`FromAny`], [`IntoAny`] |
//! | go on without waiting; wait for several | [`Netref::async_call`], [`AsyncResult`] |
//! | be called while doing something else | [`Connection::serve_in_background`] |
//! | serve many requests of one peer at once | [`Connection::serve_threaded`] |
//! | copy whole structures in one round trip | [`by_value`] |
//! | say what a peer may do, and how long to wait | [`Config`]; bounds on its bytes: [`wire::Limits`] |
//!
//! What comes back is an [`Any`]: [`extract::<T>`](Any::extract) makes numbers, text, containers and
//! references of it, `extract::<Serde<T>>` a serde type of plain values, and
//! [`obtain::<T>`](Any::obtain) copies a whole remote structure in one round trip.
//!
//! # Who runs what
//!
//! Requests of the peer are served in
//! [`Connection::serve_all`] and its kin, on a background thread if there is one, and while
//! a thread waits for an answer of the peer's, or one that was sent without waiting is outstanding: then on a thread
//! of the config's [`executor`](Config#structfield.executor). They start in the order sent, one at a time; a
//! request that itself waits for this peer lets the next one start. Dropping a [`Netref`] never
//! blocks.
//!
//! # Features
//!
//! - `tls`: TLS at both sides, `Connector::connect_tls` and `transport::TlsServer`.
//!
//! # Inside
//!
//! The layers, from the bottom up: [`wire`] (bytes to values; pure), [`transport`] (streams),
//! `dispatch` (who reads, what runs where), [`mod@session`] and [`object`] (one layer: connections and
//! what travels over them by reference), [`mod@service`] (what a side offers). docs/architecture.md has the table.
#![forbid(unsafe_code)]

// The attribute macros name this crate by its name, also in its own tests.
extern crate self as rpyc_core;

pub mod by_value;
pub mod config;
mod connect;
mod counter_hash;
mod dispatch;
pub mod error;
mod exception;
pub mod executor;
#[cfg(test)]
mod heap_size_tests;
pub mod object;
mod observer;
pub mod pool;
pub mod service;
pub mod session;
#[doc(hidden)] // of this crate and those that stand on it: their locks are counted together
pub mod sync;
pub mod transport;
pub mod wire;

pub use self::config::Config;
pub use self::connect::{Connector, connect};
#[doc(inline)]
pub use self::error::{Error, Result};
pub use self::exception::{Exception, PythonException};
pub use self::object::{Any, Args, Context, Exposed, FromAny, IntoAny, Netref, Object};
#[doc(inline)]
pub use self::session::{AsyncResult, Connection};
pub use self::wire::Value;
/// Makes a Rust error an exception of a Python class, in both directions.
///
/// ```
/// use rpyc_core::{Config, Connector, PythonException, args, service};
///
/// #[derive(Debug, PartialEq, thiserror::Error, PythonException)]
/// #[error("{volts} V are out of range on channel {channel}")]
/// #[exception(module = "lab")]
/// struct OutOfRange {
///     channel: u32,
///     volts: f64,
/// }
///
/// struct Lab;
///
/// #[service]
/// impl Lab {
///     /// In Python it raises `lab.OutOfRange`, with the attributes `channel` and `volts`.
///     #[exposed]
///     fn set(&self, channel: u32, volts: f64) -> Result<f64, OutOfRange> {
///         match volts {
///             0.0..=5.0 => Ok(volts),
///             volts => Err(OutOfRange { channel, volts }),
///         }
///     }
/// }
///
/// # fn main() -> rpyc_core::Result<()> {
/// // A client that knows the class, too.
/// let config = Config::new().known_exception::<OutOfRange>();
/// let conn = Connector::new().config(config).connect_thread(Lab, Config::new())?;
/// let error = conn.root()?.call_method("set", args![3, 7.0]).unwrap_err();
/// assert_eq!(error.downcast(), Some(OutOfRange { channel: 3, volts: 7.0 }));
/// # conn.close()
/// # }
/// ```
pub use rpyc_macros::PythonException;
/// Makes a typed client of a trait.
///
/// ```
/// use std::time::Duration;
/// use rpyc_core::{Config, Connector, Result, client, service};
///
/// #[client]
/// trait Lab {
///     /// The voltage of a channel.
///     fn measure(&self, channel: u32, #[keyword] gain: f64) -> Result<f64>;
/// }
///
/// struct LabService;
///
/// #[service]
/// impl LabService {
///     #[exposed]
///     fn measure(&self, channel: u32, gain: f64) -> f64 {
///         f64::from(channel) * gain
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let conn = Connector::new().connect_thread(LabService, Config::new())?;
/// let lab: LabClient = conn.root()?.extract()?;
/// assert_eq!(lab.measure(3, 0.5)?, 1.5);
///
/// let (first, second) = (lab.async_measure(1, 2.0)?, lab.async_measure(2, 2.0)?);
/// assert_eq!(first.value()? + second.value()?, 6.0);
///
/// let hasty = lab.timed(Duration::from_secs(5));
/// assert_eq!(hasty.measure(1, 1.0)?, 1.0);
/// # conn.close()
/// # }
/// ```
///
/// A program that takes an `impl Lab` or a `&dyn Lab` can be tested without a connection.
pub use rpyc_macros::client;
/// Lets a Rust type's values be handed to peers as objects.
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use rpyc_core::{Exposed, expose};
///
/// struct Counter {
///     value: AtomicI64,
/// }
///
/// #[expose(module = "shop")]
/// impl Counter {
///     /// Counts on, and gives the number.
///     #[exposed]
///     fn __call__(&self, #[default = 1] step: i64) -> i64 {
///         self.value.fetch_add(step, Ordering::Relaxed) + step
///     }
///
///     #[getter]
///     fn value(&self) -> i64 {
///         self.value.load(Ordering::Relaxed)
///     }
/// }
///
/// // A handle that is returned to a peer, or passed to one, and kept here.
/// let counter = Exposed::new(Counter { value: AtomicI64::new(0) });
/// assert_eq!(counter.value(), 0);
/// ```
pub use rpyc_macros::expose;
/// Makes a Rust type a service.
///
/// ```
/// use std::sync::Mutex;
/// use rpyc_core::{Config, Connection, Context, Error, Exception, VoidService, args, service};
///
/// #[derive(Default)]
/// struct NotesService {
///     notes: Mutex<Vec<String>>,
/// }
///
/// /// Keeps notes.
/// #[service(module = "notes", aliases("notes", "memo"))]
/// impl NotesService {
///     /// Adds a note; tells how many there are.
///     #[exposed]
///     fn add(&self, text: String, #[default = 1] copies: usize) -> Result<usize, Exception> {
///         if text.is_empty() {
///             return Err(Exception::value_error("an empty note"));
///         }
///         let mut notes = self.notes.lock().map_err(|_| "another call failed")?;
///         notes.extend(std::iter::repeat_n(text, copies));
///         Ok(notes.len())
///     }
///
///     #[exposed]
///     fn whoami(&self, cx: &Context<'_>) -> String {
///         cx.connection().peer_label().to_owned()
///     }
/// }
///
/// # fn main() -> Result<(), Error> {
/// let (client, server) = Connection::pair(
///     VoidService, Config::default(),
///     NotesService::default(), Config::default(),
/// )?;
/// let serving = std::thread::spawn(move || server.serve_all());
/// let root = client.root()?;
/// assert_eq!(root.call_method("add", args!["milk", copies = 2])?.extract::<usize>()?, 2);
/// let refused = root.call_method("add", args![""]);
/// assert!(refused.is_err_and(|error| error.to_string() == "ValueError: an empty note"));
/// client.close()?;
/// # let _ = serving.join();
/// # Ok(())
/// # }
/// ```
///
/// What would do something else than it says doesn't compile:
///
/// ```compile_fail
/// struct S(u8);
/// #[rpyc_core::service]
/// impl S {
///     #[exposed]
///     fn change(&mut self) {} // several threads may call at once
/// }
/// ```
///
/// ```compile_fail
/// struct S;
/// #[rpyc_core::expose]
/// impl S {
///     #[on_connect] // an object has no connections
///     fn greet(&self) {}
/// }
/// ```
pub use rpyc_macros::service;

pub use self::service::{Service, VoidService};
