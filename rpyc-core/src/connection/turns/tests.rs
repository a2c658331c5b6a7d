//! The rules, one by one, without a thread.

use super::*;

/// Requests are numbers here: 1, 2, ... With bound threads, 3105 is the request 5 of the peer's
/// thread 3, and names our thread 1.
impl Job for u32 {
    fn handler(&self) -> Handler {
        Handler::Ping
    }

    fn bond(&self) -> Bond {
        between(u64::from(self / 1000), u64::from(self / 100 % 10))
    }
}

fn between(peers: u64, ours: u64) -> Bond {
    Bond { peers, ours }
}

const NOBODY: Bond = Bond { peers: 0, ours: 0 };

fn turns(nesting: Nesting) -> Turns<u32> {
    Turns::new(Bounds {
        concurrency: 1,
        max_tasks: 5,
        max_queued: 4,
        max_queued_bytes: 1000,
        nesting,
    })
}

#[track_caller]
fn arrive(turns: &mut Turns<u32>, requests: impl IntoIterator<Item = u32>) {
    for request in requests {
        assert_eq!(turns.arrive(request, 10), Ok(()));
    }
}

#[track_caller]
fn here(turns: &mut Turns<u32>, asker: Asker, expected: u32) -> TaskId {
    match turns.next(asker) {
        Some(Next::Here(task, request)) if request == expected => task,
        other => panic!("expected {expected} to start here, got {other:?}"),
    }
}

#[track_caller]
fn in_pool(turns: &mut Turns<u32>, asker: Asker, expected: u32) -> TaskId {
    match turns.next(asker) {
        Some(Next::Pool(task, request)) if request == expected => task,
        other => panic!("expected {expected} to start in the pool, got {other:?}"),
    }
}

#[track_caller]
fn assigned(turns: &mut Turns<u32>, asker: Asker, place: PlaceId, expected: u32) -> TaskId {
    assert_eq!(turns.next(asker), Some(Next::Wake(place)));
    match turns.take_assigned(place) {
        Some((task, request)) if request == expected => task,
        other => panic!("expected {expected} at {place:?}, got {other:?}"),
    }
}

#[test]
fn a_serving_thread_runs_requests_itself_in_the_order_of_arrival() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1, 2]);
    let first = here(&mut turns, Asker::Place(server), 1);
    assert_eq!(
        turns.next(Asker::Nobody),
        None,
        "the second waits for the first's end"
    );
    turns.end(first);
    turns.uncover(server);
    here(&mut turns, Asker::Place(server), 2);
}

#[test]
fn a_request_starts_when_all_before_it_wait_for_the_peer() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1, 2, 3]);
    let first = here(&mut turns, Asker::Place(server), 1);
    let wait = turns.begin_wait(Some(first), NOBODY);
    let second = in_pool(&mut turns, Asker::Place(wait), 2);
    assert_eq!(turns.next(Asker::Place(wait)), None);
    let second_wait = turns.begin_wait(Some(second), NOBODY);
    in_pool(&mut turns, Asker::Place(second_wait), 3);
}

#[test]
fn the_end_of_a_wait_takes_the_room_again() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1]);
    let first = here(&mut turns, Asker::Place(server), 1);
    let wait = turns.begin_wait(Some(first), NOBODY);
    turns.answered(wait);
    turns.leave(wait);
    arrive(&mut turns, [2]);
    assert_eq!(turns.next(Asker::Nobody), None);
    turns.end(first);
    turns.uncover(server);
    here(&mut turns, Asker::Place(server), 2);
}

#[test]
fn each_foreign_wait_makes_room_for_one_more() {
    let mut turns = turns(Nesting::Stack);
    arrive(&mut turns, [1, 2, 3]);
    in_pool(&mut turns, Asker::Nobody, 1);
    assert_eq!(turns.next(Asker::Nobody), None);
    let wait = turns.begin_wait(None, NOBODY);
    in_pool(&mut turns, Asker::Place(wait), 2);
    assert_eq!(turns.next(Asker::Place(wait)), None);
    turns.begin_wait(None, NOBODY);
    in_pool(&mut turns, Asker::Nobody, 3);
}

