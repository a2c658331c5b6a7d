//! [`Peer`]: what a netref needs of its connection.

use crate::error::Error;
use crate::object::Any;
use crate::session::{AsyncResult, Connection};
use crate::wire::{Handler, IdPack};

/// The other side of a connection, as netrefs see it.
pub(crate) trait Peer: Send + Sync {
    /// Asks for `handler` and waits for the answer.
    fn request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error>;

    /// Asks for `handler` and goes on.
    fn async_request(&self, handler: Handler, args: Vec<Any>) -> Result<AsyncResult, Error>;

    /// Asks for `handler` and forgets about it; what goes wrong is logged as having gone wrong with
    /// `what`. Never blocks, and sends nothing itself: it is called by destructors.
    fn post(&self, handler: Handler, args: Vec<Any>, what: &'static str);

    /// A handle that doesn't keep the connection open.
    fn connection(&self) -> Option<Connection>;

    /// A netref was handed on to the peer of another connection, which is named by its number. While
    /// that stays open, so does this one, unless nobody has needed it already.
    fn retain_for(&self, other: u64);

    /// That peer has given the netref back. Never blocks, as [`release`](Peer::release).
    fn release_for(&self, other: u64);

    /// Gives `count` references back. Never blocks: it is called by destructors.
    fn release(&self, id_pack: &IdPack, count: u64);

    /// A number that no other connection of this process has.
    fn number(&self) -> u64;
}
