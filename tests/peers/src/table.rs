//! What was measured, as tables in markdown.

use std::fmt::Write;

use crate::Failure;
use crate::peer::{Peer, Program};
use crate::plot::{self, Bar};
use crate::report::Figure;
use crate::scenario::{Kind, Scenario};
use crate::timing::Measurement;

/// What a peer's visits have measured.
pub(crate) struct Row<'a> {
    pub(crate) peer: &'a Peer,
    measured: Vec<Measurement>,
    ratios: Vec<f64>,
    cpu: f64,
    calls: usize,
}

impl<'a> Row<'a> {
    pub(crate) fn new(peer: &'a Peer) -> Row<'a> {
        Row {
            peer,
            measured: Vec::new(),
            ratios: Vec::new(),
            cpu: 0.0,
            calls: 0,
        }
    }

    /// Adds a visit: what the client measured, and the processor time of both ends.
    pub(crate) fn add(&mut self, visit: (Measurement, f64), ratio: Option<f64>) -> Measurement {
        let (measured, cpu) = visit;
        self.measured.push(measured);
        self.ratios.extend(ratio);
        self.cpu += cpu;
        self.calls += measured.calls;
        measured
    }

    /// What goals are measured by: the ratio to raw TCP, which its own row has as 1.
    pub(crate) fn figure(&self, scenario: &Scenario) -> Figure {
        let rounds = match self.ratios.is_empty() {
            true => vec![1.0; self.measured.len()],
            false => self.ratios.clone(),
        };
        let worth = self.median(|one| worth(scenario.kind, one));
        Figure {
            shown: match scenario.kind {
                Kind::Bulk => format!("{:.0} MB/s", worth * scenario.load as f64 / 1e6),
                kind if kind.is_latency() => format!("{worth:.1} us"),
                _ => format!("{:.1} kcalls/s", worth / 1e3),
            },
            rounds,
            is_more_better: !scenario.kind.is_latency(),
        }
    }

    fn median(&self, part: impl Fn(&Measurement) -> f64) -> f64 {
        median(self.measured.iter().map(part).collect())
    }
}

/// What a peer is compared by: the time of a call, or how many there are a second.
pub(crate) fn worth(kind: Kind, measured: &Measurement) -> f64 {
    if kind.is_latency() {
        measured.p50
    } else {
        measured.rate()
    }
}

pub(crate) fn of_scenario(scenario: &Scenario, rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    let (head, line) = match scenario.kind {
        Kind::Bulk => ("MB/s | cpu us a call", "---:|---:"),
        kind if kind.is_latency() => ("p50 us | p99 us | cpu us a call", "---:|---:|---:"),
        _ => ("kcalls/s | cpu us a call", "---:|---:"),
    };
    let _ = writeln!(text, "| peer | {head} | ratio to raw (least to most) |");
    let _ = writeln!(text, "|---|{line}|---:|");
    for row in rows {
        let cpu = row.cpu * 1e6 / row.calls as f64;
        let rate = row.median(Measurement::rate);
        let measured = match scenario.kind {
            Kind::Bulk => format!("{:.0} | {cpu:.0}", rate * scenario.load as f64 / 1e6),
            kind if kind.is_latency() => {
                let (p50, p99) = (row.median(|one| one.p50), row.median(|one| one.p99));
                format!("{p50:.1} | {p99:.1} | {cpu:.1}")
            }
            _ => format!("{:.1} | {cpu:.2}", rate / 1e3),
        };
        let ratio = match &row.ratios[..] {
            [] => "1".to_owned(),
            several => spread(several),
        };
        let _ = writeln!(text, "| {} | {measured} | {ratio} |", row.peer.label);
    }
    text
}

/// A bar for each row, as long as a call takes.
pub(crate) fn plot(rows: &[Row<'_>]) -> Result<String, Failure> {
    let bars: Vec<Bar> = rows
        .iter()
        .map(|row| {
            let p50 = row.median(|one| one.p50);
            let ratio = match row.ratios.is_empty() {
                true => String::new(),
                false => format!(", {:.1} x raw", median(row.ratios.clone())),
            };
            Bar {
                label: row.peer.label.replace('`', ""),
                length: p50,
                remark: format!("{p50:.0} us{ratio}"),
                is_ours: [row.peer.client, row.peer.server].contains(&Program::Rpyc),
            }
        })
        .collect();
    plot::bars("A null call, both ends on one core", &bars)
}

/// The median, the least and the most.
pub(crate) fn spread(numbers: &[f64]) -> String {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    let median = median(numbers.to_vec());
    match numbers.len() {
        1 => format!("**{median:.2}**"),
        _ => format!("**{median:.2}** ({least:.2} to {most:.2})"),
    }
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match (numbers.get(middle), numbers.len() % 2) {
        (Some(odd), 1) => *odd,
        (Some(upper), _) => (numbers[middle - 1] + upper) / 2.0,
        (None, _) => 0.0,
    }
}
