//! `ping`: how long a server takes to answer.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::{ArgMatches, Command, value_parser};
use rpyc_core::{Connection, Error};

use super::connect::ConnectOptions;
use super::fleet::{Done, Fleet, Member, Stream};
use super::interrupt::on_interrupt;
use crate::program::cli::arg;
use crate::program::failure::Failure;

pub(super) fn command() -> Command {
    Command::new("ping")
        .about("Measures how long a server takes to answer, until Ctrl-C")
        .after_help("Examples:\n  rpyc-server ping --connect host:18812 -c 10\n  rpyc-server ping --connect unix:/run/rpyc.sock -i 0.1 -q\n\nThe first answer of a server is slower than those that follow.")
        .arg(
            arg::option("count", "N", "Stop after so many pings [default: with Ctrl-C; 4 of each of several servers]")
                .short('c')
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(
            arg::option("interval", "SECS", "The time from a ping to the next one; 0 pings without a pause")
                .short('i')
                .default_value("1")
                .value_parser(arg::any_seconds),
        )
        .arg(arg::switch("quiet", "Print the summary alone").short('q'))
}

pub(super) fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let count = matches.get_one::<u64>("count").copied();
    let interval: Duration = arg::value(matches, "interval");
    let quiet = matches.get_flag("quiet");
    if let Some(fleet) = Fleet::from_matches(matches)? {
        let count = count.unwrap_or(COUNT);
        return fleet
            .with_table_as_result()
            .run(move |member| ping_at(member, count, interval, quiet));
    }
    let connect_options = ConnectOptions::from_matches(matches)?;
    let connection = connect_options.connect()?;
    let (stop, stopped) = channel();
    on_interrupt(move || {
        // Nobody waits any more once it has ended.
        let _ = stop.send(());
    })?;
    let mut times = Times::default();
    loop {
        let began = Instant::now();
        match times.ping(&connection) {
            Ok(line) => {
                if !quiet {
                    print(&format!("{}: {line}\n", connect_options.target))?;
                }
            }
            Err(error) => {
                print(&times.summary(&connect_options.target.to_string()))?;
                return Err(connect_options.failed(error));
            }
        }
        if count.is_some_and(|count| times.sent >= count) {
            break;
        }
        let pause = interval.saturating_sub(began.elapsed());
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    if times.answered.len() as u64 == times.sent {
        // The summary is what counts, whatever the server says to that.
        let _ = connection.close();
    }
    print(&times.summary(&connect_options.target.to_string()))?;
    Ok(u8::from(times.answered.is_empty()))
}

/// Pings a server of a fleet.
fn ping_at(member: &Member, count: u64, interval: Duration, quiet: bool) -> Result<Done, Failure> {
    let bar = member.bar("connecting");
    let connection = member.connect_options.connect()?;
    member.runs_on(&connection)?;
    bar.set_message("pinging");
    let mut times = Times::default();
    while times.sent < count {
        let began = Instant::now();
        let line = times.ping(&connection);
        let line = line.map_err(|error| member.connect_options.failed(error))?;
        if !quiet {
            member.say(Stream::Stdout, &line);
        }
        if times.sent < count && member.stops_within(interval.saturating_sub(began.elapsed())) {
            return Err(Failure::new("Ctrl-C"));
        }
    }
    if times.answered.len() as u64 == times.sent {
        // The summary is what counts, whatever the server says to that.
        let _ = connection.close();
    }
    Ok(times.done())
}

fn print(text: &str) -> Result<(), Failure> {
    crate::program::print::print(text.as_bytes())
}

/// What has been measured.
#[derive(Default)]
struct Times {
    sent: u64,
    answered: Vec<Duration>,
}

impl Times {
    /// Pings once; says how that went.
    fn ping(&mut self, connection: &Connection) -> Result<String, Error> {
        let began = Instant::now();
        self.sent += 1;
        let number = self.sent;
        match connection.ping_with(PAYLOAD, Some(PATIENCE)) {
            Ok(()) => {
                let took = began.elapsed();
                self.answered.push(took);
                Ok(format!("seq={number} time={} ms", ms(took)))
            }
            Err(error) if error.is_timeout() => Ok(format!("seq={number} no answer")),
            Err(error) => Err(error),
        }
    }

    /// The same as the summary, in a line and in numbers.
    fn done(&self) -> Done {
        let answered = self.answered.len();
        let mut done = Done {
            failed: (answered as u64) < self.sent,
            text: format!("{} pings, {answered} answers", self.sent),
            ..Done::default()
        };
        done.details.insert("pings".to_owned(), self.sent.into());
        done.details.insert("answers".to_owned(), answered.into());
        let seconds = self.answered.iter().map(Duration::as_secs_f64);
        let (least, most) = (
            seconds.clone().fold(f64::INFINITY, f64::min),
            seconds.clone().fold(0.0, f64::max),
        );
        if answered > 0 {
            let mean = seconds.sum::<f64>() / answered as f64;
            let numbers = [("min", least), ("avg", mean), ("max", most)];
            for (name, number) in numbers {
                done.details
                    .insert(format!("{name}_seconds"), number.into());
            }
            let numbers = numbers.map(|(_, number)| ms(Duration::from_secs_f64(number)));
            done.text
                .push_str(&format!(", min/avg/max = {} ms", numbers.join("/")));
        }
        done
    }

    fn summary(&self, target: &str) -> String {
        let answered = self.answered.len() as u64;
        let lost = 100.0 * self.sent.saturating_sub(answered) as f64 / self.sent.max(1) as f64;
        let mut text = format!(
            "\n--- {target} ---\n{} pings, {answered} answers, {lost:.0}% lost\n",
            self.sent
        );
        let mut sorted: Vec<f64> = self.answered.iter().map(Duration::as_secs_f64).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            return text;
        };
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        let spread = sorted.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        let spread = (spread / sorted.len() as f64).sqrt();
        let place = |part: usize| sorted[(sorted.len() - 1) * part / 100];
        let numbers = [*least, mean, place(50), place(99), *most, spread];
        let numbers = numbers.map(|seconds| ms(Duration::from_secs_f64(seconds)));
        text.push_str(&format!(
            "min/avg/p50/p99/max/mdev = {} ms\n",
            numbers.join("/")
        ));
        text
    }
}

fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

/// How many pings each server of a fleet gets.
const COUNT: u64 = 4;
const PAYLOAD: &str = "rpyc-server ping";
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_losses_and_the_spread() {
        let times = Times {
            sent: 4,
            answered: [1, 2, 6].map(Duration::from_millis).to_vec(),
        };
        assert_eq!(
            times.summary("host:1"),
            "\n--- host:1 ---\n4 pings, 3 answers, 25% lost\nmin/avg/p50/p99/max/mdev = 1.000/3.000/2.000/2.000/6.000/2.160 ms\n"
        );
        assert!(
            Times::default()
                .summary("x")
                .ends_with("0 pings, 0 answers, 0% lost\n")
        );
    }
}
