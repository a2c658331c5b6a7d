//! How many processes are being started at a time: in the order in which their clients spoke.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{SendError, Sender, bounded};

/// The starts that go on, and who waits for one.
#[derive(Clone, Debug)]
pub(super) struct Starts(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    free: usize,
    waiting: VecDeque<Sender<Start>>,
}

impl Starts {
    /// At most so many at a time.
    pub(super) fn new(most: usize) -> Starts {
        Starts(Arc::new(Mutex::new(Line {
            free: most,
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for the turn of the caller, who may then start a process; none when it doesn't come
    /// in time.
    pub(super) fn begin(&self, patience: Duration) -> Option<Start> {
        let mut line = self.line();
        if line.free > 0 {
            line.free -= 1;
            return Some(Start(Some(self.clone())));
        }
        let (turn, turns) = bounded(1);
        line.waiting.push_back(turn);
        drop(line);
        // One that comes too late ends with the channel, and is passed on.
        turns.recv_timeout(patience).ok()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process is being started until this is dropped.
#[derive(Debug)]
pub(super) struct Start(Option<Starts>);

impl Drop for Start {
    fn drop(&mut self) {
        let Some(starts) = self.0.take() else {
            return;
        };
        let mut line = starts.line();
        while let Some(next) = line.waiting.pop_front() {
            drop(line);
            match next.send(Start(Some(starts.clone()))) {
                Ok(()) => return,
                // It has given up.
                Err(SendError(mut start)) => start.0 = None,
            }
            line = starts.line();
        }
        line.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn who_came_first_starts_first() {
        let starts = Starts::new(1);
        let first = starts.begin(LONG).expect("nobody else");
        let (said, order) = bounded(3);
        std::thread::scope(|scope| {
            for number in 0..3 {
                let (line, said) = (starts.clone(), said.clone());
                scope.spawn(move || {
                    let start = line.begin(LONG);
                    let _ = said.send((number, start.is_some()));
                });
                while starts.line().waiting.len() <= number {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        let order: Vec<_> = order.try_iter().collect();
        assert_eq!(order, [(0, true), (1, true), (2, true)]);
    }

    #[test]
    fn who_gave_up_is_passed_over_and_no_place_is_lost() {
        let starts = Starts::new(2);
        let held = [starts.begin(LONG), starts.begin(LONG)];
        for _ in 0..1_000 {
            assert!(starts.begin(Duration::ZERO).is_none());
        }
        drop(held);
        assert_eq!(starts.line().free, 2);
        assert!(starts.line().waiting.is_empty());
    }

    #[test]
    fn a_place_that_comes_too_late_goes_to_the_next_one() {
        let starts = Starts::new(1);
        let held = starts.begin(LONG);
        let (turn, turns) = bounded(1);
        starts.line().waiting.push_back(turn);
        drop(held);
        assert_eq!(starts.line().free, 0);
        drop(turns);
        assert_eq!(starts.line().free, 1);
    }
}
