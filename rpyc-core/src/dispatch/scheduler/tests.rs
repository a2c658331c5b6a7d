//! The rules, one by one, without a thread.

use super::*;

/// Requests are numbers here: 1, 2, ... With bound threads, 3105 is the request 5 of the peer's
/// thread 3, and names our thread 1.
impl Job for u32 {
    fn handler(&self) -> Handler {
        Handler::Ping
    }

    fn is_probe(&self) -> bool {
        true
    }

    fn pair(&self) -> ThreadPair {
        between(u64::from(self / 1000), u64::from(self / 100 % 10))
    }
}

pub(super) fn between(peers: u64, ours: u64) -> ThreadPair {
    ThreadPair { peers, ours }
}

pub(super) const NOBODY: ThreadPair = ThreadPair { peers: 0, ours: 0 };

pub(super) fn scheduler(nesting: Nesting) -> Scheduler<u32> {
    Scheduler::new(Bounds {
        concurrency: 1,
        max_tasks: 5,
        max_queued: 4,
        max_queued_bytes: 1000,
        nesting,
    })
}

#[track_caller]
pub(super) fn arrive(scheduler: &mut Scheduler<u32>, requests: impl IntoIterator<Item = u32>) {
    for request in requests {
        assert_eq!(scheduler.arrive(request, 10), Ok(()));
    }
}

#[track_caller]
pub(super) fn here(scheduler: &mut Scheduler<u32>, requester: Requester, expected: u32) -> TaskId {
    match scheduler.next(requester) {
        Some(Next::Here(task, request)) if request == expected => task,
        other => panic!("expected {expected} to start here, got {other:?}"),
    }
}

#[track_caller]
pub(super) fn in_pool(scheduler: &mut Scheduler<u32>, by: Requester, expected: u32) -> TaskId {
    match scheduler.next(by) {
        Some(Next::Pool(task, request)) if request == expected => task,
        other => panic!("expected {expected} to start in the pool, got {other:?}"),
    }
}

#[track_caller]
fn assigned(
    scheduler: &mut Scheduler<u32>,
    requester: Requester,
    waiter: WaiterId,
    expected: u32,
) -> TaskId {
    assert_eq!(scheduler.next(requester), Some(Next::Wake(waiter)));
    match scheduler.take_assigned(waiter) {
        Some((task, request)) if request == expected => task,
        other => panic!("expected {expected} at {waiter:?}, got {other:?}"),
    }
}

#[test]
fn a_serving_thread_runs_requests_itself_in_the_order_of_arrival() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1, 2]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    assert_eq!(scheduler.next(Requester::Nobody), None); // the first hasn't ended
    scheduler.end(first);
    scheduler.end_nested(server);
    here(&mut scheduler, Requester::Waiter(server), 2);
}

#[test]
fn a_request_starts_when_all_before_it_wait_for_the_peer() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1, 2, 3]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    let wait = scheduler.begin_wait(Some(first), NOBODY);
    let second = in_pool(&mut scheduler, Requester::Waiter(wait), 2);
    assert_eq!(scheduler.next(Requester::Waiter(wait)), None);
    let second_wait = scheduler.begin_wait(Some(second), NOBODY);
    in_pool(&mut scheduler, Requester::Waiter(second_wait), 3);
}

#[test]
fn the_end_of_a_wait_takes_the_room_again() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    let wait = scheduler.begin_wait(Some(first), NOBODY);
    scheduler.answered(wait);
    scheduler.leave(wait);
    arrive(&mut scheduler, [2]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    scheduler.end(first);
    scheduler.end_nested(server);
    here(&mut scheduler, Requester::Waiter(server), 2);
}

