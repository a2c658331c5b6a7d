//! Which tasks move, and which do nothing until the peer answers: what the end of the connection has to know.

use super::tasks::Task;
use super::{Job, Kind, Scheduler, TaskId, ThreadPair, Waiter, WaiterId};

impl<J: Job> Scheduler<J> {
    /// How many tasks there are that the end of the connection may wait for. Of those whose threads
    /// serve, or wait for the end, it is the other way round.
    pub(crate) fn tasks_at_work(&self) -> usize {
        let is_at_work = |(_, task): &&(TaskId, Task)| self.is_at_work(task);
        self.tasks.iter().filter(is_at_work).count()
    }

    fn is_at_work(&self, task: &Task) -> bool {
        let waiter = task.waits_in.and_then(|id| self.waiter(id));
        !task.awaits_end && waiter.is_none_or(|waiter| waiter.kind != Kind::Serving)
    }

    /// The task's thread waits for the end of the connection from now on.
    pub(crate) fn await_end(&mut self, task: TaskId) {
        if let Some(task) = self.tasks.get_mut(task) {
            task.awaits_end = true;
        }
    }

    /// Whether the task does nothing until the peer sends something. Beneath a nested task its thread can't go on,
    /// whether its own wait is answered or not: what counts is whether the nested one moves.
    fn is_still(&self, task: &Task) -> bool {
        let waiter = task.waits_in.and_then(|id| self.waiter(id));
        waiter
            .is_some_and(|waiter| waiter.has_nested || waiter.kind != Kind::Wait { answered: true })
    }

    /// The youngest wait, and the threads that it is between, that may never end where the peer answers nothing but
    /// a PING: nothing is queued, and no task at work moves. To the wait of a thread that runs no task those
    /// don't matter that started before it: they may be waiting for just that thread.
    pub(crate) fn stuck_wait(&self) -> Option<(WaiterId, ThreadPair)> {
        let at_work = |(_, task): &&(TaskId, Task)| self.is_at_work(task);
        let moves = |(_, task): &&(TaskId, Task)| !self.is_still(task);
        let youngest_mover = self.tasks.iter().filter(at_work).filter(moves).last();
        let is_stuck = |waiter: &&Waiter<J>| {
            let holds = match waiter.task.map(|id| self.tasks.get(id)) {
                None => youngest_mover.is_none_or(|(id, _)| id.0 < waiter.id.0),
                Some(task) => {
                    youngest_mover.is_none() && task.is_some_and(|task| self.is_at_work(task))
                }
            };
            holds && !waiter.has_nested && waiter.kind == Kind::Wait { answered: false }
        };
        let found = self.waiters.iter().rev().find(is_stuck);
        let found = found.filter(|_| self.queued() == 0);
        found.map(|waiter| (waiter.id, waiter.pair))
    }

    /// This side's CLOSE goes out. By a PING behind it the peer learns which of its answers won't come
    /// ([`stuck_wait`](Scheduler::stuck_wait)): from now on each is left until no task moves.
    pub(crate) fn hold_probes(&mut self) {
        self.holds_probes = true;
    }

    /// Whether the next request is a PING that is left until no task moves.
    pub(super) fn is_held(&self) -> bool {
        let next = self.queue.front();
        next.is_some_and(|(job, _)| job.is_probe()) && self.holds_probes()
    }

    /// Whether PINGs are left until no task moves, and one does.
    pub(super) fn holds_probes(&self) -> bool {
        self.holds_probes && !self.tasks.iter().all(|(_, task)| self.is_still(task))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOBODY, arrive, between, here, in_pool, scheduler};
    use super::super::{Nesting, Requester};
    use super::*;

    /// Two tasks of one thread, each of which waits: the second one is nested on the wait of the first.
    fn nested() -> (Scheduler<u32>, [TaskId; 2], [WaiterId; 2]) {
        let mut scheduler = scheduler(Nesting::Stack);
        let server = scheduler.begin_serving(None, NOBODY);
        arrive(&mut scheduler, [1, 2]);
        let first = here(&mut scheduler, Requester::Waiter(server), 1);
        let outer = scheduler.begin_wait(Some(first), NOBODY);
        let second = here(&mut scheduler, Requester::Waiter(outer), 2);
        let inner = scheduler.begin_wait(Some(second), NOBODY);
        (scheduler, [first, second], [outer, inner])
    }

    fn stuck(scheduler: &Scheduler<u32>) -> Option<WaiterId> {
        scheduler.stuck_wait().map(|(waiter, _)| waiter)
    }

    fn end_nested(scheduler: &mut Scheduler<u32>, task: TaskId, waits: [WaiterId; 2]) {
        scheduler.leave(waits[1]);
        scheduler.end(task);
        scheduler.end_nested(waits[0]);
    }

