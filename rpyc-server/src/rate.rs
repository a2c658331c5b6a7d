//! How often each source may do something. Pure: the time is a parameter.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::source::Source;

/// A bucket of credit for each source, refilled at a rate.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Credit that comes back in a second.
    per_second: f64,
    /// Credit that a source may save up.
    burst: f64,
    sources: HashMap<Source, Bucket>,
    /// When sources may be forgotten again.
    next_sweep: Option<Instant>,
}

#[derive(Debug)]
struct Bucket {
    credit: f64,
    since: Instant,
}

impl Rate {
    /// As often as that in a second, and at once. A rate of 0 is no limit.
    pub(crate) fn new(per_second: u32, at_once: u32) -> Rate {
        Rate {
            per_second: f64::from(per_second),
            burst: f64::from(at_once),
            sources: HashMap::new(),
            next_sweep: None,
        }
    }

    /// Whether the source may do it now.
    pub(crate) fn allows(&mut self, source: impl Into<Source>, now: Instant) -> bool {
        self.bucket(source, now)
            .is_none_or(|bucket| bucket.credit >= 1.0)
    }

    /// Takes for doing it once, and for what it weighs beyond that.
    pub(crate) fn take(&mut self, source: impl Into<Source>, weight: f64, now: Instant) {
        if let Some(bucket) = self.bucket(source, now) {
            bucket.credit -= 1.0 + weight;
        }
    }

    /// As whom an address counts: one for all that are beyond the number of known ones.
    pub(crate) fn source(&mut self, source: impl Into<Source>, now: Instant) -> Source {
        let key = source.into();
        if self.sources.contains_key(&key) || self.has_room(now) {
            return key;
        }
        // A flood from everywhere, most likely forged: who comes new shares a bucket.
        Source::OTHERS
    }

    /// The source's bucket as it is now; `None` when there is no limit.
    fn bucket(&mut self, source: impl Into<Source>, now: Instant) -> Option<&mut Bucket> {
        if self.per_second == 0.0 {
            return None;
        }
        let key = self.source(source, now);
        Some(self.refill(key, now))
    }

    /// Whether one more source can be known. Forgets, at most once a second because it looks at
    /// all of them, who has been silent long enough to be as good as new.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.sources.len() >= SOURCES && self.next_sweep.is_none_or(|next| next <= now) {
            self.next_sweep = Some(now + SWEEP);
            let (per_second, burst) = (self.per_second, self.burst);
            self.sources
                .retain(|_, bucket| bucket.credit_at(now, per_second) < burst);
        }
        self.sources.len() < SOURCES
    }

    fn refill(&mut self, key: Source, now: Instant) -> &mut Bucket {
        let (per_second, burst) = (self.per_second, self.burst);
        let bucket = self.sources.entry(key).or_insert(Bucket {
            credit: burst,
            since: now,
        });
        bucket.credit = bucket.credit_at(now, per_second).min(burst);
        bucket.since = now;
        bucket
    }
}

impl Bucket {
    fn credit_at(&self, now: Instant, per_second: f64) -> f64 {
        let seconds = now.saturating_duration_since(self.since).as_secs_f64();
        self.credit + seconds * per_second
    }
}

/// Sources whose credit is known one by one. Stops forged sources from filling the memory.
const SOURCES: usize = 10_000;
const SWEEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn allowed(rate: &mut Rate, source: &str, weight: f64, now: Instant) -> usize {
        let source: IpAddr = source.parse().expect("an address");
        let mut count = 0;
        while count < 100_000 && rate.allows(source, now) {
            rate.take(source, weight, now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_source_has_its_burst_and_then_its_rate_and_another_one_is_not_concerned() {
        let (mut rate, start) = (Rate::new(5, 50), Instant::now());
        assert_eq!(allowed(&mut rate, "10.0.0.1", 0.0, start), 50);
        assert_eq!(allowed(&mut rate, "::ffff:10.0.0.1", 0.0, start), 0);
        assert_eq!(allowed(&mut rate, "10.0.0.2", 0.0, start), 50);
        let later = start + Duration::from_secs(2);
        assert_eq!(allowed(&mut rate, "10.0.0.1", 0.0, later), 10);
        let much_later = start + Duration::from_secs(1_000);
        assert_eq!(allowed(&mut rate, "10.0.0.1", 0.0, much_later), 50);
    }

    #[test]
    fn what_weighs_more_costs_more() {
        let (mut rate, start) = (Rate::new(11, 110), Instant::now());
        assert_eq!(allowed(&mut rate, "10.0.0.1", 10.0, start), 10);
    }

    #[test]
    fn zero_is_no_limit() {
        let mut rate = Rate::new(0, 0);
        assert_eq!(allowed(&mut rate, "10.0.0.1", 9.0, Instant::now()), 100_000);
        assert!(rate.sources.is_empty());
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let (mut rate, start) = (Rate::new(1, 10), Instant::now());
        assert_eq!(allowed(&mut rate, "2001:db8::1", 0.0, start), 10);
        assert_eq!(allowed(&mut rate, "2001:db8::2", 0.0, start), 0);
        assert_eq!(allowed(&mut rate, "2001:db8:0:1::2", 0.0, start), 10);
    }

    #[test]
    fn forged_sources_fill_nothing_and_leave_the_known_ones_alone() {
        let (mut rate, start) = (Rate::new(1, 10), Instant::now());
        assert_eq!(allowed(&mut rate, "10.0.0.1", 0.0, start), 10);
        for n in 0..30_000_u32 {
            let forged = IpAddr::from(Ipv4Addr::from(0x2000_0000 + n));
            if rate.allows(forged, start) {
                rate.take(forged, 0.0, start);
            }
        }
        assert!(rate.sources.len() <= SOURCES + 1);
        assert_eq!(allowed(&mut rate, "10.0.0.1", 0.0, start), 0);
        assert_eq!(allowed(&mut rate, "9.9.9.9", 0.0, start), 0, "shared");
        // When the flood is over, everybody has a bucket again.
        let later = start + Duration::from_secs(60);
        assert_eq!(allowed(&mut rate, "9.9.9.9", 0.0, later), 10);
    }
}