#[test]
fn each_foreign_wait_makes_room_for_one_more() {
    let mut scheduler = scheduler(Nesting::Stack);
    arrive(&mut scheduler, [1, 2, 3]);
    in_pool(&mut scheduler, Requester::Nobody, 1);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    let wait = scheduler.begin_wait(None, NOBODY);
    in_pool(&mut scheduler, Requester::Waiter(wait), 2);
    assert_eq!(scheduler.next(Requester::Waiter(wait)), None);
    scheduler.begin_wait(None, NOBODY);
    in_pool(&mut scheduler, Requester::Nobody, 3);
}

#[test]
fn concurrency_lets_more_run_at_once() {
    let mut scheduler = scheduler(Nesting::Pool);
    scheduler.bounds_mut().concurrency = 2;
    arrive(&mut scheduler, [1, 2, 3]);
    in_pool(&mut scheduler, Requester::Nobody, 1);
    in_pool(&mut scheduler, Requester::Nobody, 2);
    assert_eq!(scheduler.next(Requester::Nobody), None);
}

#[test]
fn by_stack_a_request_is_nested_on_the_innermost_wait() {
    let mut scheduler = scheduler(Nesting::Stack);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    let wait = scheduler.begin_wait(Some(first), NOBODY);
    scheduler.set_state(wait, ThreadState::Asleep);
    arrive(&mut scheduler, [2]);
    let second = assigned(&mut scheduler, Requester::Nobody, wait, 2);
    let inner = scheduler.begin_wait(Some(second), NOBODY);
    arrive(&mut scheduler, [3]);
    here(&mut scheduler, Requester::Waiter(inner), 3);
}

#[test]
fn by_stack_nothing_is_nested_on_an_answered_wait_that_has_another_nested_on_it() {
    let mut scheduler = scheduler(Nesting::Stack);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1, 2]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    let outer = scheduler.begin_wait(Some(first), NOBODY);
    let second = here(&mut scheduler, Requester::Waiter(outer), 2);
    let inner = scheduler.begin_wait(Some(second), NOBODY);
    scheduler.answered(outer);
    arrive(&mut scheduler, [3]);
    in_pool(&mut scheduler, Requester::Waiter(inner), 3);
}

#[test]
fn nothing_is_nested_on_a_background_threads_wait() {
    let mut scheduler = scheduler(Nesting::Stack);
    let wait = scheduler.begin_wait(None, NOBODY);
    scheduler.set_state(wait, ThreadState::Asleep);
    arrive(&mut scheduler, [1]);
    in_pool(&mut scheduler, Requester::Waiter(wait), 1);
}

#[test]
fn on_waits_a_request_is_nested_on_a_wait_of_the_programs_own_and_stays_where_there_is_none() {
    let mut scheduler = scheduler(Nesting::Waiting);
    arrive(&mut scheduler, [1]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    let wait = scheduler.begin_wait(None, NOBODY);
    let first = here(&mut scheduler, Requester::Waiter(wait), 1);
    // One after the other: there is one thread.
    arrive(&mut scheduler, [2]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    // A callback of a callback.
    let inner = scheduler.begin_wait(Some(first), NOBODY);
    scheduler.set_state(inner, ThreadState::Asleep);
    let second = assigned(&mut scheduler, Requester::Nobody, inner, 2);
    scheduler.end_nested(inner);
    scheduler.end(second);
    scheduler.answered(inner);
    arrive(&mut scheduler, [3]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    scheduler.leave(inner);
    scheduler.end_nested(wait);
    scheduler.end(first);
    here(&mut scheduler, Requester::Waiter(wait), 3);
}

#[test]
fn on_waits_each_waiting_thread_runs_one_request() {
    let mut scheduler = scheduler(Nesting::Waiting);
    let [one, other] = [(); 2].map(|()| {
        let wait = scheduler.begin_wait(None, NOBODY);
        scheduler.set_state(wait, ThreadState::Asleep);
        wait
    });
    arrive(&mut scheduler, [1, 2, 3]);
    assigned(&mut scheduler, Requester::Nobody, other, 1);
    assigned(&mut scheduler, Requester::Nobody, one, 2);
    assert_eq!(scheduler.next(Requester::Nobody), None);
}

#[test]
fn a_thread_that_reads_is_given_nothing_by_others() {
    let mut scheduler = scheduler(Nesting::Stack);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Reading);
    arrive(&mut scheduler, [1]);
    in_pool(&mut scheduler, Requester::Nobody, 1);
}

#[test]
fn an_idle_serving_thread_comes_before_the_pool() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Asleep);
    arrive(&mut scheduler, [1, 2]);
    let first = assigned(&mut scheduler, Requester::Nobody, server, 1);
    scheduler.end(first);
    scheduler.end_nested(server);
    assigned(&mut scheduler, Requester::PoolThread, server, 2);
}