#[test]
fn concurrency_lets_more_run_at_once() {
    let mut turns = turns(Nesting::Pool);
    turns.bounds_mut().concurrency = 2;
    arrive(&mut turns, [1, 2, 3]);
    in_pool(&mut turns, Asker::Nobody, 1);
    in_pool(&mut turns, Asker::Nobody, 2);
    assert_eq!(turns.next(Asker::Nobody), None);
}

#[test]
fn by_stack_a_request_runs_beneath_the_innermost_wait() {
    let mut turns = turns(Nesting::Stack);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1]);
    let first = here(&mut turns, Asker::Place(server), 1);
    let wait = turns.begin_wait(Some(first), NOBODY);
    turns.set_doing(wait, Doing::Asleep);
    arrive(&mut turns, [2]);
    let second = assigned(&mut turns, Asker::Nobody, wait, 2);
    let inner = turns.begin_wait(Some(second), NOBODY);
    arrive(&mut turns, [3]);
    here(&mut turns, Asker::Place(inner), 3);
}

#[test]
fn by_stack_nothing_is_put_on_top_of_a_covered_wait_that_is_answered() {
    let mut turns = turns(Nesting::Stack);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1, 2]);
    let first = here(&mut turns, Asker::Place(server), 1);
    let outer = turns.begin_wait(Some(first), NOBODY);
    let second = here(&mut turns, Asker::Place(outer), 2);
    let inner = turns.begin_wait(Some(second), NOBODY);
    turns.answered(outer);
    arrive(&mut turns, [3]);
    in_pool(&mut turns, Asker::Place(inner), 3);
}

#[test]
fn a_background_threads_wait_is_never_covered() {
    let mut turns = turns(Nesting::Stack);
    let wait = turns.begin_wait(None, NOBODY);
    turns.set_doing(wait, Doing::Asleep);
    arrive(&mut turns, [1]);
    in_pool(&mut turns, Asker::Place(wait), 1);
}

#[test]
fn a_thread_that_reads_is_given_nothing_by_others() {
    let mut turns = turns(Nesting::Stack);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Reading);
    arrive(&mut turns, [1]);
    in_pool(&mut turns, Asker::Nobody, 1);
}

#[test]
fn an_idle_serving_thread_comes_before_the_pool() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Asleep);
    arrive(&mut turns, [1, 2]);
    let first = assigned(&mut turns, Asker::Nobody, server, 1);
    turns.end(first);
    turns.uncover(server);
    assigned(&mut turns, Asker::PoolThread, server, 2);
}

#[test]
fn a_pool_thread_goes_on_with_the_next_request_itself() {
    let mut turns = turns(Nesting::Pool);
    arrive(&mut turns, [1, 2]);
    let first = in_pool(&mut turns, Asker::Nobody, 1);
    turns.end(first);
    here(&mut turns, Asker::PoolThread, 2);
}

#[test]
fn too_deep_a_nesting_is_answered_with_an_error_never_held() {
    let mut turns = turns(Nesting::Pool);
    for request in 0..5 {
        arrive(&mut turns, [request]);
        let task = in_pool(&mut turns, Asker::Nobody, request);
        turns.begin_wait(Some(task), NOBODY);
    }
    arrive(&mut turns, [5]);
    assert_eq!(turns.next(Asker::Nobody), Some(Next::TooDeep(5)));
}

#[test]
fn a_full_queue_stops_the_reading_unless_somebody_waits() {
    let mut turns = turns(Nesting::Pool);
    arrive(&mut turns, 0..4);
    assert!(!turns.wants_input());
    let wait = turns.begin_wait(None, NOBODY);
    assert!(turns.wants_input());
    assert_eq!(
        turns.arrive(4, 10),
        Err(4),
        "who waits isn't held up by a full queue"
    );
    turns.leave(wait);
    in_pool(&mut turns, Asker::Nobody, 0);
    assert!(turns.wants_input());
}

#[test]
fn the_queue_is_bounded_in_bytes_too() {
    let mut turns = turns(Nesting::Pool);
    assert_eq!(turns.arrive(0, 1001), Ok(()));
    assert!(!turns.wants_input());
    in_pool(&mut turns, Asker::Nobody, 0);
    assert!(turns.wants_input());
}

