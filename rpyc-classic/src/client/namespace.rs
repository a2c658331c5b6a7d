//! Handles of the server's modules and of the connection's namespace.

use rpyc_core::object::{IntoAny, Netref, RemoteIter};
use rpyc_core::{Any, Error};

use super::ClassicConnection;
use crate::getconn::is_import_error;

/// The server's modules; made by [`ClassicConnection::modules`].
#[derive(Clone, Copy, Debug)]
pub struct Modules<'a>(&'a ClassicConnection);

impl<'a> Modules<'a> {
    pub(super) fn of(connection: &'a ClassicConnection) -> Modules<'a> {
        Modules(connection)
    }

    /// Imports a module: `modules["xml.dom.minidom"]`.
    ///
    /// # Errors
    /// As [`ClassicConnection::module`].
    pub fn get(&self, name: &str) -> Result<Any, Error> {
        self.0.module(name)
    }

    /// Whether there is such a module, which is imported to find out: `name in modules`.
    ///
    /// # Errors
    /// What is in the way of an answer, exceptions included that the module itself raised.
    pub fn contains(&self, name: &str) -> Result<bool, Error> {
        match self.0.module(name) {
            Ok(_) => Ok(true),
            Err(Error::Remote(raised)) if is_import_error(&raised) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The names that evaluated code of a connection sees; made by [`ClassicConnection::namespace`].
#[derive(Clone, Debug)]
pub struct Namespace(Netref);

impl Namespace {
    pub(super) fn of(dict: Netref) -> Namespace {
        Namespace(dict)
    }

    /// The dict itself.
    pub fn dict(&self) -> &Netref {
        &self.0
    }

    /// What the name stands for.
    ///
    /// # Errors
    /// [`Error::Remote`] with a KeyError where there is no such name.
    pub fn get(&self, name: &str) -> Result<Any, Error> {
        self.0.get_item(name)
    }

    /// Lets the name stand for a value, or for an object of this program.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn set(&self, name: &str, value: impl IntoAny) -> Result<(), Error> {
        self.0.set_item(name, value)
    }

    /// Removes the name.
    ///
    /// # Errors
    /// [`Error::Remote`] with a KeyError where there is no such name.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        self.0.del_item(name)
    }

    /// Whether there is such a name.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn contains(&self, name: &str) -> Result<bool, Error> {
        self.0.contains(name)
    }

    /// The names, in the order in which they came to be.
    ///
    /// # Errors
    /// As [`Netref::call`]. An error later on is the last item; the server says so where
    /// names are added meanwhile.
    pub fn keys(&self) -> Result<NamespaceKeys, Error> {
        Ok(NamespaceKeys(self.0.iter()?))
    }
}

/// The names of a namespace; made by [`Namespace::keys`].
#[derive(Debug)]
pub struct NamespaceKeys(RemoteIter);

impl Iterator for NamespaceKeys {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Result<String, Error>> {
        let key = self.0.next()?;
        Some(key.and_then(|key| key.extract()))
    }
}
