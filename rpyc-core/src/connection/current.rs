//! Which requests the current thread runs, one on top of the other.

use std::cell::RefCell;

use super::turns::TaskId;

// The connection's number and the task; the innermost one is the last.
#[cfg(not(shuttle))]
thread_local! {
    static RUNNING: RefCell<Vec<(u64, TaskId)>> = const { RefCell::new(Vec::new()) };
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static RUNNING: RefCell<Vec<(u64, TaskId)>> = RefCell::new(Vec::new());
}

/// Marks the current thread as running a task of a connection, until it is dropped.
pub(super) struct Current(());

impl Current {
    pub(super) fn enter(connection: u64, task: TaskId) -> Current {
        RUNNING.with(|running| running.borrow_mut().push((connection, task)));
        Current(())
    }

    /// The innermost task of the connection that this thread runs.
    pub(super) fn task(connection: u64) -> Option<TaskId> {
        RUNNING.with(|running| {
            let running = running.borrow();
            let mine = running
                .iter()
                .rev()
                .find(|(number, _)| *number == connection);
            mine.map(|(_, task)| *task)
        })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        RUNNING.with(|running| running.borrow_mut().pop());
    }
}