#[test]
fn a_stall_is_broken_out_of_turn() {
    let mut turns = turns(Nesting::Pool);
    arrive(&mut turns, [1, 2]);
    in_pool(&mut turns, Asker::Nobody, 1);
    let before = turns.progress();
    assert_eq!(turns.next(Asker::Nobody), None);
    assert_eq!(turns.progress(), before, "a refusal is no progress");
    assert!(matches!(turns.break_stall(), Some(Next::Pool(_, 2))));
    assert!(turns.progress() > before);
}

#[test]
fn who_should_read_is_a_wait_before_a_server_and_never_the_busy() {
    let mut turns = turns(Nesting::Pool);
    assert_eq!(turns.heir(), None);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Asleep);
    let wait = turns.begin_wait(None, NOBODY);
    assert_eq!(
        turns.heir(),
        Some(server),
        "the wait's thread is awake and looks itself"
    );
    turns.set_doing(wait, Doing::Asleep);
    assert_eq!(turns.heir(), Some(wait));
    turns.answered(wait);
    assert_eq!(
        turns.heir(),
        Some(server),
        "an answered wait has better things to do"
    );
    arrive(&mut turns, [1]);
    assigned(&mut turns, Asker::Nobody, server, 1);
    assert_eq!(turns.heir(), None);
}

#[test]
fn what_was_assigned_to_a_thread_that_leaves_goes_first_again() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Asleep);
    arrive(&mut turns, [1, 2]);
    assert_eq!(turns.next(Asker::Nobody), Some(Next::Wake(server)));
    turns.leave(server);
    in_pool(&mut turns, Asker::Nobody, 1);
    assert_eq!(turns.tasks(), 1);
}

#[test]
fn clearing_gives_back_what_is_queued_and_what_is_assigned() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Asleep);
    arrive(&mut turns, [1, 2, 3]);
    assert_eq!(turns.next(Asker::Nobody), Some(Next::Wake(server)));
    assert_eq!(turns.clear_queue(), [1, 2, 3]);
    assert_eq!((turns.tasks(), turns.queued()), (0, 0));
    assert_eq!(turns.take_assigned(server), None);
}

#[test]
fn a_thread_that_writes_or_drops_things_is_given_nothing_it_may_itself_wait_for() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    turns.set_doing(server, Doing::Busy);
    let wait = turns.begin_wait(None, NOBODY);
    arrive(&mut turns, [1]);
    in_pool(&mut turns, Asker::Place(wait), 1);
}

#[test]
fn a_request_that_serves_makes_room_for_what_it_serves() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, NOBODY);
    arrive(&mut turns, [1, 2]);
    let first = here(&mut turns, Asker::Place(server), 1);
    let inner = turns.begin_serving(Some(first), NOBODY);
    let second = here(&mut turns, Asker::Place(inner), 2);
    turns.end(second);
    turns.uncover(inner);
    turns.leave(inner);
    arrive(&mut turns, [3]);
    assert_eq!(turns.next(Asker::Nobody), None, "the first is active again");
}

#[test]
fn a_request_that_names_a_thread_runs_beneath_its_wait_whatever_else_is_active() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, between(0, 1));
    arrive(&mut turns, [3001]);
    let first = here(&mut turns, Asker::Place(server), 3001);
    let wait = turns.begin_wait(Some(first), between(3, 1));
    turns.set_doing(wait, Doing::Asleep);
    arrive(&mut turns, [4002]);
    in_pool(&mut turns, Asker::Nobody, 4002);
    arrive(&mut turns, [3103]);
    assert_eq!(turns.next(Asker::Nobody), Some(Next::Wake(wait)));
    turns.set_doing(wait, Doing::Awake);
    assert_eq!(turns.next(Asker::Nobody), None, "its own thread takes it");
    let third = here(&mut turns, Asker::Place(wait), 3103);
    assert_eq!(turns.running().count(), 3);
    turns.end(third);
    turns.uncover(wait);
    assert_eq!(turns.next(Asker::Place(wait)), None);
}

