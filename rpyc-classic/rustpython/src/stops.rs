//! Stops of all threads, such as the garbage collector makes, don't wait for a thread for ever.
//!
//! RustPython stops a thread between two instructions, or while it is detached, and whoever stops
//! the others waits without a limit. But there are calls that block attached, and calls that
//! compute without end; they would have all clients stand. So a thread looks whether a stop takes
//! too long. It then takes the threads that don't answer out of the interpreter's table, so that the
//! stop seems to be complete, and puts them back when it is over. A collection finds nothing
//! meanwhile: all objects count as permanent for so long. It is never needed, and made up for later.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rpyc_classic::threads::lock;
use rustpython_vm::common::rc::PyRc;
use rustpython_vm::function::FuncArgs;
use rustpython_vm::vm::PyGlobalState;
use rustpython_vm::vm::runtime::live_interpreter_states;
use rustpython_vm::vm::thread::{CurrentFrameSlot, ThreadSlot, ThreadState};
use rustpython_vm::{PyResult, VirtualMachine};

use super::blocking::replace;
use super::thread::Source;

/// Looks after the stops while it lives.
pub(super) struct Limiter {
    // None only within drop.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Limiter {
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(source: &Arc<Source>) -> std::io::Result<Limiter> {
        let looks = Looks {
            source: Arc::downgrade(source),
            stop: None,
            thresholds: HashMap::new(),
            has_warned: false,
        };
        let (end, ended) = channel();
        let thread = thread::Builder::new().name("rpyc-stops".to_owned());
        let thread = thread.spawn(move || looks.run(&ended))?;
        Ok(Limiter {
            end: Some(end),
            thread: Some(thread),
        })
    }
}

/// Before the interpreter ends: no thread but its own may hold it then.
impl Drop for Limiter {
    fn drop(&mut self) {
        drop(self.end.take());
        // A panic has been logged.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Has `gc.collect` find nothing while collections are left out.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    replace(vm, &["gc"], "collect", |original| {
        move |args: FuncArgs, vm: &VirtualMachine| match are_held_off() {
            true => Ok(vm.ctx.new_int(0).into()),
            false => original.call(args, vm),
        }
    })
}

/// Whether collections are left out, because the last one has been given up.
pub(super) fn are_held_off() -> bool {
    lock(&HELD_OFF).is_some_and(|until| Instant::now() < until)
}

/// What has been seen so far.
struct Looks {
    source: Weak<Source>,
    stop: Option<Stop>,
    // Thresholds of automatic collections, to be set again.
    thresholds: HashMap<i64, u32>,
    has_warned: bool,
}

/// A stop that waits for a thread.
struct Stop {
    interpreter: i64,
    number: u64,
    since: Instant,
    looks: u32,
}

