//! [`HostThread`]: requests run on a thread of the program's.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyCFunction;
use rpyc_core::executor::{Executor, Job};

use crate::attach::{DeferredDrop, ask, attached, is_stopped, lock, take_raised};

/// Has the program run requests where it wants to, on its main thread for instance.
pub(super) struct HostThread {
    pool: Arc<dyn Executor>,
    // Is called with a function of no arguments, which the program calls on its thread.
    dispatch: DeferredDrop,
    is_closed: AtomicBool,
}

impl HostThread {
    pub(super) fn new(pool: Arc<dyn Executor>, dispatch: Bound<'_, PyAny>) -> HostThread {
        HostThread {
            pool,
            dispatch: DeferredDrop::new(dispatch),
            is_closed: AtomicBool::new(false),
        }
    }

    /// What the program hasn't begun to run isn't run any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Whether the program has taken it.
    fn hand_over(&self, handed: &Arc<Handed>) -> bool {
        let handed = handed.clone();
        let called = attached(|py| {
            let run = PyCFunction::new_closure(py, None, None, move |args, _| {
                // Else it fails in the child of a fork, whose requests these aren't.
                match ask(args.py(), || handed.run()) {
                    Ok(()) => Ok(()),
                    Err(_) => take_raised().map_or(Ok(()), Err),
                }
            })?;
            self.dispatch.bind(py).call1((run,)).map(drop)
        });
        match called {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                log::warn!("dispatch: a request isn't run: {error}");
                false
            }
            Err(_) => false,
        }
    }
}

impl Executor for HostThread {
    fn execute(&self, job: Job) -> io::Result<()> {
        self.pool.execute(job)
    }

    fn run(&self, request: &mut (dyn FnMut() + Send)) {
        if IS_HOST.get() {
            // Nested on one that runs there and waits for its peer.
            return request();
        }
        let handed = Arc::new(Handed::new(request));
        let is_taken = self.hand_over(&handed);
        handed.wait(|| !is_taken || self.is_closed.load(Ordering::Acquire) || is_stopped());
    }
}

/// A request between the thread that has it and the one that is to run it.
struct Handed {
    state: Mutex<State>,
    ended: Condvar,
}

enum State {
    Waiting(Request),
    Running,
    /// It has run, or isn't to run any more.
    Over,
}

/// What the thread that waits in [`Handed::wait`] has on its stack.
struct Request(*mut (dyn FnMut() + Send + 'static));

#[allow(unsafe_code)] // what it points to is Send
unsafe impl Send for Request {}

impl Handed {
    /// Whoever makes one calls [`wait`](Handed::wait) before `request` ends.
    fn new(request: &mut (dyn FnMut() + Send)) -> Handed {
        let request: *mut (dyn FnMut() + Send + '_) = request;
        // Safe: only the lifetime changes; `run` alone uses it, while `wait` holds its thread up.
        #[allow(unsafe_code, clippy::transmute_ptr_to_ptr)] // a closure of another thread's stack
        let request = unsafe {
            std::mem::transmute::<*mut (dyn FnMut() + Send + '_), *mut (dyn FnMut() + Send + 'static)>(
                request,
            )
        };
        Handed {
            state: Mutex::new(State::Waiting(Request(request))),
            ended: Condvar::new(),
        }
    }

    /// Runs the request on this thread, unless it has run or isn't to.
    fn run(&self) {
        let mut state = lock(&self.state);
        let State::Waiting(request) = &*state else {
            return;
        };
        let request = Request(request.0);
        *state = State::Running;
        drop(state);
        let _end = End(self);
        let nested = IS_HOST.replace(true);
        // Safe: `wait` doesn't return while the state is Running, so that what it points to is there,
        // and the state was Waiting once.
        #[allow(unsafe_code)] // a closure of another thread's stack
        unsafe {
            (*request.0)();
        }
        IS_HOST.set(nested);
    }

    /// Waits until it has run, or until it isn't to run any more and hasn't begun.
    fn wait(&self, is_given_up: impl Fn() -> bool) {
        let mut state = lock(&self.state);
        loop {
            match &*state {
                State::Over => return,
                State::Waiting(_) if is_given_up() => {
                    *state = State::Over;
                    return;
                }
                _ => {}
            }
            let waited = self.ended.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}

/// The end of a request that runs, also by a panic.
struct End<'a>(&'a Handed);

impl Drop for End<'_> {
    fn drop(&mut self) {
        *lock(&self.0.state) = State::Over;
        self.0.ended.notify_all();
    }
}

thread_local! {
    // Whether this thread runs what it was handed.
    static IS_HOST: Cell<bool> = const { Cell::new(false) };
}

/// How often a request that the program doesn't begin with is looked after.
const LOOK: Duration = Duration::from_millis(100);
