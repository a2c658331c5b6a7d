//! The Rust client on both classic servers: the same scenarios on Python's own, from PyPI, and on
//! this project's.

mod hostile;
mod parts;
mod prompt;
mod servers;
mod stdio;
mod transfer;
mod working;
