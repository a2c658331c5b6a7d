//! All that may happen to a connection at its end, in every order.

use std::collections::BTreeSet;

use super::*;
use crate::dispatch::scheduler::{Bounds, Nesting, Scheduler, ThreadPair};
use crate::wire::{Seq, Threads};

/// What happens, or nothing where it can't: not in this state. What it gives is done once in a connection's life.
type Verb = fn(&mut Lifecycle, &World) -> Option<&'static str>;

struct World {
    waiter: WaiterId,
    now: Instant,
}

const CLOSE: u64 = 8;
const PROBE: u64 = 7;
const LONG: Duration = Duration::from_secs(3600);

fn request(state: &mut Lifecycle, deadline: Instant) -> Option<&'static str> {
    let to = ReplyTo {
        seq: Seq::new(1),
        threads: Threads::default(),
    };
    let takes = state.takes_requests();
    state.request_close_by(to, deadline);
    takes.then_some("the peer closes")
}

fn fail(state: &mut Lifecycle, reason: CloseReason) -> Option<&'static str> {
    state.fail(reason).map(|_| "ends")
}

const VERBS: &[Verb] = &[
    |state, world| request(state, world.now),
    |state, world| request(state, world.now + LONG),
    |state, _| state.take_close(false).map(|_| "answers"),
    |state, _| state.take_close(true).map(|_| "answers"),
    |state, world| {
        let probe = Probe {
            seq: PROBE,
            waiter: world.waiter,
            progress: 3,
        };
        if state.may_probe() {
            state.begin_probe(probe);
        }
        None
    },
    |state, world| {
        // The wait goes on where something has moved, or where another request was answered.
        assert_eq!(state.end_probe(CLOSE, 3), None);
        let found = state.end_probe(PROBE, 3);
        assert!(found.is_none_or(|waiter| waiter == world.waiter));
        assert_eq!(state.end_probe(PROBE, 3), None);
        None
    },
    |state, _| {
        state.half_close();
        None
    },
    |state, _| state.begin_close().then_some("closes"),
    |state, world| leave(state, world, None),
    |state, world| leave(state, world, Some(Duration::ZERO)),
    |state, world| leave(state, world, Some(LONG)),
    |state, _| state.begin_queueing_close(false).then_some("says CLOSE"),
    |state, _| state.begin_queueing_close(true).then_some("says CLOSE"),
    |state, _| {
        if let Lifecycle::Open(OurClose::Leaving(leaving), _) = state
            && leaving.step == LeavingStep::Queueing
        {
            assert!(state.close_queued(CLOSE).is_some());
        }
        None
    },
    |state, _| fail(state, state.left_by_answer(CLOSE)?),
    |state, _| fail(state, state.left_by_deadline()?),
    |state, _| fail(state, CloseReason::Local),
    |state, _| {
        let (is_open, peer_closes) = (state.reason().is_none(), !state.takes_requests());
        let left = state.leaving().map(|leaving| leaving.reason.to_string());
        let ended = fail(state, CloseReason::Eof);
        let expected = match (peer_closes, left) {
            (true, _) => CloseReason::Peer.to_string(),
            (false, left) => left.unwrap_or(CloseReason::Eof.to_string()),
        };
        let reason = state.reason().map(ToString::to_string);
        assert!(!is_open || reason == Some(expected));
        ended
    },
    |state, _| state.take_shutdown().then_some("is cut off"),
    |state, _| {
        if state.begin_finishing() {
            assert!(!state.begin_finishing(), "two tell the session");
            state.put_off_finishing();
            assert!(state.begin_finishing(), "nobody tells it");
            return Some("tells the session");
        }
        None
    },
    |state, _| {
        state.finish();
        assert_eq!(state.is_finished(), state.reason().is_some());
        None
    },
];

fn leave(
    state: &mut Lifecycle,
    world: &World,
    time_to_answer: Option<Duration>,
) -> Option<&'static str> {
    let leaves = state.leave(CloseReason::Dropped, world.now, time_to_answer);
    leaves.then_some("leaves")
}

/// What once is so stays so.
fn settled(state: &Lifecycle) -> [bool; 6] {
    [
        !state.takes_requests(),
        state.is_ending(true),
        state.refuses_request(|_| false).is_some(),
        state.refuses_request(|_| true).is_some(),
        state.reason().is_some(),
        state.is_finished(),
    ]
}

#[test]
fn however_the_two_sides_close_each_step_is_taken_once_and_none_is_taken_back() {
    let mut scheduler = Scheduler::<u32>::new(Bounds {
        concurrency: 1,
        max_tasks: 1,
        max_queued: 1,
        max_queued_bytes: 1,
        nesting: Nesting::Pool,
    });
    let waiter = scheduler.begin_wait(None, ThreadPair::default());
    let now = Instant::now();
    let world = World { waiter, now };
    let mut seen = BTreeSet::new();
    let mut found = vec![(Lifecycle::default(), BTreeSet::new())];
    while let Some((state, done)) = found.pop() {
        if !seen.insert((format!("{state:?}"), done.clone())) {
            continue;
        }
        for verb in VERBS {
            let (mut next, mut all) = (state.clone(), done.clone());
            let step = verb(&mut next, &world);
            if let Some(step) = step {
                assert!(all.insert(step), "it {step} twice: {state:?}");
            }
            let stays = settled(&state).into_iter().zip(settled(&next));
            assert!(
                stays.into_iter().all(|(before, after)| !before || after),
                "{state:?} became {next:?}"
            );
            if let Some(reason) = state.reason() {
                let kept = next.reason().map(ToString::to_string);
                assert_eq!(kept, Some(reason.to_string()));
            }
            found.push((next, all));
        }
    }
    assert!(seen.len() > 500, "few states: {}", seen.len());
}