    #[test]
    fn what_is_stuck_is_the_youngest_wait_whatever_came_for_those_beneath_it() {
        for is_answered in [false, true] {
            let (mut scheduler, [_, second], waits) = nested();
            if is_answered {
                scheduler.answered(waits[0]);
            }
            assert_eq!(stuck(&scheduler), Some(waits[1]));
            end_nested(&mut scheduler, second, waits);
            // Now its thread can go on.
            assert_eq!(stuck(&scheduler), (!is_answered).then_some(waits[0]));
        }
    }

    #[test]
    fn nothing_is_stuck_while_a_task_runs_or_is_queued() {
        let (mut scheduler, [_, second], [outer, inner]) = nested();
        scheduler.answered(inner);
        assert_eq!(stuck(&scheduler), None);
        scheduler.leave(inner);
        assert_eq!(stuck(&scheduler), None);
        let inner = scheduler.begin_wait(Some(second), NOBODY);
        assert_eq!(stuck(&scheduler), Some(inner));
        arrive(&mut scheduler, [3]);
        assert_eq!(stuck(&scheduler), None);
        scheduler.answered(outer);
        let third = in_pool(&mut scheduler, Requester::Nobody, 3);
        assert_eq!(stuck(&scheduler), None);
        let beside = scheduler.begin_wait(Some(third), NOBODY);
        assert_eq!(stuck(&scheduler), Some(beside));
        scheduler.answered(beside);
        assert_eq!(stuck(&scheduler), None, "that thread goes on");
    }

    #[test]
    fn a_wait_for_the_end_is_not_stuck_and_hides_none_that_is() {
        let (mut scheduler, [first, _], [outer, inner]) = nested();
        scheduler.answered(outer);
        arrive(&mut scheduler, [3]);
        let closes = in_pool(&mut scheduler, Requester::Waiter(inner), 3);
        scheduler.await_end(closes);
        assert_eq!(stuck(&scheduler), Some(inner));
        scheduler.begin_wait(Some(closes), NOBODY);
        assert_eq!(stuck(&scheduler), Some(inner));
        scheduler.await_end(first);
        assert_eq!(scheduler.tasks_at_work(), 1);
    }

    #[test]
    fn a_thread_of_no_task_is_stuck_beside_those_that_may_wait_for_it() {
        let mut scheduler = scheduler(Nesting::Stack);
        let server = scheduler.begin_serving(None, NOBODY);
        arrive(&mut scheduler, [1]);
        let joins = here(&mut scheduler, Requester::Waiter(server), 1);
        let joined = scheduler.begin_wait(None, NOBODY);
        assert_eq!(stuck(&scheduler), Some(joined));
        // One that began later may be what its answer takes.
        arrive(&mut scheduler, [2]);
        let second = in_pool(&mut scheduler, Requester::Nobody, 2);
        assert_eq!(stuck(&scheduler), None);
        scheduler.begin_wait(Some(second), NOBODY);
        assert_eq!(
            stuck(&scheduler),
            Some(joined),
            "not that of a task beside one that runs"
        );
        scheduler.begin_wait(Some(joins), NOBODY);
        assert_ne!(stuck(&scheduler), Some(joined));
        scheduler.answered(joined);
        assert_ne!(stuck(&scheduler), None);
    }

    #[test]
    fn a_ping_behind_a_close_is_left_until_no_task_moves() {
        let (mut scheduler, [_, second], waits) = nested();
        scheduler.hold_probes();
        arrive(&mut scheduler, [3]);
        scheduler.answered(waits[0]);
        let ping = in_pool(&mut scheduler, Requester::Waiter(waits[1]), 3);
        scheduler.end(ping);
        arrive(&mut scheduler, [4]);
        end_nested(&mut scheduler, second, waits);
        assert_eq!(
            scheduler.next(Requester::Nobody),
            None,
            "that thread goes on"
        );
        assert_eq!(scheduler.break_stall(), None);
    }

    #[test]
    fn a_ping_behind_a_close_that_names_a_thread_is_left_until_no_task_moves() {
        let mut scheduler = scheduler(Nesting::Pool);
        let server = scheduler.begin_serving(None, NOBODY);
        arrive(&mut scheduler, [1]);
        let task = here(&mut scheduler, Requester::Waiter(server), 1);
        let closing = scheduler.begin_wait(None, between(0, 1));
        scheduler.hold_probes();
        arrive(&mut scheduler, [3105]);
        let closer = Requester::Waiter(closing);
        assert_eq!(scheduler.next(closer), None);
        scheduler.begin_wait(Some(task), NOBODY);
        here(&mut scheduler, closer, 3105);
    }
}
