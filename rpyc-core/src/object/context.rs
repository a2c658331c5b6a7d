//! What an object knows of the request that it serves.

use crate::session::Connection;

/// The request that is being served: which connection it came from.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    connection: &'a Connection,
}

impl<'a> Context<'a> {
    /// A request that came over `connection`.
    pub fn new(connection: &'a Connection) -> Context<'a> {
        Context { connection }
    }

    /// The connection, to call back into the peer or to read its config and credentials.
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }
}