#[test]
fn a_pool_thread_goes_on_with_the_next_request_itself() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, [1, 2]);
    let first = in_pool(&mut scheduler, Requester::Nobody, 1);
    scheduler.end(first);
    here(&mut scheduler, Requester::PoolThread, 2);
}

#[test]
fn too_deep_a_nesting_is_answered_with_an_error_never_held() {
    let mut scheduler = scheduler(Nesting::Pool);
    for request in 0..5 {
        arrive(&mut scheduler, [request]);
        let task = in_pool(&mut scheduler, Requester::Nobody, request);
        scheduler.begin_wait(Some(task), NOBODY);
    }
    arrive(&mut scheduler, [5]);
    assert_eq!(scheduler.next(Requester::Nobody), Some(Next::TooDeep(5)));
}

#[test]
fn a_full_queue_stops_the_reading_unless_somebody_waits() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, 0..4);
    assert!(!scheduler.wants_input());
    let wait = scheduler.begin_wait(None, NOBODY);
    assert!(scheduler.wants_input());
    assert_eq!(
        scheduler.arrive(4, 10),
        Err(4),
        "who waits isn't held up by a full queue"
    );
    scheduler.leave(wait);
    in_pool(&mut scheduler, Requester::Nobody, 0);
    assert!(scheduler.wants_input());
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let mut scheduler = scheduler(Nesting::Pool);
    assert_eq!(scheduler.arrive(0, 1001), Ok(()));
    assert!(!scheduler.wants_input());
    in_pool(&mut scheduler, Requester::Nobody, 0);
    assert!(scheduler.wants_input());
}

#[test]
fn a_stall_is_broken_out_of_turn() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, [1, 2]);
    in_pool(&mut scheduler, Requester::Nobody, 1);
    let before = scheduler.progress();
    assert_eq!(scheduler.next(Requester::Nobody), None);
    assert_eq!(scheduler.progress(), before, "a refusal is no progress");
    assert!(matches!(scheduler.break_stall(), Some(Next::Pool(_, 2))));
    assert!(scheduler.progress() > before);
}

#[test]
fn who_should_read_is_a_wait_before_a_server_and_never_the_busy() {
    let mut scheduler = scheduler(Nesting::Pool);
    assert_eq!(scheduler.next_reader(), None);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Asleep);
    let wait = scheduler.begin_wait(None, NOBODY);
    assert_eq!(
        scheduler.next_reader(),
        Some(server),
        "the wait's thread is awake and looks itself"
    );
    scheduler.set_state(wait, ThreadState::Asleep);
    assert_eq!(scheduler.next_reader(), Some(wait));
    scheduler.answered(wait);
    assert_eq!(
        scheduler.next_reader(),
        Some(server),
        "an answered wait has better things to do"
    );
    arrive(&mut scheduler, [1]);
    assigned(&mut scheduler, Requester::Nobody, server, 1);
    assert_eq!(scheduler.next_reader(), None);
}

