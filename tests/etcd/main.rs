//! etcd as the directory of services: real clusters, our servers, our clients, and Python's by way of
//! a registry that keeps everything there.
#![allow(clippy::unwrap_used, missing_docs)]

mod cluster;
mod hostile;
mod library;
mod pool;
mod registry;
mod secured;
