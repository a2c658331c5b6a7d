//! Memory that a client's code used goes back to the system when the client has gone.
//!
//! What refers to itself stays until somebody collects it: that happens once it is quiet, for all
//! clients that have gone since the last time, or where they leave too much behind. And glibc keeps what is freed between other blocks:
//! after a peak of a gigabyte the process would stay at a gigabyte until it ends.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_classic::heap;
use rpyc_classic::threads::lock;
use rustpython_vm::{AsObject, PyResult, VirtualMachine};

use super::interrupt;
use super::library::{library, own};
use super::stops;
use super::thread::{STACK_SIZE, Source};

/// Collects the garbage of clients that have gone.
#[derive(Default)]
pub(super) struct Tidying(Arc<Mutex<Due>>);

#[derive(Default)]
struct Due {
    // Whether a client has gone since the last time.
    is_due: bool,
    // Whether a thread sees to it.
    is_seen_to: bool,
    last: Option<Last>,
}

/// The last collection.
#[derive(Clone, Copy)]
struct Last {
    ended: Instant,
    took: Duration,
    // The memory that the process had then.
    left: usize,
}

impl Last {
    fn now(took: Duration) -> Last {
        Last {
            ended: Instant::now(),
            took,
            left: resident().unwrap_or(0),
        }
    }

    /// Whether it is time for the next one. All threads wait for it, so that it must not take much
    /// of the time, however much memory there is to look through.
    fn is_long_ago(&self, is_quiet: bool) -> bool {
        let since = self.ended.elapsed();
        if is_quiet && since >= BETWEEN.max(self.took.saturating_mul(20)) {
            return true;
        }
        // Clients come and go, some request always runs, and what they leave behind adds up.
        let pressing = self.left.saturating_add(PRESSING.max(self.left / 2));
        since >= self.took.saturating_mul(4) && resident().is_some_and(|now| now >= pressing)
    }
}

impl Tidying {
    /// A client has gone, or a collection has been given up.
    pub(super) fn request(&self, source: &Arc<Source>) {
        let mut due = lock(&self.0);
        due.is_due = true;
        if due.is_seen_to || source.is_stopped() {
            return;
        }
        // Clients that go together are tidied up after together.
        due.last.get_or_insert_with(|| Last::now(Duration::ZERO));
        let (state, source) = (self.0.clone(), Arc::downgrade(source));
        // Not one of those that run clients' code, of which there may be few. Destructors of deeply
        // nested objects need its stack.
        let started = thread::Builder::new()
            .name("rpyc-tidying".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || tidy(&state, &source));
        // Without one, the next client that goes asks again.
        due.is_seen_to = started.is_ok();
    }
}

/// Waits until it is time, tidies, and ends when nobody else has gone meanwhile.
fn tidy(state: &Mutex<Due>, source: &Weak<Source>) {
    loop {
        thread::sleep(LOOK); // nothing tells that it is quiet
        let Some(source) = source.upgrade().filter(|source| !source.is_stopped()) else {
            break;
        };
        let last = lock(state).last;
        if stops::are_held_off() {
            continue;
        }
        if last.is_some_and(|last| !last.is_long_ago(!interrupt::is_busy(&source))) {
            continue;
        }
        lock(state).is_due = false;
        let started = Instant::now();
        let collected = source.attached(collect);
        if let Ok(Err(error)) = collected {
            log::debug!("garbage isn't collected: {}", error.class().name());
        }
        give_all_back();
        let mut due = lock(state);
        due.last = Some(Last::now(started.elapsed()));
        // It has been given up.
        due.is_due |= stops::are_held_off();
        if !due.is_due {
            due.is_seen_to = false;
            return;
        }
    }
    lock(state).is_seen_to = false;
}

fn collect(vm: &VirtualMachine) -> PyResult<()> {
    let collect = library(vm, "gc")?.get_attr("collect", vm)?;
    collect.call((), vm)?;
    // Dead classes are told by the classes that they were derived from, until these are asked.
    let forget = own(vm, "forget_dead_classes")?;
    forget.call((), vm).map(drop)
}

fn give_all_back() {
    let mut after_last = AFTER_LAST.lock().unwrap_or_else(PoisonError::into_inner);
    heap::give_back();
    *after_last = resident().unwrap_or(*after_last);
}

/// Gives free memory back if there may be much of it: it takes some milliseconds then.
pub(super) fn give_back() {
    // Of many clients that go at once, one does it, and the others find it done.
    let mut after_last = AFTER_LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(resident) = resident() else {
        return;
    };
    if resident >= after_last.saturating_add(WORTHWHILE) {
        heap::give_back();
        *after_last = self::resident().unwrap_or(resident);
    } else {
        *after_last = resident.min(*after_last);
    }
}

/// The memory that the process has, in bytes.
fn resident() -> Option<usize> {
    let fields = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = fields.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(PAGE))
}

/// What the process had after the last time, or has had since.
static AFTER_LAST: Mutex<usize> = Mutex::new(0);

/// As much more than that is worth the time.
const WORTHWHILE: usize = 64 << 20;

/// With as much more than after the last collection, requests that run have to wait for the next.
const PRESSING: usize = 64 << 20;

/// An estimate will do.
const PAGE: usize = 4096;

/// The time from one collection to the next.
const BETWEEN: Duration = Duration::from_secs(3);

/// The time between two looks whether it is quiet, while a collection is due.
const LOOK: Duration = Duration::from_millis(100);
