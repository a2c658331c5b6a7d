//! The log lines of refused clients: each with its reason, but a flood of clients must not
//! become a flood of lines.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::warn;
use rpyc_core::channel::PeerAddr;

/// Logs refused clients: the first ones of a stretch of time one by one, the others by number.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Option<Stretch>>);

#[derive(Debug)]
struct Stretch {
    ends: Instant,
    logged: u32,
    // How many weren't logged, and the last of them.
    more: u64,
    last: String,
}

impl Refusals {
    /// A client was refused.
    pub(super) fn log(&self, peer: &PeerAddr, reason: &dyn fmt::Display) {
        if let Some(line) = self.note(Instant::now(), peer, reason) {
            warn!("{line}");
        }
    }

    /// Ends a stretch whose time is up; says how long the current one still lasts, if it has
    /// something to tell at its end.
    pub(super) fn tick(&self, now: Instant) -> Option<Duration> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = current.as_ref()?;
        if stretch.more == 0 {
            return None;
        }
        let left = stretch.ends.saturating_duration_since(now);
        if !left.is_zero() {
            return Some(left);
        }
        let ended = current.take();
        drop(current);
        if let Some(line) = ended.and_then(|stretch| stretch.summary()) {
            warn!("{line}");
        }
        None
    }

    /// Tells what hasn't been told.
    pub(super) fn close(&self) {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(line) = current.and_then(|stretch| stretch.summary()) {
            warn!("{line}");
        }
    }

    fn note(&self, now: Instant, peer: &PeerAddr, reason: &dyn fmt::Display) -> Option<String> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = None;
        if current.as_ref().is_some_and(|stretch| stretch.ends <= now) {
            before = current.take().and_then(|stretch| stretch.summary());
        }
        let stretch = current.get_or_insert_with(|| Stretch {
            ends: now + STRETCH,
            logged: 0,
            more: 0,
            last: String::new(),
        });
        let line = format!("client {peer} refused: {reason}");
        if stretch.logged < ONE_BY_ONE {
            stretch.logged += 1;
            return Some(match before {
                Some(before) => format!("{before}\n{line}"),
                None => line,
            });
        }
        stretch.more += 1;
        stretch.last = line;
        None
    }
}

impl Stretch {
    fn summary(&self) -> Option<String> {
        let (more, last) = (self.more, &self.last);
        (more > 0).then(|| {
            format!("{more} more clients refused within {STRETCH:?}; the last one: {last}")
        })
    }
}

const STRETCH: Duration = Duration::from_secs(10);
const ONE_BY_ONE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_ten_lines_and_a_number() {
        let refusals = Refusals::default();
        let (start, peer) = (Instant::now(), PeerAddr::Stdio);
        let lines = (0..1000)
            .filter_map(|n| refusals.note(start, &peer, &n))
            .count();
        assert_eq!(lines, 10);
        assert_eq!(refusals.tick(start + STRETCH / 2), Some(STRETCH / 2));
        assert_eq!(refusals.tick(start + STRETCH), None);
        let next = refusals.note(start + STRETCH, &peer, &"again");
        assert_eq!(next.as_deref(), Some("client stdio refused: again"));
    }

    #[test]
    fn what_wasnt_logged_is_told_with_the_next_refusal_at_the_latest() {
        let refusals = Refusals::default();
        let (start, peer) = (Instant::now(), PeerAddr::Stdio);
        for n in 0..12 {
            refusals.note(start, &peer, &n);
        }
        let line = refusals
            .note(start + STRETCH, &peer, &"again")
            .unwrap_or_default();
        assert!(
            line.starts_with(
                "2 more clients refused within 10s; the last one: client stdio refused: 11"
            ),
            "{line}"
        );
        assert!(line.ends_with("client stdio refused: again"), "{line}");
    }
}
