//! Services and objects of Rust types, seen from the other end of a connection.

mod attributes;
mod conversions;
mod exceptions;
mod identities;
mod locks;
mod nesting;
mod policy;
mod support;
