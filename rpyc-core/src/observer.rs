//! [`Observer`]: who is told of each request, for metrics.

use std::time::Duration;

use crate::wire::Handler;

/// Is told of what a connection does, on the thread that does it. Where
/// [`Config::observer`](crate::Config::observer) is unset, nothing is measured.
pub trait Observer: Send + Sync {
    /// A request of the peer has run for so long, and has raised an exception or hasn't. Its answer is queued; the
    /// peer may not have it yet. Must not block.
    fn request_ended(&self, handler: Handler, took: Duration, raised: bool);
}
