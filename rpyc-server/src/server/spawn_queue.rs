//! [`SpawnQueue`]: how many processes are being started at a time, and whose turn is next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{SendError, Sender, bounded};
use parking_lot::Mutex;

use crate::source::Source;

/// The starts that go on, and who waits for one. Clones are the same.
///
/// The next start is that of the source which has the fewest, first come first served; one place is
/// kept from each source, so that whoever is alone is never behind the many of somebody else.
#[derive(Clone, Debug)]
pub(super) struct SpawnQueue(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    /// Places in all.
    places: usize,
    started: HashMap<Source, usize>,
    waiting: VecDeque<(Source, Sender<Start>)>,
}

impl Line {
    fn started_by(&self, source: Source) -> usize {
        self.started.get(&source).copied().unwrap_or(0)
    }

    /// Takes a place for the source, if there is one for it.
    fn take(&mut self, source: Source) -> bool {
        let all: usize = self.started.values().sum();
        let most_of_source = self.places.saturating_sub(1).max(1);
        let free = all < self.places && self.started_by(source) < most_of_source;
        if free {
            *self.started.entry(source).or_default() += 1;
        }
        free
    }

    fn give_back(&mut self, source: Source) {
        if let Some(count) = self.started.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.started.remove(&source);
            }
        }
    }

    /// Takes a place for who is next; `None` when nobody waits, or nobody who may have one.
    fn take_next(&mut self) -> Option<(Source, Sender<Start>)> {
        let by_starts = |(_, (source, _)): &(usize, &(Source, _))| self.started_by(*source);
        let (index, &(source, _)) = self.waiting.iter().enumerate().min_by_key(by_starts)?;
        self.take(source).then(|| self.waiting.remove(index))?
    }
}

impl SpawnQueue {
    /// At most so many at a time.
    pub(super) fn new(places: usize) -> SpawnQueue {
        SpawnQueue(Arc::new(Mutex::new(Line {
            places,
            started: HashMap::new(),
            waiting: VecDeque::new(),
        })))
    }

    /// Waits for the turn of the caller, who may then start a process for a client of this source;
    /// none when it doesn't come in time.
    pub(super) fn begin(&self, source: Source, patience: Duration) -> Option<Start> {
        let mut line = self.0.lock();
        if line.take(source) {
            return Some(self.start(source));
        }
        let (turn, turns) = bounded(1);
        line.waiting.push_back((source, turn.clone()));
        drop(line);
        let start = turns.recv_timeout(patience).ok();
        if start.is_none() {
            let mut line = self.0.lock();
            line.waiting.retain(|(_, one)| !one.same_channel(&turn));
        }
        // One that has come after all is given back with the channel.
        start
    }

    fn start(&self, source: Source) -> Start {
        Start {
            place: Some((self.clone(), source)),
        }
    }

    /// Gives a place back, and has those begin whose turn it is.
    fn give_back(&self, source: Source) {
        let mut line = self.0.lock();
        line.give_back(source);
        while let Some((source, turn)) = line.take_next() {
            if let Err(SendError(mut start)) = turn.send(self.start(source)) {
                // It has given up meanwhile. Not by dropping, which locks the line.
                start.place = None;
                line.give_back(source);
            }
        }
    }
}

/// One of the starts that may go on at a time. Dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct Start {
    place: Option<(SpawnQueue, Source)>,
}

impl Drop for Start {
    fn drop(&mut self) {
        if let Some((queue, source)) = self.place.take() {
            queue.give_back(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn source(last: u8) -> Source {
        std::net::IpAddr::from(Ipv4Addr::new(192, 0, 2, last)).into()
    }

    /// In which order those that wait, numbered in the order in which they came, get their turn.
    fn order(queue: &SpawnQueue, held: Vec<Start>, waiting: &[u8]) -> Vec<usize> {
        let (said, order) = bounded(waiting.len());
        let before = queue.0.lock().waiting.len();
        thread::scope(|scope| {
            for (number, last) in waiting.iter().enumerate() {
                let said = said.clone();
                scope.spawn(move || {
                    let start = queue.begin(source(*last), LONG);
                    let _ = said.send(number);
                    drop(start);
                });
                while queue.0.lock().waiting.len() <= before + number {
                    thread::yield_now();
                }
            }
            drop(held);
        });
        order.try_iter().collect()
    }

    fn held(queue: &SpawnQueue, sources: &[u8]) -> Vec<Start> {
        let begin = |last: &u8| queue.begin(source(*last), LONG).expect("a free place");
        sources.iter().map(begin).collect()
    }

    #[test]
    fn of_one_source_who_came_first_starts_first() {
        let queue = SpawnQueue::new(1);
        let held = held(&queue, &[1]);
        assert_eq!(order(&queue, held, &[1, 1, 1]), [0, 1, 2]);
    }

    #[test]
    fn whoever_has_the_fewest_starts_is_next() {
        let queue = SpawnQueue::new(3);
        let mut held = held(&queue, &[1, 1, 2]);
        let one_of_1 = vec![held.remove(0)];
        let began = order(&queue, one_of_1, &[1, 1, 2, 3]);
        assert_eq!(began.first(), Some(&3));
        drop(held);
    }

    #[test]
    fn a_source_with_two_hundred_keeps_nobody_else_waiting() {
        let queue = SpawnQueue::new(4);
        let _most = held(&queue, &[1, 1, 1]);
        for _ in 0..200 {
            assert!(queue.begin(source(1), Duration::ZERO).is_none());
        }
        assert!(queue.begin(source(2), Duration::ZERO).is_some());
    }

    #[test]
    fn who_gave_up_is_passed_over_and_no_place_is_lost() {
        let queue = SpawnQueue::new(2);
        let held = held(&queue, &[1, 2]);
        for _ in 0..1_000 {
            assert!(queue.begin(source(1), Duration::ZERO).is_none());
        }
        drop(held);
        assert!(queue.0.lock().started.is_empty());
        assert!(queue.0.lock().waiting.is_empty());
    }

    #[test]
    fn a_place_that_comes_too_late_goes_to_the_next_one() {
        let queue = SpawnQueue::new(1);
        let held = held(&queue, &[1]);
        let (turn, turns) = bounded(1);
        queue.0.lock().waiting.push_back((source(2), turn));
        drop(held);
        assert_eq!(queue.0.lock().started_by(source(2)), 1);
        drop(turns);
        assert!(queue.0.lock().started.is_empty());
    }
}
