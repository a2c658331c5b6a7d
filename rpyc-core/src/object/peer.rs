//! [`Peer`]: what a netref needs of its connection.

use crate::codec::{Handler, IdPack};
use crate::connection::{AsyncResult, Connection};
use crate::error::Error;
use crate::object::Any;

/// The other side of a connection, as netrefs see it.
pub(crate) trait Peer: Send + Sync {
    /// Asks for `handler` and waits for the answer.
    fn request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error>;

    /// Asks for `handler` and goes on.
    fn async_request(&self, handler: Handler, args: Vec<Any>) -> Result<AsyncResult, Error>;

    /// A handle that doesn't keep the connection open.
    fn connection(&self) -> Option<Connection>;

    /// A handle that keeps the connection open, unless the program's own have all been dropped.
    fn keep_open(&self) -> Option<Connection>;

    /// Gives `count` references back. Never blocks: it is called by destructors.
    fn release(&self, id_pack: &IdPack, count: u64);

    /// A number that no other connection of this process has.
    fn number(&self) -> u64;
}
