//! What a call costs as something grows beside it: each point next to raw TCP with as many of the same.

use std::fmt::Write;
use std::path::Path;

use crate::cli::Options;
use crate::compare::{Visited, prepare};
use crate::peer::{Peer, RAW, RUST, STACKED};
use crate::plot::{self, Line, Lines};
use crate::process::allow_open_files;
use crate::report::Report;
use crate::scenario::{Cores, Kind, Scenario};
use crate::table::{median, spread};
use crate::timing::Measurement;
use crate::{Failure, progress};

/// Something that grows.
struct Series {
    /// Its table's name, and its plot's.
    name: &'static str,
    /// Its plot's headline.
    title: &'static str,
    /// What is counted.
    load: &'static str,
    /// What is measured.
    cost: &'static str,
    ours: &'static Peer,
    kind: Kind,
    loads: &'static [usize],
    /// Whether raw TCP does the same with as many: what grows there as well is the system's.
    has_raw: bool,
    /// What it is when a point costs no more than a smaller one.
    good: &'static str,
}

/// One point of a series, as each round has measured it, in microseconds.
struct Point {
    load: usize,
    costs: Vec<f64>,
    raw: Vec<f64>,
}

impl Point {
    /// By what it is set against other points: the ratio to raw TCP, or the time itself.
    fn relative(&self) -> Vec<f64> {
        match self.raw.is_empty() {
            true => self.costs.clone(),
            false => quotients(&self.costs, &self.raw),
        }
    }
}

const SERIES: [Series; 6] = [
    Series {
        name: "references",
        title: "A call of one of so many objects that the client has references to",
        load: "live references",
        cost: "us a call",
        ours: &RUST,
        kind: Kind::References,
        loads: &[1, 10, 100, 1000, 10_000, 100_000, 1_000_000],
        has_raw: true,
        good: "flat",
    },
    Series {
        name: "pending",
        title: "A call while so many are unanswered",
        load: "pending requests",
        cost: "us a call",
        ours: &RUST,
        kind: Kind::Pipe,
        loads: &[1, 10, 100, 1000, 10_000, 100_000],
        has_raw: false,
        good: "flat",
    },
    Series {
        name: "connections",
        title: "A call on one of so many connections, in turn",
        load: "connections",
        cost: "us a call",
        ours: &RUST,
        kind: Kind::Turns,
        loads: &[1, 10, 100, 1000, 5000],
        has_raw: true,
        good: "flat",
    },
    Series {
        name: "payload",
        title: "A call that carries so many bytes",
        load: "bytes",
        cost: "us a call",
        ours: &RUST,
        kind: Kind::Bulk,
        loads: &[16, 256, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20],
        has_raw: true,
        good: "linear in bytes",
    },
    Series {
        name: "nesting",
        title: "A call in a call in a call, so deep",
        load: "depth",
        cost: "us a level",
        ours: &RUST,
        kind: Kind::Nested,
        loads: &[1, 2, 5, 10, 20, 50, 100, 200],
        has_raw: true,
        good: "flat",
    },
    Series {
        name: "nesting-stacked",
        title: "A call in a call in a call, so deep, on the threads that wait",
        load: "depth",
        cost: "us a level",
        ours: &STACKED,
        kind: Kind::Nested,
        loads: &[1, 2, 5, 10, 20, 50, 100, 200],
        has_raw: true,
        good: "flat",
    },
];

pub(crate) fn compare(
    bench_peers: &Path,
    options: &Options,
    report: &Report,
) -> Result<(), Failure> {
    for series in &SERIES {
        progress(series.name);
        let points = measure(bench_peers, series, options)?;
        report.section(series.name, &table(series, &points))?;
        report.plot(series.name, || plot(series, &points))?;
    }
    Ok(())
}

/// Visits each point in each of the rounds, and raw TCP just before it.
fn measure(bench_peers: &Path, series: &Series, options: &Options) -> Result<Vec<Point>, Failure> {
    if series.kind == Kind::Turns {
        let most = series.loads.iter().max().copied().unwrap_or_default();
        allow_open_files(most as u64 + 100)?;
    }
    let mut visited = Vec::new();
    let mut points = Vec::new();
    for &load in series.loads {
        // One core: what a call costs isn't hidden by what another core does meanwhile.
        let scenario = Scenario::new(series.name, series.kind, Cores::Same, load);
        let start = |peer| prepare(bench_peers, &scenario, peer, options.visit / 2.0);
        let raw = series.has_raw.then(|| start(&RAW)).transpose()?;
        visited.push((start(series.ours)?, raw));
        points.push(Point {
            load,
            costs: Vec::new(),
            raw: Vec::new(),
        });
    }
    let cost = |one: &Visited<'_>, load: usize| -> Result<f64, Failure> {
        let (measured, _) = one.visit(bench_peers)?;
        Ok(series.cost_of(&measured, load))
    };
    for round in 0..options.rounds {
        for step in 0..points.len() {
            let index = (round + step) % points.len();
            let (point, (ours, raw)) = (&mut points[index], &visited[index]);
            if let Some(raw) = raw {
                point.raw.push(cost(raw, point.load)?);
            }
            point.costs.push(cost(ours, point.load)?);
        }
    }
    Ok(points)
}

