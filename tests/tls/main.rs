//! TLS and other authentication, at both sides, with Rust and Python peers.

mod auth;
mod bench;
mod deadlines;
mod refusals;
mod sessions;
mod streams;
