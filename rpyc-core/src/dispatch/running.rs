//! Requests that start: given out to threads, and run there.

use std::sync::Arc;
use std::time::Instant;

use super::blocked_threads::Running;
use super::current::Current;
use super::dispatcher::{Dispatcher, Locked, Protocol, Refusal};
use super::scheduler::{Job, Next, Requester, TaskId};
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
}
