//! Many calls in flight on one connection, and what to do about slow ones.
#![allow(clippy::print_stdout)]

use std::error;
use std::time::Duration;

use rpyc_core::{AsyncResult, Config, Connector, args, service};

struct PrimesService;

#[service]
impl PrimesService {
    /// How many primes there are below `limit`.
    #[exposed]
    fn count(&self, limit: u64) -> usize {
        let is_prime = |n: &u64| {
            (2..)
                .take_while(|d| d * d <= *n)
                .all(|d| !n.is_multiple_of(d))
        };
        (2..limit).filter(is_prime).count()
    }
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    // Requests start in the order sent; up to four of them run at once.
    let connection =
        Connector::new().connect_thread(PrimesService, Config::new().concurrency(4))?;
    let root = connection.root()?;

    let limits = [20_000, 10, 100, 1_000];
    let calls: Vec<AsyncResult> = limits
        .iter()
        .map(|limit| root.async_call_method("count", args![*limit]))
        .collect::<Result<_, _>>()?;
    if let Some(first) = AsyncResult::wait_any(&calls, None) {
        println!("the first answer is that for {}", limits[first]);
    }
    AsyncResult::wait_all(&calls, Some(Duration::from_secs(60)))?;
    for (limit, call) in limits.iter().zip(&calls) {
        println!("{} primes below {limit}", call.value()?.extract::<u64>()?);
    }

    // A limit of its own for one call.
    let hasty = root.netref()?.timed(Duration::from_millis(1));
    match hasty.call_method("count", args![200_000]) {
        Ok(count) => println!("a fast machine: {count:?}"),
        Err(error) => println!("{error}"),
    }
    connection.close()?;
    Ok(())
}
