//! Requests that start: given out to threads, and run there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::blocked_threads::Running;
use super::current::Current;
use super::dispatcher::{Core, Dispatcher, Garbage, Locked, Protocol, Refusal};
use super::scheduler::{Job, Next, Requester, TaskId};
use crate::sync::Mutex;

impl<P: Protocol> Dispatcher<P> {
    /// Gives out the requests whose turn has come: wakes the threads that are to run them and
    /// sends them to the pool. What the requester itself is to run is returned.
    pub(super) fn give_out<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a, P>,
        requester: Requester,
    ) -> (Locked<'a, P>, Option<(TaskId, P::Request)>) {
        while let Some(next) = core.scheduler.next(requester) {
            match next {
                Next::Here(task, request) => return (core, Some((task, request))),
                other => core = self.send_off(core, other),
            }
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
    /// the peer is waited for where it doesn't read the answers.
    pub(super) fn run_task(
        self: &Arc<Self>,
        task: TaskId,
        request: P::Request,
        deadline: Option<Instant>,
    ) -> Locked<'_, P> {
        self.wake_watchdog();
        self.log_notes();
        let current = Current::enter(self.number, task, request.pair().peers);
        let _running = Running::begin();
        P::execute(self, request);
        drop(current);
        self.wait_drained(deadline);
        let mut core = self.core.lock();
        core.scheduler.end(task);
        self.after_task(&mut core);
        core
    }

    fn after_task(&self, core: &mut Core<P>) {
        core.task_ends.notify();
        self.pass_on_reading(core);
    }

    fn run_in_pool(self: &Arc<Self>, task: TaskId, request: P::Request) {
        // The job holds the request through a slot, so that it is still here if the job is refused.
        let slot = Arc::new(Mutex::new(Some(request)));
        let job = {
            let (link, slot) = (self.clone(), slot.clone());
            move || {
                if let Some(request) = slot.lock().take() {
                    link.run_tasks(task, request);
                }
            }
        };
        if let Err(error) = self.session.executor().execute(Box::new(job)) {
            if let Some(request) = slot.lock().take() {
                self.refuse(request, &Refusal::NoThread(error));
            }
            let mut core = self.core.lock();
            core.scheduler.end(task);
            self.after_task(&mut core);
        }
    }

    /// Runs a request on a pool's thread, and those whose turn comes by its end.
    fn run_tasks(self: &Arc<Self>, task: TaskId, request: P::Request) {
        let mut next = Some((task, request));
        while let Some((task, request)) = next {
            let core = self.run_task(task, request, None);
            let (core, more) = self.give_out(core, Requester::PoolThread);
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
