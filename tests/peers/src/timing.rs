//! A client's work, and the clock around it.

use std::collections::HashMap;
use std::io;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};

use crate::scenario::Kind;
use crate::{Failure, say};

/// A connection that calls.
pub trait Caller: Send {
    /// A call that carries nothing.
    ///
    /// # Errors
    /// When the call fails.
    fn null(&mut self) -> Result<(), Failure>;

    /// A call that returns a new object, which is dropped.
    ///
    /// # Errors
    /// When the call fails.
    fn fresh(&mut self) -> Result<(), Failure>;

    /// Calls that carry nothing, up to `window` of them unanswered.
    ///
    /// # Errors
    /// When a call fails.
    fn pipe(&mut self, calls: usize, window: usize) -> Result<(), Failure>;

    /// A call that carries the bytes.
    ///
    /// # Errors
    /// When the call fails.
    fn put(&mut self, data: &Bytes) -> Result<(), Failure>;

    /// Takes references to as many new objects of the server's, and keeps them.
    ///
    /// # Errors
    /// When a call fails.
    fn take(&mut self, count: usize) -> Result<(), Failure>;

    /// A call of the object behind one of these references.
    ///
    /// # Errors
    /// When the call fails.
    fn call_taken(&mut self, index: usize) -> Result<(), Failure>;

    /// A call that is answered after a call back, and so on, as deep.
    ///
    /// # Errors
    /// When a call fails.
    fn nest(&mut self, depth: usize) -> Result<(), Failure>;
}

/// What a client is to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Work {
    /// Where the server listens.
    pub port: u16,
    /// The shape of the work.
    pub kind: Kind,
    /// How many calls are measured.
    pub calls: usize,
    /// How many calls are made before that.
    pub warmup: usize,
    /// How much of what the kind of work is about.
    pub load: usize,
}

impl Work {
    /// Calls without any before them.
    pub fn new(port: u16, kind: Kind, load: usize, calls: usize) -> Work {
        Work {
            port,
            kind,
            calls,
            warmup: 0,
            load,
        }
    }

    /// The same as arguments of a client.
    pub fn arguments(&self) -> Vec<String> {
        let numbers = [
            ("--port", usize::from(self.port)),
            ("--calls", self.calls),
            ("--warmup", self.warmup),
            ("--load", self.load),
        ];
        let mut arguments = vec!["--kind".to_owned(), self.kind.name().to_owned()];
        for (name, number) in numbers {
            arguments.extend([name.to_owned(), number.to_string()]);
        }
        arguments
    }
}

/// What a client has measured.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Measurement {
    /// How many calls were measured.
    pub calls: usize,
    /// How long they took together.
    pub secs: f64,
    /// The median time of a call, in microseconds; 0 where calls overlap.
    pub p50: f64,
    /// What 99 of 100 calls didn't exceed, in microseconds; 0 where calls overlap.
    pub p99: f64,
    /// The processor time of the client, in seconds.
    pub cpu: f64,
}

impl Measurement {
    /// How many calls there were a second.
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.secs
    }

    /// Reads what a client has printed.
    pub(crate) fn parse(line: &str) -> Option<Measurement> {
        let parts: HashMap<&str, f64> = line
            .split_whitespace()
            .filter_map(|part| part.split_once('='))
            .filter_map(|(name, number)| Some((name, number.parse().ok()?)))
            .collect();
        let part = |name| parts.get(name).copied();
        Some(Measurement {
            calls: part("calls")? as usize,
            secs: part("secs")?,
            p50: part("p50")?,
            p99: part("p99")?,
            cpu: part("cpu")?,
        })
    }
}

