//! The client's side of a connection, against services of this crate.

mod asynchronous;
mod background;
mod by_value;
mod objects;
mod operations;
