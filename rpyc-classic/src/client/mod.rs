//! A program's side of classic mode: [`ClassicConnection`], a remote Python to work in.

mod helper;
mod interactive;
mod namespace;
mod stdio;
mod streams;
mod transfer;

use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex};

use rpyc_core::object::Netref;
use rpyc_core::{Any, Connection, Connector, Error, args, by_value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::threads::lock;

pub use self::interactive::{Interrupter, Outcome, Prompt};
pub use self::namespace::{Modules, Namespace, NamespaceKeys};
pub use self::stdio::{Redirected, Stdio};
pub use self::transfer::{Phase, Progress, Transfer, TransferError, Transferred};

/// Connects to a classic server over TCP: Python's own, or one of this crate.
///
/// This side offers nothing to the server and has every option at its default. For other ways to a
/// server, and for options, make the connection with a [`Connector`] and give it to
/// [`ClassicConnection::new`].
///
/// ```no_run
/// # fn main() -> Result<(), rpyc_core::Error> {
/// let conn = rpyc_classic::connect("localhost:18812")?;
/// conn.execute("import math")?;
/// let root: f64 = conn.obtain(&conn.eval("math.sqrt(2)")?)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Connector::connect`], and as [`ClassicConnection::new`].
pub fn connect(address: impl ToSocketAddrs) -> Result<ClassicConnection, Error> {
    ClassicConnection::new(Connector::new().connect(address)?)
}

/// A connection to a classic server: modules, builtins, evaluated code and files of a remote Python.
///
/// What comes back by reference is an [`Any`] that holds a [`Netref`]: every operation on it
/// happens at the server. Clones are the same connection; it closes when the last one is
/// dropped.
///
/// # What the server may do here
///
/// The server gets what this program hands to it (functions as arguments, streams while
/// [`redirect_stdio`](ClassicConnection::redirect_stdio) lasts) and what the connection's own service
/// offers: nothing, unless the connection was made with one. To let the server's code work in this
/// process as this program works in the server's, make the connection with a
/// [`SlaveService`](crate::SlaveService): that is all of classic mode, in both directions.
///
/// ```no_run
/// use std::sync::Arc;
/// use rpyc_classic::{ClassicConnection, Evaluator, SlaveOptions, SlaveService};
/// use rpyc_core::Connector;
///
/// # fn example(evaluator: &dyn Evaluator) -> Result<(), Box<dyn std::error::Error>> {
/// let service = SlaveService::new(evaluator, SlaveOptions::default());
/// let conn = Connector::new().service(Arc::new(service)).connect("localhost:18812")?;
/// let conn = ClassicConnection::new(conn)?;
/// // Code of a server that is trusted may now do `conn.modules` on its side of the connection.
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClassicConnection {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    root: Netref,
    // What is fetched once, at its first use.
    builtins: Mutex<Option<Netref>>,
    helper: Mutex<Option<Netref>>,
}

impl ClassicConnection {
    /// Makes a classic connection of any connection to a classic server.
    ///
    /// # Errors
    /// As [`Connection::root`]; [`Error::Protocol`] where the server's root isn't an object.
    pub fn new(connection: Connection) -> Result<ClassicConnection, Error> {
        let root = connection.root()?;
        let root = root
            .netref()
            .map_err(|_| Error::Protocol("the root of a classic server is an object".to_owned()))?;
        Ok(ClassicConnection {
            shared: Arc::new(Shared {
                root: root.clone(),
                connection,
                builtins: Mutex::new(None),
                helper: Mutex::new(None),
            }),
        })
    }

    /// The connection underneath.
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// The server's service.
    pub fn root(&self) -> &Netref {
        &self.shared.root
    }

    /// Imports a module by its dotted name: `conn.module("os.path")`.
    ///
    /// # Errors
    /// [`Error::Remote`] with an ImportError where there is none, or with what the module raised.
    pub fn module(&self, name: &str) -> Result<Any, Error> {
        self.root().call_method("getmodule", args![name])
    }

    /// The server's modules, as `conn.modules` is in Python.
    pub fn modules(&self) -> Modules<'_> {
        Modules::of(self)
    }

    /// The server's builtin functions and classes; fetched once.
    ///
    /// # Errors
    /// As [`module`](ClassicConnection::module).
    pub fn builtins(&self) -> Result<Netref, Error> {
        once(&self.shared.builtins, || {
            let module = self.module("builtins")?;
            Ok(module.netref()?.clone())
        })
    }

    /// Evaluates an expression in the connection's namespace.
    ///
    /// # Errors
    /// [`Error::Remote`] with what it raised, a SyntaxError included.
    pub fn eval(&self, code: &str) -> Result<Any, Error> {
        self.root().call_method("eval", args![code])
    }

    /// Executes statements in the connection's namespace.
    ///
    /// # Errors
    /// [`Error::Remote`] with what they raised, a SyntaxError included.
    pub fn execute(&self, code: &str) -> Result<(), Error> {
        self.root().call_method("execute", args![code]).map(drop)
    }

    /// The dict in which [`eval`](ClassicConnection::eval) and
    /// [`execute`](ClassicConnection::execute) work; the server keeps one for each connection.
    ///
    /// # Errors
    /// As [`Netref::attr`].
    pub fn namespace(&self) -> Result<Namespace, Error> {
        let namespace = self.root().attr("namespace")?;
        Ok(Namespace::of(namespace.netref()?.clone()))
    }

    /// A copy of something of the server's, as a Rust value: what is remote is copied whole,
    /// in one round trip; see [`Netref::obtain`].
    ///
    /// # Errors
    /// As [`Netref::obtain`]; [`Error::Copy`] where it isn't of the type.
    pub fn obtain<T: DeserializeOwned>(&self, of: &Any) -> Result<T, Error> {
        match of {
            Any::Netref(netref) => netref.obtain(),
            Any::Value(value) => Ok(by_value::from_value(value.clone())?),
            Any::Tuple(_) | Any::Local(_) => Err(Error::Misuse(format!(
                "a {} can't be obtained as a whole: obtain its parts",
                of.type_name()
            ))),
        }
    }

    /// Copies a Rust structure to the server; the result stands for a list, a dict, ... over there.
    ///
    /// # Errors
    /// [`Error::Copy`] where it can't be copied; else as [`Netref::call`].
    pub fn deliver<T: Serialize + ?Sized>(&self, value: &T) -> Result<Any, Error> {
        by_value::deliver(&self.shared.connection, value)
    }

    /// Closes the connection; see [`Connection::close`].
    ///
    /// # Errors
    /// As that.
    pub fn close(&self) -> Result<(), Error> {
        self.shared.connection.close()
    }

    /// A function or class of the part of this client that runs at the server.
    fn helper(&self, name: &str) -> Result<Netref, Error> {
        let helper = once(&self.shared.helper, || helper::install(self))?;
        Ok(helper.get_item(name)?.netref()?.clone())
    }
}

/// What is in the cell; where it is empty, it gets what `make` makes, which runs without the lock.
fn once(
    cell: &Mutex<Option<Netref>>,
    make: impl FnOnce() -> Result<Netref, Error>,
) -> Result<Netref, Error> {
    let known = lock(cell).clone();
    if let Some(known) = known {
        return Ok(known);
    }
    let made = make()?;
    Ok(lock(cell).get_or_insert(made).clone())
}

impl fmt::Debug for ClassicConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClassicConnection")
            .field(&self.shared.connection)
            .finish()
    }
}
