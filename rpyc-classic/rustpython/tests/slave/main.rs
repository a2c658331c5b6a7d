//! `SlaveService` on the built-in interpreter, as a Rust client sees it over an in-memory connection.

/// Asserts that something crossed by value, as this value.
macro_rules! assert_is {
    ($any:expr, $value:expr) => {
        assert_eq!(
            (&$any).clone().into_value(),
            Some(rpyc_core::Value::from($value))
        )
    };
}

mod client;
mod duplex;
mod embedding;
mod evaluation;
mod exceptions;
mod inspection;
mod limits;
mod modules;
mod netrefs;
mod recursion;
mod references;
