//! RPyC: transparent, symmetric remote object access.
#![forbid(unsafe_code)]

pub mod codec;
