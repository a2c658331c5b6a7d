//! The executing threads: known to the interpreter for their whole life, and detached.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rpyc_core::executor::{Executor, ThreadBody, ThreadPool};

use super::interrupt;
use super::thread::{Source, detached};

/// The pool of them: `stack_size` bytes of stack each, `max_threads` at most.
pub(super) fn executor(
    source: &Arc<Source>,
    stack_size: usize,
    max_threads: usize,
) -> Arc<dyn Executor> {
    let its = source.clone();
    let body: ThreadBody = Arc::new(move |work| live(&its, work));
    let pool = ThreadPool::with_body("rpyc-python", stack_size, max_threads, body);
    let pool: Arc<dyn Executor> = Arc::new(pool);
    source.set_executor(&pool);
    pool
}

/// The life of an executing thread.
fn live(source: &Source, work: &mut dyn FnMut()) {
    let has_lived = source.live(|vm| {
        let listening = interrupt::listen(vm, source);
        let outcome = detached(vm, || catch_unwind(AssertUnwindSafe(&mut *work)));
        if outcome.is_err() {
            log::error!("an executing thread panicked outside of a request");
        }
        drop(listening);
    });
    if !has_lived {
        // Requests that still come find the interpreter stopped.
        work();
    }
}
