//! Requests that start: given out to threads, and run there. [`Current`]: which ones the current
//! thread runs, one nested on the wait of another.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
// Of the process, not of a model's schedule.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::blocked_threads::Running;
use super::dispatcher::{Dispatcher, Garbage, Locked, Protocol, Refusal};
use super::scheduler::{Job, Next, Requester, TaskId, ThreadPair};
use crate::executor::hand_over;

impl<P: Protocol> Dispatcher<P> {
    /// Gives out the requests whose turn has come: wakes the threads that are to run them and
    /// sends them to the pool. What the requester itself is to run is returned.
    pub(super) fn give_out<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a, P>,
        requester: Requester,
    ) -> (Locked<'a, P>, Option<(TaskId, P::Request)>) {
        while let Some(next) = core.scheduler.next(requester) {
            let Next::Here(task, request) = next else {
                core = self.send_off(core, next);
                continue;
            };
            // The queue may be full, and then nobody else looks at it before this one has ended.
            while core.scheduler.has_free_place()
                && let Some(next) = core.scheduler.next(Requester::Nobody)
            {
                core = self.send_off(core, next);
            }
            return (core, Some((task, request)));
        }
        if core.lifecycle.is_close_requested() {
            core = self.close_in_turn(core);
        }
        (core, None)
    }

    /// Starts a request that isn't run by the requester.
    pub(super) fn send_off<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a, P>,
        next: Next<P::Request>,
    ) -> Locked<'a, P> {
        match next {
            Next::Wake(waiter) => {
                self.note(&core, |core| {
                    let what = core.scheduler.next_at(waiter);
                    let what = what.map_or("nothing".to_owned(), |what| what.to_string());
                    format!("{what} is handed to {}", core.who(waiter))
                });
                core.wake(waiter);
                // A waiter of several connections doesn't read.
                core.health.woke |= !core.sleepers.is_of_several(waiter);
                core
            }
            Next::Here(task, request) | Next::Pool(task, request) => {
                self.note(&core, |_| {
                    format!("{} is handed to a thread of the pool", request.handler())
                });
                drop(core);
                self.run_in_pool(task, request);
                self.core.lock()
            }
            Next::TooDeep(request) => {
                drop(core);
                self.refuse(request, &Refusal::TooDeep);
                self.core.lock()
            }
        }
    }

    /// Runs a request on the current thread, to its end; gives the core back locked. Until the deadline
    /// the peer is waited for where it doesn't read the answers. `is_last` says that none is to be run behind it.
    pub(super) fn run_task(
        self: &Arc<Self>,
        task: TaskId,
        request: P::Request,
        deadline: Option<Instant>,
        is_last: bool,
    ) -> Locked<'_, P> {
        self.wake_watchdog();
        self.log_notes();
        let mut request = Some(request);
        self.session.run_here(&mut || {
            if let Some(request) = request.take() {
                let _current = Current::enter(self.number, task, request.pair().peers);
                let _running = Running::begin();
                P::execute(self, request);
            }
        });
        if let Some(request) = request {
            let why = std::io::Error::other("the thread that requests run on doesn't take them");
            self.refuse(request, &Refusal::NoThread(why));
        }
        self.wait_drained(deadline);
        if is_last {
            self.flush_soon();
        }
        self.end_task(task)
    }

    fn end_task(&self, task: TaskId) -> Locked<'_, P> {
        let mut core = self.core.lock();
        core.scheduler.end(task);
        core.task_ends.notify();
        core
    }

    fn run_in_pool(self: &Arc<Self>, task: TaskId, request: P::Request) {
        let link = self.clone();
        let run = move |request| link.run_tasks(task, request);
        let handed = hand_over(&*self.session.executor(), request, run);
        if let Err((request, error)) = handed {
            self.refuse(request, &Refusal::NoThread(error));
            drop(self.end_task(task));
        }
    }

    /// Runs a request on a pool's thread, and those whose turn comes by its end.
    fn run_tasks(self: &Arc<Self>, task: TaskId, request: P::Request) {
        let mut next = Some((task, request));
        while let Some((task, request)) = next {
            let core = self.run_task(task, request, None, false);
            let (mut core, more) = self.give_out(core, Requester::PoolThread);
            self.pass_on_reading(&mut core);
            drop(core);
            next = more;
        }
        self.flush();
        self.drop_garbage();
    }

    /// Drops what only an executing thread may drop, and calls what only it may call.
    pub(crate) fn drop_garbage(&self) {
        loop {
            let garbage = std::mem::take(&mut self.core.lock().garbage);
            if garbage.is_empty() {
                return;
            }
            for item in garbage {
                let clear = move || match item {
                    Garbage::Call(call) => call(),
                    Garbage::Drop(payload) => drop(payload),
                };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(clear)) {
                    let what = panic_message(&*panic);
                    self.session.log(
                        log::Level::Error,
                        format_args!("a callback or a destructor panicked: {what}"),
                    );
                }
            }
        }
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic
        .downcast_ref::<String>()
        .map_or("(no message)", String::as_str)
}

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
