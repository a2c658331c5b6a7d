//! What errors say to people: on one line of the log, and in words.

use std::error::Error;
use std::io;

/// The error and its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Puts it in words that the system gives no more of something (threads, processes): its own are
/// "Resource temporarily unavailable".
pub(crate) fn none_left(of: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        if error.kind() != io::ErrorKind::WouldBlock {
            return error;
        }
        let what = format!(
            "the system has no more {of} for it (ulimit -u, a container's limit on processes, memory)"
        );
        io::Error::new(error.kind(), what)
    }
}
