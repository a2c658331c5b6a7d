//! What a process needs that serves many clients.

use log::debug;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's limit on open descriptors to what it may raise it to: the usual soft
/// limit of 1,024 is far below a server's clients.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        debug!("the limit on open descriptors stays: {error}");
    }
}