#[test]
fn what_was_assigned_to_a_thread_that_leaves_goes_first_again() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Asleep);
    arrive(&mut scheduler, [1, 2]);
    assert_eq!(scheduler.next(Requester::Nobody), Some(Next::Wake(server)));
    scheduler.leave(server);
    in_pool(&mut scheduler, Requester::Nobody, 1);
    assert_eq!(scheduler.tasks(), 1);
}

#[test]
fn clearing_gives_back_what_is_queued_and_what_is_assigned() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Asleep);
    arrive(&mut scheduler, [1, 2, 3]);
    assert_eq!(scheduler.next(Requester::Nobody), Some(Next::Wake(server)));
    assert_eq!(scheduler.clear_queue(), [1, 2, 3]);
    assert_eq!((scheduler.tasks(), scheduler.queued()), (0, 0));
    assert_eq!(scheduler.take_assigned(server), None);
}

#[test]
fn a_thread_that_writes_or_drops_things_is_given_nothing_it_may_itself_wait_for() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Busy);
    let wait = scheduler.begin_wait(None, NOBODY);
    arrive(&mut scheduler, [1]);
    in_pool(&mut scheduler, Requester::Waiter(wait), 1);
}

#[test]
fn by_stack_a_request_is_left_to_the_serving_thread_that_is_busy_for_a_moment() {
    let mut scheduler = scheduler(Nesting::Stack);
    let server = scheduler.begin_serving(None, NOBODY);
    scheduler.set_state(server, ThreadState::Busy);
    arrive(&mut scheduler, [1]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    scheduler.set_state(server, ThreadState::Awake);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    scheduler.end(first);
    scheduler.end_nested(server);
    // What it does may wait for the peer.
    scheduler.set_state(server, ThreadState::Busy);
    arrive(&mut scheduler, [2]);
    let wait = scheduler.begin_wait(None, NOBODY);
    let second = in_pool(&mut scheduler, Requester::Nobody, 2);
    scheduler.end(second);
    scheduler.leave(wait);
    // Or for what only this request brings about.
    arrive(&mut scheduler, [3]);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    assert!(matches!(scheduler.break_stall(), Some(Next::Pool(_, 3))));
}

#[test]
fn a_request_that_serves_makes_room_for_what_it_serves() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, NOBODY);
    arrive(&mut scheduler, [1, 2]);
    let first = here(&mut scheduler, Requester::Waiter(server), 1);
    let inner = scheduler.begin_serving(Some(first), NOBODY);
    let second = here(&mut scheduler, Requester::Waiter(inner), 2);
    scheduler.end(second);
    scheduler.end_nested(inner);
    scheduler.leave(inner);
    arrive(&mut scheduler, [3]);
    assert_eq!(
        scheduler.next(Requester::Nobody),
        None,
        "the first is active again"
    );
}

#[test]
fn a_request_that_names_a_thread_is_nested_on_its_wait_whatever_else_is_active() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, between(0, 1));
    arrive(&mut scheduler, [3001]);
    let first = here(&mut scheduler, Requester::Waiter(server), 3001);
    let wait = scheduler.begin_wait(Some(first), between(3, 1));
    scheduler.set_state(wait, ThreadState::Asleep);
    arrive(&mut scheduler, [4002]);
    in_pool(&mut scheduler, Requester::Nobody, 4002);
    arrive(&mut scheduler, [3103]);
    assert_eq!(scheduler.next(Requester::Nobody), Some(Next::Wake(wait)));
    scheduler.set_state(wait, ThreadState::Awake);
    assert_eq!(
        scheduler.next(Requester::Nobody),
        None,
        "its own thread takes it"
    );
    let third = here(&mut scheduler, Requester::Waiter(wait), 3103);
    assert_eq!(scheduler.running().count(), 3);
    scheduler.end(third);
    scheduler.end_nested(wait);
    assert_eq!(scheduler.next(Requester::Waiter(wait)), None);
}