impl Looks {
    fn run(mut self, ended: &Receiver<()>) {
        let mut pause = LOOK;
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
            pause = self.look();
        }
    }

    /// Looks once, and says when to look again.
    fn look(&mut self) -> Duration {
        let states = live_interpreter_states();
        if !self.thresholds.is_empty() && !are_held_off() {
            self.hold_on(&states);
        }
        let waiting = states.iter().find_map(|state| Some((state, waits(state)?)));
        let Some((state, number)) = waiting else {
            self.stop = None;
            let is_idle = !states
                .iter()
                .any(|state| is_any(state, ThreadState::Attached));
            return if is_idle { IDLE_LOOK } else { LOOK };
        };
        let interpreter = state.interpreter_id;
        let known = self.stop.take();
        let known = known.filter(|stop| (stop.interpreter, stop.number) == (interpreter, number));
        let mut stop = known.unwrap_or_else(|| Stop {
            interpreter,
            number,
            since: Instant::now(),
            looks: 0,
        });
        stop.looks += 1;
        // Looks are counted, too: where nobody gets on, these are late as well.
        if stop.looks > LOOKS {
            self.give_up(state, &states, &stop);
        } else {
            self.stop = Some(stop);
        }
        LOOK
    }

    /// Ends the stop that waits for threads of `state`.
    fn give_up(&mut self, state: &PyGlobalState, states: &[PyRc<PyGlobalState>], known: &Stop) {
        // One after the other, where there are several interpreters.
        static TURN: Mutex<()> = Mutex::new(());
        let turn = lock(&TURN);
        let mut threads = state.thread_frames.lock();
        // It can't be complete while the table is locked, if it waits for somebody.
        let stop = Incomplete::now(state);
        if stop.number != known.number {
            return;
        }
        let first = take_silent(&mut threads, |_| true);
        if first.is_empty() {
            return;
        }
        let enabled = states.iter().filter(|state| state.gc.is_enabled());
        let enabled: Vec<_> = enabled.collect();
        for state in states {
            self.hold_off(state);
            state.gc.freeze();
        }
        drop(threads);
        let mut taken = Taken {
            of: states.iter().map(|_| Threads::new()).collect(),
            silent: HashSet::new(),
        };
        let place = states
            .iter()
            .position(|other| other.interpreter_id == state.interpreter_id);
        if let Some(threads) = place.and_then(|place| taken.of.get_mut(place)) {
            *threads = first;
        }
        // It passes within milliseconds, and nobody tells when it has ended. Another interpreter's threads are
        // waited for next. Two looks: between two steps of a stop nothing shows it.
        let mut quiet = 0;
        while quiet < 2 {
            thread::sleep(Duration::from_millis(2));
            taken.look(states);
            quiet = match stop.goes_on(state) || states.iter().any(|state| is_stopped(state)) {
                true => 0,
                false => quiet + 1,
            };
        }
        for (state, threads) in states.iter().zip(taken.of) {
            put_back(state, threads);
        }
        for state in states {
            state.gc.unfreeze();
        }
        for state in enabled {
            state.gc.enable();
        }
        let took = known.since.elapsed();
        *lock(&HELD_OFF) = Some(Instant::now() + took.saturating_mul(PART));
        drop(turn);
        // What was young has grown old, and isn't looked at by collections by themselves.
        if let Some(source) = self.source.upgrade() {
            source.tidy();
        }
        let text = "a thread that runs Python doesn't answer, and all others waited for it: \
                    garbage isn't collected for a while";
        match std::mem::replace(&mut self.has_warned, true) {
            false => log::warn!("{text}"),
            true => log::debug!("{text}"),
        }
    }

    /// No collections from now on.
    fn hold_off(&mut self, state: &PyGlobalState) {
        *lock(&HELD_OFF) = Some(Instant::now() + Duration::from_secs(3600));
        let (threshold, ..) = state.gc.get_threshold();
        let known = self.thresholds.entry(state.interpreter_id);
        known.or_insert(threshold);
        state.gc.set_threshold(0, None, None);
        // One may be due already.
        state.gc.disable();
    }

    fn hold_on(&mut self, states: &[PyRc<PyGlobalState>]) {
        for (interpreter, threshold) in self.thresholds.drain() {
            let state = states
                .iter()
                .find(|state| state.interpreter_id == interpreter);
            // Somebody may have set another one.
            if let Some(state) = state.filter(|state| state.gc.get_threshold().0 == 0) {
                state.gc.set_threshold(threshold, None, None);
            }
        }
    }
}

/// The number of the stop that waits for a thread of that interpreter.
fn waits(state: &PyGlobalState) -> Option<u64> {
    let threads = state.thread_frames.lock();
    let waits = threads.values().any(|thread| is_silent(thread));
    waits.then(|| state.stop_the_world.stats_snapshot().stop_calls)
}

/// Whether a stop waits for that thread.
fn is_silent(thread: &ThreadSlot) -> bool {
    thread.stop_requested.load(Ordering::Acquire) && is(thread, ThreadState::Attached)
}

