//! Every example runs to its end.

#[path = "../examples/service_pool.rs"]
mod service_pool;

#[test]
fn service_pool_runs() {
    service_pool::main().unwrap_or_else(|error| panic!("{error}"));
}
