//! Who reads, what runs where, and when bytes go out: the threads of a connection.
//!
//! It knows frames and the numbers of requests. What they mean is a [`Protocol`]'s: here a request is a label for
//! people ([`asked`]), and it is known whether it is a CLOSE or a probe. [`scheduler`] decides whose turn it is, [`lifecycle`] how far the end has come; both
//! are pure, and the rest does what they say.

pub(crate) mod asked;
pub(crate) mod background_state;
pub(crate) mod blocked_threads;
pub(crate) mod calls;
mod closing;
mod current;
mod diagnosis;
mod dispatcher;
mod garbage;
mod health;
mod health_check;
mod held_answers;
mod incoming;
mod lifecycle;
mod notes;
pub(crate) mod outbox;
pub(crate) mod readiness;
mod reading;
mod reply_to;
mod running;
pub(crate) mod scheduler;
mod sleepers;
pub(crate) mod slot;
mod wait_loop;
pub(crate) mod wait_several;
pub(crate) mod waits;
#[cfg_attr(shuttle, path = "watchdog_model.rs")]
pub(crate) mod watchdog;

pub(crate) use self::calls::NotRegistered;
pub(crate) use self::current::Current;
pub(crate) use self::dispatcher::{Arrival, Decoded, Dispatcher, Posted, Protocol, Refusal};
pub(crate) use self::garbage::panic_message;
pub(crate) use self::lifecycle::GRACE;
pub(crate) use self::reply_to::ReplyTo;
