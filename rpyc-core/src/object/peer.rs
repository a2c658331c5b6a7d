//! [`Peer`]: what a netref needs of its connection.

use crate::codec::{Handler, IdPack};
use crate::error::Error;
use crate::object::Any;

/// The other side of a connection, as netrefs see it.
pub(crate) trait Peer: Send + Sync {
    /// Asks for `handler` and waits for the answer.
    fn request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error>;

    /// Gives `count` references back. Never blocks: it is called by destructors.
    fn release(&self, id_pack: &IdPack, count: u64);

    /// A number that no other connection of this process has.
    fn number(&self) -> u64;
}
