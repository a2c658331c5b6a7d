//! A Rust service over TCP, and peers that send it what no client sends.
//!
//! Whatever they send: the process lives and nothing panics, other clients are served, that
//! connection alone is closed (at once, its service told once, everything freed) or the request is
//! answered with an exception, and memory stays within the limits.
// A test that fails to unwrap or index has found what it looks for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod callbacks;
mod clients;
mod closing;
mod deadlines;
mod dialects;
mod exhaustion;
mod frames;
mod handlers;
mod kill_points;
mod memory;
mod messages;
mod ng;
mod peer;
mod references;
mod service;
mod values;
mod victim;