#[test]
fn requests_that_name_one_thread_start_in_the_order_sent_also_nested_on_an_inner_wait() {
    let mut scheduler = scheduler(Nesting::Pool);
    let wait = scheduler.begin_wait(None, between(0, 1));
    arrive(&mut scheduler, [3101, 3102, 3103]);
    let first = here(&mut scheduler, Requester::Waiter(wait), 3101);
    assert_eq!(
        scheduler.next(Requester::Waiter(wait)),
        None,
        "its thread is busy"
    );
    let inner = scheduler.begin_wait(Some(first), between(3, 1));
    let second = here(&mut scheduler, Requester::Waiter(inner), 3102);
    scheduler.end(second);
    scheduler.end_nested(inner);
    // What the inner wait doesn't get to is nested on the outer one.
    scheduler.leave(inner);
    scheduler.end(first);
    assert_eq!(scheduler.queued(), 1);
    scheduler.end_nested(wait);
    here(&mut scheduler, Requester::Waiter(wait), 3103);
}

#[test]
fn a_bound_request_that_names_no_thread_goes_on_top_of_no_other_one() {
    let mut scheduler = scheduler(Nesting::Stack);
    let server = scheduler.begin_serving(None, between(0, 1));
    arrive(&mut scheduler, [3001]);
    let first = here(&mut scheduler, Requester::Waiter(server), 3001);
    let wait = scheduler.begin_wait(Some(first), between(3, 1));
    arrive(&mut scheduler, [4002]);
    let second = in_pool(&mut scheduler, Requester::Waiter(wait), 4002);
    // Nor nested on a request that serves.
    scheduler.begin_serving(Some(second), between(4, 2));
    arrive(&mut scheduler, [5003]);
    in_pool(&mut scheduler, Requester::Nobody, 5003);
}

#[test]
fn a_name_that_is_out_of_date_binds_nothing() {
    let mut scheduler = scheduler(Nesting::Pool);
    let server = scheduler.begin_serving(None, between(0, 1));
    // A thread that only serves; one that isn't there; one that waits for another thread.
    arrive(&mut scheduler, [3101]);
    let first = here(&mut scheduler, Requester::Waiter(server), 3101);
    let wait = scheduler.begin_wait(Some(first), between(3, 1));
    arrive(&mut scheduler, [3202, 4103]);
    let second = in_pool(&mut scheduler, Requester::Waiter(wait), 3202);
    scheduler.end(second);
    in_pool(&mut scheduler, Requester::Waiter(wait), 4103);
}

#[test]
fn what_names_a_thread_that_leaves_is_run_by_another_in_its_turn() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, [3001]);
    let first = in_pool(&mut scheduler, Requester::Nobody, 3001);
    let wait = scheduler.begin_wait(Some(first), between(3, 1));
    arrive(&mut scheduler, [3102, 3103, 4004]);
    scheduler.leave(wait);
    assert_eq!(scheduler.queued(), 3);
    assert_eq!(
        scheduler.next(Requester::Nobody),
        None,
        "the first is active again"
    );
    scheduler.end(first);
    let second = in_pool(&mut scheduler, Requester::Nobody, 3102);
    scheduler.end(second);
    let third = in_pool(&mut scheduler, Requester::Nobody, 3103);
    scheduler.end(third);
    in_pool(&mut scheduler, Requester::Nobody, 4004);
}

#[test]
fn requests_that_name_a_thread_count_among_the_queued_ones() {
    let mut scheduler = scheduler(Nesting::Pool);
    let wait = scheduler.begin_wait(None, between(0, 1));
    arrive(&mut scheduler, [3101, 3102, 3103, 3104]);
    assert_eq!(scheduler.arrive(3105, 10), Err(3105));
    assert_eq!(scheduler.waiting().count(), 4);
    assert_eq!(scheduler.clear_queue(), [3101, 3102, 3103, 3104]);
    assert_eq!(
        (scheduler.queued(), scheduler.next(Requester::Waiter(wait))),
        (0, None)
    );
    scheduler.leave(wait);
    assert!(scheduler.wants_input());
    // Too many nested: the named ones, too, are answered.
    let mut under = None;
    for request in 0..5 {
        let wait = scheduler.begin_wait(under, between(if under.is_some() { 3 } else { 0 }, 1));
        arrive(&mut scheduler, [3100 + request]);
        under = Some(here(
            &mut scheduler,
            Requester::Waiter(wait),
            3100 + request,
        ));
    }
    let wait = scheduler.begin_wait(under, between(3, 1));
    arrive(&mut scheduler, [3105]);
    assert_eq!(
        scheduler.next(Requester::Waiter(wait)),
        Some(Next::TooDeep(3105))
    );
}

