//! Tests that would hang fail instead.

use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What a test waits for at most where nothing more specific is called for. Generous: it is
/// only reached by a test that fails, and test machines can be slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `work` on a thread of its own and returns its result.
///
/// # Panics
/// When `work` panics, or takes longer than `limit`; its thread is left behind then.
#[track_caller]
pub fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, result) = mpsc::channel();
    let worker = thread::spawn(move || {
        // A receiver that gave up is no news: it has panicked already.
        let _ = done.send(work());
    });
    match result.recv_timeout(limit) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: not done within {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(payload) => panic::resume_unwind(payload),
            Ok(()) => unreachable!("a worker that did not panic has sent its result"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_result_of_the_work() {
        assert_eq!(within(PATIENCE, "a sum", || 1 + 1), 2);
    }

    #[test]
    fn fails_when_the_work_takes_too_long() {
        let (_keep, never) = mpsc::channel::<()>();
        let outcome = panic::catch_unwind(|| {
            within(Duration::from_millis(1), "a wait", move || never.recv())
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn passes_on_the_panic_of_the_work() {
        let outcome = panic::catch_unwind(|| within(PATIENCE, "a panic", || panic!("the cause")));
        let payload = outcome.expect_err("the panic of the work");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the cause"));
    }
}