fn is(thread: &ThreadSlot, state: ThreadState) -> bool {
    thread.state.load(Ordering::Acquire) == state as i32
}

fn is_any(state: &PyGlobalState, of: ThreadState) -> bool {
    let threads = state.thread_frames.lock();
    threads.values().any(|thread| is(thread, of))
}

/// Threads of an interpreter, by their numbers: all of them, and some.
type Table = HashMap<u64, CurrentFrameSlot>;
type Threads = Vec<(u64, CurrentFrameSlot)>;

/// Takes out the threads that a stop waits for, of those that are meant.
fn take_silent(threads: &mut Table, is_meant: impl Fn(u64) -> bool) -> Threads {
    let silent = threads.extract_if(|number, thread| is_meant(*number) && is_silent(thread));
    silent.collect()
}

/// The threads that have been taken out, of each interpreter.
struct Taken {
    of: Vec<Threads>,
    /// Those that didn't answer at the last look: whoever has only just been asked has time to.
    silent: HashSet<(usize, u64)>,
}

impl Taken {
    fn look(&mut self, states: &[PyRc<PyGlobalState>]) {
        let mut silent = HashSet::new();
        for (place, (state, taken)) in states.iter().zip(&mut self.of).enumerate() {
            let mut threads = state.thread_frames.lock();
            taken.extend(take_silent(&mut threads, |number| {
                self.silent.contains(&(place, number))
            }));
            let left = threads.iter().filter(|(_, thread)| is_silent(thread));
            silent.extend(left.map(|(number, _)| (place, *number)));
        }
        self.silent = silent;
    }
}

/// Whether the threads of that interpreter are being stopped, or are.
fn is_stopped(state: &PyGlobalState) -> bool {
    let threads = state.thread_frames.lock();
    threads
        .values()
        .any(|thread| is_silent(thread) || is(thread, ThreadState::Suspended))
        || state.stop_the_world.stats_snapshot().world_stopped
}

/// What was known of a stop before it was complete.
struct Incomplete {
    number: u64,
    polls: u64,
}

impl Incomplete {
    fn now(state: &PyGlobalState) -> Incomplete {
        let now = state.stop_the_world.stats_snapshot();
        Incomplete {
            number: now.stop_calls,
            polls: now.poll_loops,
        }
    }

    fn goes_on(&self, state: &PyGlobalState) -> bool {
        // All are let go at once, under the lock of the table.
        let is_held = is_any(state, ThreadState::Suspended);
        let now = state.stop_the_world.stats_snapshot();
        let is_over = now.poll_loops != self.polls && !now.world_stopped && !is_held;
        now.stop_calls == self.number && !is_over
    }
}

fn put_back(state: &PyGlobalState, taken: Threads) {
    let mut threads = state.thread_frames.lock();
    let is_stopped = threads
        .values()
        .any(|thread| is(thread, ThreadState::Suspended));
    for (number, thread) in taken {
        // A thread that has ended holds itself no more, and another may have its number.
        if Arc::strong_count(&thread) == 1 || threads.contains_key(&number) {
            continue;
        }
        // One that has answered late wasn't in the table when the others were let go.
        if !is_stopped && is(&thread, ThreadState::Suspended) {
            let detached = ThreadState::Detached as i32;
            thread.state.store(detached, Ordering::Release);
            thread.thread.unpark();
        }
        // Whoever still wants it to stop says so again.
        thread.stop_requested.store(false, Ordering::Release);
        threads.insert(number, thread);
    }
}

/// Until when collections are left out: they concern all interpreters of the process.
static HELD_OFF: Mutex<Option<Instant>> = Mutex::new(None);

/// How often a stop is looked for, and how many looks it lasts at the most: a quarter of a second.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 5;

/// The same where no thread runs Python.
const IDLE_LOOK: Duration = Duration::from_millis(250);

/// After a stop that was given up, none for so many times as long.
const PART: u32 = 20;