/// A handler serves, and a callback that runs meanwhile waits: it counts once.
#[test]
fn a_task_whose_thread_waits_while_it_serves_makes_room_for_one_and_once() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, [1]);
    let first = in_pool(&mut scheduler, Requester::Nobody, 1);
    let serving = scheduler.begin_serving(Some(first), NOBODY);
    scheduler.set_state(serving, ThreadState::Busy);
    let wait = scheduler.begin_wait(Some(first), NOBODY);
    arrive(&mut scheduler, [2, 3]);
    let second = in_pool(&mut scheduler, Requester::Waiter(wait), 2);
    assert_eq!(scheduler.next(Requester::Nobody), None, "the second runs");
    scheduler.leave(wait);
    assert_eq!(scheduler.next(Requester::Nobody), None, "it still runs");
    scheduler.end(second);
    scheduler.set_state(serving, ThreadState::Awake);
    let third = here(&mut scheduler, Requester::Waiter(serving), 3);
    scheduler.end(third);
    scheduler.end_nested(serving);
    scheduler.leave(serving);
    arrive(&mut scheduler, [4]);
    assert_eq!(
        scheduler.next(Requester::Nobody),
        None,
        "the first is active again"
    );
    scheduler.end(first);
    in_pool(&mut scheduler, Requester::Nobody, 4);
}

#[test]
fn a_task_that_ends_within_its_waits_leaves_room_for_one() {
    let mut scheduler = scheduler(Nesting::Pool);
    arrive(&mut scheduler, [1]);
    let first = in_pool(&mut scheduler, Requester::Nobody, 1);
    let serving = scheduler.begin_serving(Some(first), NOBODY);
    let wait = scheduler.begin_wait(Some(first), NOBODY);
    // A panic tore through them.
    scheduler.end(first);
    scheduler.set_state(serving, ThreadState::Busy);
    arrive(&mut scheduler, [2, 3]);
    in_pool(&mut scheduler, Requester::Nobody, 2);
    assert_eq!(scheduler.next(Requester::Nobody), None);
    scheduler.leave(wait);
    scheduler.leave(serving);
    assert_eq!(scheduler.next(Requester::Nobody), None, "the second runs");
}

#[test]
fn no_number_of_concurrent_requests_is_too_large() {
    let mut scheduler = scheduler(Nesting::Pool);
    scheduler.bounds_mut().concurrency = usize::MAX;
    let _foreign = scheduler.begin_wait(None, NOBODY);
    arrive(&mut scheduler, [1, 2]);
    in_pool(&mut scheduler, Requester::Nobody, 1);
    in_pool(&mut scheduler, Requester::Nobody, 2);
}

#[test]
fn a_request_that_comes_alone_starts_at_the_server_that_read_it() {
    for nesting in [Nesting::Pool, Nesting::Stack, Nesting::Waiting] {
        let mut scheduler = scheduler(nesting);
        let server = scheduler.begin_serving(None, NOBODY);
        let started = scheduler.arrive_at(server, 1, 10);
        assert!(started.is_ok_and(|(_, job)| job == 1));
        assert!(
            scheduler
                .arrive_at(server, 2, 10)
                .is_err_and(|job| job == 2)
        );
    }
}