#[test]
fn requests_that_name_one_thread_start_in_the_order_sent_also_beneath_an_inner_wait() {
    let mut turns = turns(Nesting::Pool);
    let wait = turns.begin_wait(None, between(0, 1));
    arrive(&mut turns, [3101, 3102, 3103]);
    let first = here(&mut turns, Asker::Place(wait), 3101);
    assert_eq!(turns.next(Asker::Place(wait)), None, "its thread is busy");
    let inner = turns.begin_wait(Some(first), between(3, 1));
    let second = here(&mut turns, Asker::Place(inner), 3102);
    turns.end(second);
    turns.uncover(inner);
    // What the inner wait doesn't get to goes on beneath the outer one.
    turns.leave(inner);
    turns.end(first);
    assert_eq!(turns.queued(), 1);
    turns.uncover(wait);
    here(&mut turns, Asker::Place(wait), 3103);
}

#[test]
fn a_bound_request_that_names_no_thread_goes_on_top_of_no_other_one() {
    let mut turns = turns(Nesting::Stack);
    let server = turns.begin_serving(None, between(0, 1));
    arrive(&mut turns, [3001]);
    let first = here(&mut turns, Asker::Place(server), 3001);
    let wait = turns.begin_wait(Some(first), between(3, 1));
    arrive(&mut turns, [4002]);
    let second = in_pool(&mut turns, Asker::Place(wait), 4002);
    // Nor on top of a request that serves.
    turns.begin_serving(Some(second), between(4, 2));
    arrive(&mut turns, [5003]);
    in_pool(&mut turns, Asker::Nobody, 5003);
}

#[test]
fn a_name_that_is_out_of_date_binds_nothing() {
    let mut turns = turns(Nesting::Pool);
    let server = turns.begin_serving(None, between(0, 1));
    // A thread that only serves; one that isn't there; one that waits for another thread.
    arrive(&mut turns, [3101]);
    let first = here(&mut turns, Asker::Place(server), 3101);
    let wait = turns.begin_wait(Some(first), between(3, 1));
    arrive(&mut turns, [3202, 4103]);
    let second = in_pool(&mut turns, Asker::Place(wait), 3202);
    turns.end(second);
    in_pool(&mut turns, Asker::Place(wait), 4103);
}

#[test]
fn what_names_a_thread_that_leaves_is_run_by_another_in_its_turn() {
    let mut turns = turns(Nesting::Pool);
    arrive(&mut turns, [3001]);
    let first = in_pool(&mut turns, Asker::Nobody, 3001);
    let wait = turns.begin_wait(Some(first), between(3, 1));
    arrive(&mut turns, [3102, 3103, 4004]);
    turns.leave(wait);
    assert_eq!(turns.queued(), 3);
    assert_eq!(turns.next(Asker::Nobody), None, "the first is active again");
    turns.end(first);
    let second = in_pool(&mut turns, Asker::Nobody, 3102);
    turns.end(second);
    let third = in_pool(&mut turns, Asker::Nobody, 3103);
    turns.end(third);
    in_pool(&mut turns, Asker::Nobody, 4004);
}

#[test]
fn requests_that_name_a_thread_count_among_the_queued_ones() {
    let mut turns = turns(Nesting::Pool);
    let wait = turns.begin_wait(None, between(0, 1));
    arrive(&mut turns, [3101, 3102, 3103, 3104]);
    assert_eq!(turns.arrive(3105, 10), Err(3105));
    assert_eq!(turns.waiting().count(), 4);
    assert_eq!(turns.clear_queue(), [3101, 3102, 3103, 3104]);
    assert_eq!((turns.queued(), turns.next(Asker::Place(wait))), (0, None));
    turns.leave(wait);
    assert!(turns.wants_input());
    // Too many nested: the named ones, too, are answered.
    let mut under = None;
    for request in 0..5 {
        let wait = turns.begin_wait(under, between(if under.is_some() { 3 } else { 0 }, 1));
        arrive(&mut turns, [3100 + request]);
        under = Some(here(&mut turns, Asker::Place(wait), 3100 + request));
    }
    let wait = turns.begin_wait(under, between(3, 1));
    arrive(&mut turns, [3105]);
    assert_eq!(turns.next(Asker::Place(wait)), Some(Next::TooDeep(3105)));
}