/// Does the work and prints what it measured.
pub(crate) fn run<C: Caller>(
    work: &Work,
    connect: impl Fn(u16) -> Result<C, Failure>,
) -> Result<(), Failure> {
    let connect = || connect(work.port);
    match work.kind {
        Kind::Hold => {
            let mut held = Vec::new();
            for _ in 0..work.load {
                let mut caller = connect()?;
                caller.null()?;
                held.push(caller);
            }
            say("HELD")?;
            io::stdin().read_line(&mut String::new())?;
            drop(held);
            Ok(())
        }
        Kind::Fan => fan(work, connect),
        Kind::Pipe => {
            let mut caller = connect()?;
            caller.pipe(work.warmup, work.load)?;
            let clock = Clock::start();
            caller.pipe(work.calls, work.load)?;
            clock.stop(work.calls, Vec::new())
        }
        Kind::Turns => {
            let callers: Result<Vec<C>, _> = (0..work.load).map(|_| connect()).collect();
            let mut callers = callers?;
            one_by_one(work, |index| callers[index % work.load].null())
        }
        Kind::Null => {
            let mut caller = connect()?;
            one_by_one(work, |_| caller.null())
        }
        Kind::Fresh => {
            let mut caller = connect()?;
            one_by_one(work, |_| caller.fresh())
        }
        Kind::Bulk => {
            let (mut caller, data) = (connect()?, noise(work.load));
            one_by_one(work, |_| caller.put(&data))
        }
        Kind::References => {
            let mut caller = connect()?;
            caller.take(work.load)?;
            // All over the tables, not from one to its neighbour.
            one_by_one(work, |index| caller.call_taken(index * 7919 % work.load))
        }
        Kind::Nested => {
            let mut caller = connect()?;
            one_by_one(work, |_| caller.nest(work.load))
        }
    }
}

/// Makes the calls, each of which is told its number, and measures each.
fn one_by_one(
    work: &Work,
    mut call: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<(), Failure> {
    (0..work.warmup).try_for_each(&mut call)?;
    let mut times = Vec::with_capacity(work.calls);
    let clock = Clock::start();
    for index in work.warmup..work.warmup + work.calls {
        let begun = Instant::now();
        call(index)?;
        times.push(begun.elapsed().as_nanos() as u64);
    }
    clock.stop(work.calls, times)
}

fn fan<C: Caller>(work: &Work, connect: impl Fn() -> Result<C, Failure>) -> Result<(), Failure> {
    let share = work.calls / work.load.max(1);
    let mut callers = Vec::new();
    for _ in 0..work.load {
        let mut caller = connect()?;
        caller.null()?;
        callers.push(caller);
    }
    let (begin, end) = (Barrier::new(work.load + 1), Barrier::new(work.load + 1));
    thread::scope(|scope| {
        let call = |caller: &mut C| (0..share).try_for_each(|_| caller.null());
        let threads: Vec<_> = callers
            .iter_mut()
            .map(|caller| {
                let (begin, end) = (&begin, &end);
                scope.spawn(move || {
                    begin.wait();
                    let outcome = call(caller);
                    end.wait();
                    outcome
                })
            })
            .collect();
        begin.wait();
        let clock = Clock::start();
        end.wait();
        let printed = clock.stop(share * work.load, Vec::new());
        for thread in threads {
            thread.join().map_err(|_| "a caller's thread panicked")??;
        }
        printed
    })
}

/// Bytes that don't compress.
fn noise(size: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

struct Clock {
    begun: Instant,
    processor: f64,
}

impl Clock {
    fn start() -> Clock {
        Clock {
            processor: processor_time(),
            begun: Instant::now(),
        }
    }

    fn stop(self, calls: usize, mut times: Vec<u64>) -> Result<(), Failure> {
        let secs = self.begun.elapsed().as_secs_f64();
        let cpu = processor_time() - self.processor;
        times.sort_unstable();
        let at = |part: f64| {
            let index = (times.len().saturating_sub(1) as f64 * part) as usize;
            times.get(index).map_or(0.0, |time| *time as f64 / 1e3)
        };
        let (p50, p99) = (at(0.5), at(0.99));
        say(&format!(
            "calls={calls} secs={secs:.6} p50={p50:.3} p99={p99:.3} cpu={cpu:.6}"
        ))
    }
}

/// The seconds that this process has kept processors busy.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
