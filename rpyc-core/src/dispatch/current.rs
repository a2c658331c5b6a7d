//! [`Current`]: which requests the current thread runs, one nested on the wait of another.

use std::cell::{Cell, RefCell};
// Of the process, not of a model's schedule.
use std::sync::atomic::{AtomicU64, Ordering};

use super::scheduler::{TaskId, ThreadPair};

/// A request that the thread runs.
#[derive(Clone, Copy)]
struct RunningTask {
    connection: u64,
    task: TaskId,
    // The peer's thread that sent it.
    peers_thread: u64,
}

// The innermost one is the last.
#[cfg(not(shuttle))]
thread_local! {
    static RUNNING: RefCell<Vec<RunningTask>> = const { RefCell::new(Vec::new()) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static RUNNING: RefCell<Vec<RunningTask>> = RefCell::new(Vec::new());
    static NUMBER: Cell<u64> = Cell::new(0);
}

/// Marks the current thread as running a task of a connection, until it is dropped.
pub(crate) struct Current(());

impl Current {
    pub(crate) fn enter(connection: u64, task: TaskId, peers_thread: u64) -> Current {
        let running = RunningTask {
            connection,
            task,
            peers_thread,
        };
        RUNNING.with(|all| all.borrow_mut().push(running));
        Current(())
    }

    /// The innermost task of the connection that this thread runs.
    pub(crate) fn task(connection: u64) -> Option<TaskId> {
        innermost(connection).map(|running| running.task)
    }

    /// All tasks of the connection that this thread runs.
    pub(crate) fn tasks(connection: u64) -> Vec<TaskId> {
        RUNNING.with(|running| {
            let running = running.borrow();
            let mine = running.iter();
            let mine = mine.filter(|running| running.connection == connection);
            mine.map(|running| running.task).collect()
        })
    }

    /// Both of what [`task`](Current::task) and [`pair`](Current::pair) say.
    pub(crate) fn of(connection: u64) -> (Option<TaskId>, ThreadPair) {
        let running = innermost(connection);
        let pair = ThreadPair {
            ours: number(),
            peers: running.map_or(0, |running| running.peers_thread),
        };
        (running.map(|running| running.task), pair)
    }

    /// This thread's number, and the peer's thread whose request it runs.
    pub(crate) fn pair(connection: u64) -> ThreadPair {
        Current::of(connection).1
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        RUNNING.with(|running| running.borrow_mut().pop());
    }
}

fn innermost(connection: u64) -> Option<RunningTask> {
    RUNNING.with(|running| {
        let running = running.borrow();
        let mine = running
            .iter()
            .rev()
            .find(|running| running.connection == connection);
        mine.copied()
    })
}

/// The number of the current thread in this process: what a peer that binds threads knows it by. A
/// count, which tells the peer nothing else.
fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
        }
        number.get()
    })
}
