//! Who reads, what runs where, and when bytes go out: the threads of a connection.
//!
//! [`scheduler`] decides whose turn it is and does nothing else; the rest does what it says.

pub(crate) mod blocked_threads;
pub(crate) mod calls;
pub(crate) mod current;
pub(crate) mod health_check;
pub(crate) mod incoming;
pub(crate) mod lifecycle;
pub(crate) mod outbox;
pub(crate) mod readiness;
pub(crate) mod running;
pub(crate) mod scheduler;
pub(crate) mod shared;
pub(crate) mod slot;
pub(crate) mod wait_loop;
pub(crate) mod wait_several;
#[cfg_attr(shuttle, path = "watchdog_model.rs")]
pub(crate) mod watchdog;
