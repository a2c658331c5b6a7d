//! Copies instead of references: a table crosses whole, in one round trip.
#![allow(clippy::print_stdout)]

use std::error;

use rpyc_core::by_value::{ByValue, Serde};
use rpyc_core::{Any, Config, Connector, args, service};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

struct WeatherService;

#[service]
impl WeatherService {
    /// So many readings. They stay here; `obtain` copies them.
    #[exposed]
    fn readings(&self, count: u32) -> Any {
        let reading = |number: u32| Reading {
            sensor: format!("sensor {}", number % 10),
            celsius: f64::from(number) / 10.0,
        };
        Any::object(ByValue((0..count).map(reading).collect::<Vec<_>>()))
    }

    /// The warmer one. Both come by value.
    #[exposed]
    fn warmer(&self, a: Serde<Reading>, b: Serde<Reading>) -> Serde<Reading> {
        if a.0.celsius < b.0.celsius { b } else { a }
    }
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    // The side that gives has to allow it.
    let connection =
        Connector::new().connect_thread(WeatherService, Config::new().allow_pickle(true))?;
    let root = connection.root()?;

    let table = root.call_method("readings", args![10_000])?;
    let readings: Vec<Reading> = table.obtain()?;
    println!(
        "{} readings, the last is {:?}",
        readings.len(),
        readings.last()
    );

    let (first, last) = (Serde(&readings[0]), Serde(&readings[9_999]));
    let warmer = root.call_method("warmer", args![first, last])?;
    println!("warmer: {:?}", warmer.extract::<Serde<Reading>>()?.0);
    connection.close()?;
    Ok(())
}
