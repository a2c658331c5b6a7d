//! A client of the example `lab`: typed calls, many at once, and every kind of error.
//!
//!     cargo run --release -p rpyc-server --no-default-features --example lab_client -- 127.0.0.1:18861
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error;
use std::time::Duration;

use rpyc_core::object::{Function, callback};
use rpyc_core::{AsyncResult, Config, Connector, Error, PythonException, Result, client};

#[client]
trait Lab {
    fn set(&self, channel: u32, volts: f64) -> Result<Option<f64>>;
    fn measure(&self, channel: u32, #[default] gain: Option<f64>) -> Result<f64>;
    fn sweep(&self, channels: &[u32], progress: Function) -> Result<BTreeMap<u32, f64>>;
}

#[derive(Debug, thiserror::Error, PythonException)]
#[error("{volts} V are too much for channel {channel}")]
#[exception(module = "lab")]
struct OutOfRange {
    channel: u32,
    volts: f64,
}

/// Tells what each of the failing calls at its end failed with.
pub(crate) fn run(address: &str) -> std::result::Result<Vec<String>, Box<dyn error::Error>> {
    let config = Config::new()
        .known_exception::<OutOfRange>()
        .sync_request_timeout(Duration::from_secs(10));
    let conn = Connector::new().config(config).connect(address)?;
    let lab: LabClient = conn.root()?.extract()?;

    // One after the other; the server calls back meanwhile.
    for channel in 1..=4 {
        lab.set(channel, f64::from(channel) * 1.5)?;
    }
    let progress = callback(|done: u32, total: u32| println!("{done} of {total}"));
    println!("swept: {:?}", lab.sweep(&[1, 2], progress)?);

    // All at once, with one deadline for all.
    let calls: Result<Vec<_>> = (1..=4)
        .map(|channel| lab.async_measure(channel, None))
        .collect();
    let calls = calls?;
    AsyncResult::wait_all(
        calls.iter().map(|call| &**call),
        Some(Duration::from_secs(5)),
    )?;
    for call in &calls {
        println!("{} V", call.value()?);
    }

    let failed = [
        lab.set(1, 99.0).err(),
        lab.measure(77, None).err(),
        lab.timed(Duration::ZERO).measure(1, None).err(),
        conn.root()?.extract::<i64>().err(),
        rpyc_core::connect("127.0.0.1:1").err(),
        conn.close().and_then(|()| lab.measure(1, None)).err(),
    ];
    Ok(failed.iter().flatten().map(explain).collect())
}

/// What a program can tell its user, and what it can do about it.
fn explain(error: &Error) -> String {
    if let Some(known) = error.downcast::<OutOfRange>() {
        return format!("our mistake: {known}");
    }
    match error {
        Error::Remote(raised) if raised.is("KeyError") => format!("no such channel: {error}"),
        Error::Remote(raised) => raised
            .traceback()
            .map_or_else(|| error.to_string(), ToString::to_string),
        Error::Timeout(late) => format!("too slow, perhaps later: {late}"),
        Error::Closed(reason) => format!("connect again: {reason}"),
        Error::Io { doing, .. } => format!("the network, while {doing}"),
        Error::Conversion(_) => format!("another version of the service? {error}"),
        other => format!("a bug: {other}"),
    }
}

#[allow(dead_code)] // a test calls `run` itself
fn main() -> std::result::Result<(), Box<dyn error::Error>> {
    let address = std::env::args().nth(1);
    for failure in run(address.as_deref().unwrap_or("127.0.0.1:18861"))? {
        println!("{failure}");
    }
    Ok(())
}