impl Series {
    fn cost_of(&self, measured: &Measurement, load: usize) -> f64 {
        match self.kind {
            Kind::Pipe => 1e6 / measured.rate(),
            Kind::Nested => measured.p50 / load as f64,
            _ => measured.p50,
        }
    }

    /// How much more a point costs than the first one, at worst; and what that is. Many pending requests
    /// share what a single one pays alone, so they are set against the cheapest smaller point.
    fn verdict(&self, points: &[Point]) -> String {
        let (mut base, mut growth) = (f64::INFINITY, 0.0_f64);
        for point in points {
            let relative = median(point.relative());
            if !self.has_raw || base.is_infinite() {
                base = base.min(relative);
            }
            growth = growth.max(relative / base);
        }
        let verdict = if growth <= FLAT { self.good } else { "growing" };
        let beside = match self.has_raw {
            true => "the first point costs, beside raw TCP",
            false => "a smaller point costs",
        };
        format!("**{verdict}**: nowhere more than {growth:.2} times what {beside}")
    }
}

fn table(series: &Series, points: &[Point]) -> String {
    let mut text = String::new();
    let (raw_head, raw_line) = match series.has_raw {
        true => (" raw TCP | ratio to raw (least to most) |", "---:|---:|"),
        false => ("", ""),
    };
    let _ = writeln!(
        text,
        "| {} | {} |{raw_head} ratio to the first (least to most) |\n|---:|---:|{raw_line}---:|",
        series.load, series.cost
    );
    let first = points.first().map(Point::relative).unwrap_or_default();
    for point in points {
        let _ = write!(
            text,
            "| {} | {:.1} |",
            grouped(point.load),
            median(point.costs.clone())
        );
        if series.has_raw {
            let raw = median(point.raw.clone());
            let _ = write!(text, " {raw:.1} | {} |", spread(&point.relative()));
        }
        let _ = writeln!(text, " {} |", spread(&quotients(&point.relative(), &first)));
    }
    let _ = writeln!(text, "\n{}", series.verdict(points));
    text
}

fn plot(series: &Series, points: &[Point]) -> Result<String, Failure> {
    let line = |label: &str, part: fn(&Point) -> &Vec<f64>| Line {
        label: label.to_owned(),
        points: points
            .iter()
            .map(|point| (point.load as f64, part(point).clone()))
            .collect(),
    };
    let mut lines = vec![line(series.ours.label, |point| &point.costs)];
    if series.has_raw {
        lines.push(line(RAW.label, |point| &point.raw));
    }
    plot::lines(&Lines {
        title: series.title,
        x: series.load,
        tick: match series.kind {
            Kind::Bulk => plot::bytes,
            _ => plot::short,
        },
        y: series.cost,
        log: series.kind == Kind::Bulk,
        lines: &lines,
    })
}

fn quotients(numbers: &[f64], divisors: &[f64]) -> Vec<f64> {
    let pairs = numbers.iter().zip(divisors);
    pairs.map(|(number, divisor)| number / divisor).collect()
}

/// A number as people read it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// By how much a point may cost more than another and still count as the same: the load grows by far more, and
/// what it touches comes from slower caches.
const FLAT: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(name: &str, points: &[(f64, f64)]) -> String {
        let series = SERIES.iter().find(|series| series.name == name);
        let points: Vec<Point> = points
            .iter()
            .map(|(cost, raw)| Point {
                load: 1,
                costs: vec![*cost],
                raw: vec![*raw; usize::from(*raw > 0.0)],
            })
            .collect();
        series.expect("the series").verdict(&points)
    }

    #[test]
    fn what_grows_at_raw_tcp_as_well_is_flat() {
        let flat = verdict("connections", &[(12.0, 10.0), (30.0, 20.0)]);
        assert!(
            flat.starts_with("**flat**: nowhere more than 1.25 times"),
            "{flat}"
        );
        let growing = verdict("connections", &[(12.0, 10.0), (60.0, 20.0)]);
        assert!(
            growing.starts_with("**growing**: nowhere more than 2.50 times"),
            "{growing}"
        );
    }

    #[test]
    fn pending_requests_are_set_against_the_cheapest_smaller_point() {
        let growing = verdict("pending", &[(20.0, 0.0), (2.0, 0.0), (4.0, 0.0)]);
        assert!(
            growing.starts_with("**growing**: nowhere more than 2.00 times"),
            "{growing}"
        );
    }

    #[test]
    fn digits_are_in_threes() {
        assert_eq!(
            [1, 999, 1000, 1_000_000].map(grouped),
            ["1", "999", "1,000", "1,000,000"]
        );
    }
}
