//! Requests that start: given out to threads, run, answered.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::dispatch::blocked_threads::Running;
use crate::dispatch::current::Current;
use crate::dispatch::scheduler::{Next, Requester, TaskId};
use crate::dispatch::shared::{Core, Garbage, Request, Shared, Sleeper};
use crate::error::CloseReason;
use crate::exception::Exception;
use crate::object::{Any, Context};
use crate::session::Connection;
use crate::session::boxing::KeepAlive;
use crate::session::dialect::ReplyTo;
use crate::session::handlers;
use crate::sync::atomic::Ordering;
use crate::sync::{Mutex, MutexGuard};
use crate::wire::{Message, boxed, encode_exception, encode_reply};

/// The core, locked.
pub(crate) type Locked<'a> = MutexGuard<'a, Core>;

impl Shared {
    /// Gives out the requests whose turn has come: wakes the threads that are to run them and
    /// sends them to the pool. What the requester itself is to run is returned.
    pub(crate) fn give_out<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a>,
        requester: Requester,
    ) -> (Locked<'a>, Option<(TaskId, Request)>) {
        while let Some(next) = core.scheduler.next(requester) {
            match next {
                Next::Here(task, request) => return (core, Some((task, request))),
                other => core = self.send_off(core, other),
            }
        }
        if core.closing.is_asked() {
            core = self.close_in_turn(core);
        }
        (core, None)
    }

    /// Starts a request that isn't run by the requester.
    pub(crate) fn send_off<'a>(
        self: &'a Arc<Self>,
        mut core: Locked<'a>,
        next: Next<Request>,
    ) -> Locked<'a> {
        match next {
            Next::Wake(waiter) => {
                self.note(&mut core, |core| {
                    let what = core.scheduler.next_at(waiter);
                    let what = what.map_or("nothing".to_owned(), |what| what.to_string());
                    format!("{what} is handed to {}", core.whose(waiter))
                });
                Shared::wake(&mut core, waiter);
                // A waiter of several connections doesn't read.
                let reads = !matches!(core.sleepers.get(&waiter), Some(Sleeper::Several(_)));
                core.health.woke |= reads;
                core
            }
            Next::Here(task, request) | Next::Pool(task, request) => {
                self.note(&mut core, |_| {
                    format!("{} is handed to a thread of the pool", request.handler)
                });
                drop(core);
                self.run_in_pool(task, request);
                self.core.lock()
            }
            Next::TooDeep(request) => {
                drop(core);
                let limit = self.config().max_nested;
                self.refuse(
                    &request,
                    Exception::recursion_error(format!(
                        "{limit} requests of this peer are nested, the most there may be (max_nested)"
                    )),
                );
                let mut core = self.core.lock();
                core.garbage
                    .extend(request.args.into_iter().map(Garbage::Any));
                core
            }
        }
    }

    /// Runs a request on the current thread, to its end; gives the core back locked.
    pub(crate) fn run_task(self: &Arc<Self>, task: TaskId, request: Request) -> Locked<'_> {
        self.wake_watchdog();
        self.log_notes();
        let current = Current::enter(self.number, task, request.to.threads.sender);
        let _running = Running::begin();
        let to = request.to.clone();
        // A panic of an object while it is boxed or dropped must not cost the task its end.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.execute(request))) {
            let what = panic_message(&*panic);
            log::error!(target: &self.config().logger, "{}: a result panicked: {what}", self.connid);
            let exception = Exception::runtime_error(format!("the result panicked: {what}"));
            self.reply_exception(&to, &exception);
        }
        drop(current);
        self.wait_drained();
        let mut core = self.core.lock();
        core.scheduler.end(task);
        self.after_task(&mut core);
        core
    }

    fn after_task(&self, core: &mut Core) {
        if core.closing.draining || core.closing.reason.is_some() {
            core.ended.notify_all();
        }
        self.pass_on_reading(core);
    }

    fn run_in_pool(self: &Arc<Self>, task: TaskId, request: Request) {
        // The job holds the request through a slot, so that it is still here if the job is refused.
        let slot = Arc::new(Mutex::new(Some(request)));
        let job = {
            let (shared, slot) = (self.clone(), slot.clone());
            move || {
                if let Some(request) = slot.lock().take() {
                    shared.run_tasks(task, request);
                }
            }
        };
        let config = self.config();
        if let Err(error) = config.executor.execute(Box::new(job)) {
            if let Some(request) = slot.lock().take() {
                let busy = format!("no thread can be had to run this: {error}");
                self.refuse(&request, Exception::runtime_error(busy));
                let args = request.args.into_iter().map(Garbage::Any);
                self.core.lock().garbage.extend(args);
            }
            let mut core = self.core.lock();
            core.scheduler.end(task);
            self.after_task(&mut core);
        }
    }

    /// Runs a request on a pool's thread, and those whose turn comes by its end.
    fn run_tasks(self: &Arc<Self>, task: TaskId, request: Request) {
        let mut next = Some((task, request));
        while let Some((task, request)) = next {
            let core = self.run_task(task, request);
            let (core, more) = self.give_out(core, Requester::PoolThread);
            drop(core);
            next = more;
        }
        self.flush();
        self.drop_garbage();
    }

    /// Answers a request that doesn't run.
    pub(crate) fn refuse(&self, request: &Request, exception: Exception) {
        log::debug!(target: &self.config().logger, "{}: refused {}: {exception}", self.connid, request.handler.name());
        self.reply_exception(&request.to, &exception);
    }

    fn execute(self: &Arc<Self>, request: Request) {
        let Request { to, handler, args } = request;
        let config = self.config();
        let connection = Connection::internal(self.clone());
        let context = Context::new(&connection);
        self.requests_served.fetch_add(1, Ordering::Relaxed);
        // The netrefs among the arguments live until the answer is queued: the release of one of
        // them must not overtake it.
        let netrefs = netrefs(&args);
        let handle = || handlers::handle(&context, &config, handler, args);
        let observer = config.observer.as_deref();
        let observed = observer.map(|observer| (observer, Instant::now()));
        let outcome = catch_unwind(AssertUnwindSafe(handle));
        let raised = !matches!(outcome, Ok(Ok(_)));
        match outcome {
            Ok(Ok(result)) => self.reply_under(&config, &to, result),
            Ok(Err(exception)) => self.raised(&config, &to, &exception),
            Err(panic) => {
                let what = panic_message(&*panic);
                log::error!(target: &config.logger, "{}: {} panicked: {what}", self.connid, handler.name());
                let exception = Exception::runtime_error(format!("the handler panicked: {what}"));
                self.reply_exception(&to, &exception);
            }
        }
        if let Some((observer, began)) = observed {
            // The answer is queued: its panic mustn't bring another one.
            let tell = || observer.request_ended(handler, began.elapsed(), raised);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(tell)) {
                let what = panic_message(&*panic);
                log::error!(target: &config.logger, "{}: the observer panicked: {what}", self.connid);
            }
        }
        drop(netrefs);
    }

    fn raised(&self, config: &Config, to: &ReplyTo, exception: &Exception) {
        if config.log_exceptions && !exception.is("StopIteration") {
            let traceback = exception.traceback().map_or("", |text| text.trim_end());
            log::debug!(
                target: &config.logger,
                "{}: raised {exception}\n{traceback}",
                self.connid
            );
        }
        let ends_here = (config.propagate_system_exit_locally && exception.is("SystemExit"))
            || (config.propagate_keyboard_interrupt_locally && exception.is("KeyboardInterrupt"));
        if ends_here {
            self.end(CloseReason::Raised(exception.clone()));
        } else {
            self.reply_exception(to, exception);
        }
    }

    /// Queues a reply; what can't be sent becomes an exception at the peer.
    pub(crate) fn reply(&self, to: &ReplyTo, result: Any) {
        self.reply_under(&self.config(), to, result);
    }

    fn reply_under(&self, config: &Config, to: &ReplyTo, result: Any) {
        let mut keep_alive = KeepAlive::default();
        let boxed = match self.box_any(result, &mut keep_alive) {
            Ok(boxed) => boxed,
            Err(exception) => return self.reply_exception(to, &exception),
        };
        self.trace_outgoing(config, || Message::Reply {
            seq: to.seq.clone(),
            result: boxed.clone(),
        });
        let encoded = self.outbox.append(|frames| {
            encode_reply(
                frames,
                self.wire.answer(to),
                &self.limits,
                config.compress,
                &to.seq,
                &boxed,
            )
        });
        if let Err(error) = encoded {
            self.unbox_refs(std::slice::from_ref(&boxed));
            boxed::dismantle(vec![boxed]);
            let exception = Exception::value_error(format!("the result can't be sent: {error}"));
            self.reply_exception(to, &exception);
        }
        drop(keep_alive);
        self.wake_watchdog();
    }

    /// Queues an exception as the answer; a part that can't be sent is replaced.
    pub(crate) fn reply_exception(&self, to: &ReplyTo, exception: &Exception) {
        let config = self.config();
        let dump = |exception: &Exception| {
            let dumped = exception.dump(config.include_local_traceback, config.version());
            self.trace_outgoing(&config, || Message::Exception {
                seq: to.seq.clone(),
                exception: dumped.clone(),
            });
            self.outbox.append(|frames| {
                encode_exception(
                    frames,
                    self.wire.answer(to),
                    &self.limits,
                    config.compress,
                    &to.seq,
                    &dumped,
                )
            })
        };
        if let Err(error) = dump(exception) {
            let plain = Exception::new(exception.module().clone(), exception.class().clone());
            let plain = plain.with_arg(format!("the exception can't be sent whole: {error}"));
            if let Err(error) = dump(&plain) {
                log::warn!(target: &self.config().logger, "{}: an exception can't be sent: {error}", self.connid);
            }
        }
        self.wake_watchdog();
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
                    Garbage::Any(any) => drop(any),
                    Garbage::Object(object) => drop(object),
                };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(clear)) {
                    let what = panic_message(&*panic);
                    log::error!(target: &self.config().logger, "{}: a callback or a destructor panicked: {what}", self.connid);
                }
            }
        }
    }
}

/// Handles on the netrefs among the arguments.
fn netrefs(args: &[Any]) -> Vec<Any> {
    fn collect(args: &[Any], into: &mut Vec<Any>) {
        for arg in args {
            match arg {
                Any::Value(_) | Any::Local(_) => {}
                Any::Tuple(items) => collect(items, into),
                Any::Netref(_) => into.push(arg.clone()),
            }
        }
    }
    let mut netrefs = Vec::new();
    collect(args, &mut netrefs);
    netrefs
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic
        .downcast_ref::<String>()
        .map_or("(no message)", String::as_str)
}
