//! The log lines of clients: when each comes and goes, and why one isn't let in. A flood of
//! clients must not become a flood of lines.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{PipeWriter, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, log};
use rpyc_core::transport::PeerAddr;

use crate::rate::Rate;
use crate::source::Source;

/// Writes the lines of each source one by one up to a rate, and the number of the others.
#[derive(Debug)]
pub(super) struct Journal {
    strands: Mutex<Strands>,
    /// Has the accept loop call [`tick`](Journal::tick).
    wake: PipeWriter,
}

#[derive(Debug)]
struct Strands {
    refusals: Strand,
    sessions: Strand,
}

/// Lines of one kind.
#[derive(Debug)]
struct Strand {
    rate: Rate,
    held_back: HashMap<Source, HeldBack>,
    // When each of them is due, in order; for some there is nothing to tell any more.
    due: VecDeque<(Instant, Source)>,
}

/// Lines of one source that weren't written.
#[derive(Debug)]
struct HeldBack {
    until: Instant,
    lines: u64,
    level: Level,
    last: String,
}

/// A line to be written.
type Line = (Level, String);

/// What becomes of a line.
#[derive(Debug, PartialEq)]
enum Noted {
    /// It is to be written, behind the number of those that were held back.
    Lines(Vec<Line>),
    /// It is counted, the first one of a stretch of time.
    FirstHeldBack,
    /// It is counted.
    HeldBack,
}

impl Journal {
    pub(super) fn new(wake: PipeWriter) -> Journal {
        let strands = Strands {
            refusals: Strand::new(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE),
            sessions: Strand::new(LINES_PER_SECOND, LINES_AT_ONCE),
        };
        Journal {
            strands: Mutex::new(strands),
            wake,
        }
    }

    /// A client was refused.
    pub(super) fn refused(&self, peer: &PeerAddr, reason: &dyn fmt::Display) {
        let line = format!("client {peer} refused: {reason}");
        self.note(peer, Level::Warn, line, |strands| &mut strands.refusals);
    }

    /// A client comes, or goes.
    pub(super) fn session(
        &self,
        level: Level,
        name: &str,
        peer: &PeerAddr,
        what: fmt::Arguments<'_>,
    ) {
        let line = format!("{name} from {peer}: {what}");
        self.note(peer, level, line, |strands| &mut strands.sessions);
    }

    /// Tells of what was held back long enough; says when to look again, if at all.
    pub(super) fn tick(&self, now: Instant) -> Option<Duration> {
        let mut strands = self.strands();
        let lines = strands.due(now);
        let both = [&strands.refusals, &strands.sessions];
        let next = both.into_iter().filter_map(Strand::next).min();
        drop(strands);
        write(lines);
        next.map(|next| next.saturating_duration_since(now))
    }

    /// Tells of all that was held back.
    pub(super) fn close(&self) {
        let lines = self.strands().due(Instant::now() + STRETCH);
        write(lines);
    }

    fn note(
        &self,
        peer: &PeerAddr,
        level: Level,
        mut line: String,
        strand: fn(&mut Strands) -> &mut Strand,
    ) {
        line.truncate(line.floor_char_boundary(LONGEST));
        let noted = strand(&mut self.strands()).note(Instant::now(), peer, level, line);
        match noted {
            Noted::Lines(lines) => write(lines),
            Noted::FirstHeldBack => {
                // It fails when the accept loop has ended, which closes the journal, too, or is
                // about to look anyway.
                let _ = (&self.wake).write_all(b".");
            }
            Noted::HeldBack => {}
        }
    }

    fn strands(&self) -> MutexGuard<'_, Strands> {
        self.strands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not under the lock: whoever reads the log slowly must not hold up all clients.
fn write(lines: Vec<Line>) {
    for (level, line) in lines {
        log!(level, "{line}");
    }
}

impl Strands {
    fn due(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = self.refusals.due(now);
        lines.extend(self.sessions.due(now));
        lines
    }
}

impl Strand {
    fn new(per_second: u32, at_once: u32) -> Strand {
        Strand {
            rate: Rate::new(per_second, at_once),
            held_back: HashMap::new(),
            due: VecDeque::new(),
        }
    }

    fn note(&mut self, now: Instant, peer: &PeerAddr, level: Level, line: String) -> Noted {
        let source = self.rate.source(peer, now);
        if self.rate.allows(source, now) {
            self.rate.take(source, 0.0, now);
            let before = self.held_back.remove(&source).map(HeldBack::summary);
            return Noted::Lines(before.into_iter().chain([(level, line)]).collect());
        }
        match self.held_back.entry(source) {
            Entry::Occupied(mut entry) => {
                let held_back = entry.get_mut();
                held_back.lines += 1;
                // Warnings are less than news.
                held_back.level = held_back.level.min(level);
                held_back.last = line;
                Noted::HeldBack
            }
            Entry::Vacant(entry) => {
                let until = now + STRETCH;
                self.due.push_back((until, source));
                entry.insert(HeldBack {
                    until,
                    lines: 1,
                    level,
                    last: line,
                });
                Noted::FirstHeldBack
            }
        }
    }

    fn due(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(&(until, source)) = self.due.front() {
            if let Entry::Occupied(entry) = self.held_back.entry(source)
                && entry.get().until == until
            {
                if until > now {
                    break;
                }
                lines.push(entry.remove().summary());
            }
            self.due.pop_front();
        }
        lines
    }

    /// As [`due`](Strand::due) has left it, which looks away from what is told.
    fn next(&self) -> Option<Instant> {
        self.due.front().map(|&(until, _)| until)
    }
}

impl HeldBack {
    fn summary(self) -> Line {
        let HeldBack {
            lines, last, level, ..
        } = self;
        let lines = match lines {
            1 => "1 more line".to_owned(),
            lines => format!("{lines} more lines"),
        };
        (level, format!("{lines} like it within {STRETCH:?}: {last}"))
    }
}

/// How long lines are counted until their number is written.
const STRETCH: Duration = Duration::from_secs(10);
/// Bytes of a line, parts of which come from the client.
const LONGEST: usize = 1 << 10;
/// A client that is served has two lines: 200 of them at once, one a second in the long run.
const LINES_AT_ONCE: u32 = 400;
const LINES_PER_SECOND: u32 = 2;
const REFUSALS_AT_ONCE: u32 = 10;
const REFUSALS_PER_SECOND: u32 = 1;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn from(address: &str) -> PeerAddr {
        PeerAddr::Tcp(address.parse().expect("an address"))
    }

    fn note(strand: &mut Strand, now: Instant, peer: &PeerAddr, text: &str) -> Vec<String> {
        match strand.note(now, peer, Level::Info, text.to_owned()) {
            Noted::Lines(lines) => lines.into_iter().map(|(_, line)| line).collect(),
            Noted::FirstHeldBack | Noted::HeldBack => Vec::new(),
        }
    }

    #[test]
    fn a_flood_from_one_source_is_some_lines_and_a_number_and_others_keep_theirs() {
        let (mut strand, now) = (Strand::new(1, 10), Instant::now());
        let (flood, other) = (from("10.0.0.1:7"), from("10.0.0.2:7"));
        let written = (0..1000).flat_map(|n| note(&mut strand, now, &flood, &n.to_string()));
        assert_eq!(written.count(), 10);
        assert_eq!(note(&mut strand, now, &other, "other"), ["other"]);
        assert_eq!(note(&mut strand, now, &PeerAddr::Stdio, "here"), ["here"]);
        assert!(strand.due(now + STRETCH / 2).is_empty());
        assert_eq!(strand.next(), Some(now + STRETCH));
        let summary = "990 more lines like it within 10s: 999".to_owned();
        assert_eq!(strand.due(now + STRETCH), [(Level::Info, summary)]);
        assert_eq!(strand.next(), None);
    }

    #[test]
    fn what_was_held_back_is_told_before_the_next_line_at_the_latest() {
        let (mut strand, now) = (Strand::new(1, 1), Instant::now());
        let peer = from("10.0.0.1:7");
        assert_eq!(note(&mut strand, now, &peer, "first"), ["first"]);
        let second = strand.note(now, &peer, Level::Info, "second".to_owned());
        assert_eq!(second, Noted::FirstHeldBack);
        let third = strand.note(now, &peer, Level::Warn, "third".to_owned());
        assert_eq!(third, Noted::HeldBack);
        let later = now + Duration::from_secs(2);
        let fourth = strand.note(later, &peer, Level::Info, "fourth".to_owned());
        // A warning among them makes the number one.
        let lines = [
            (
                Level::Warn,
                "2 more lines like it within 10s: third".to_owned(),
            ),
            (Level::Info, "fourth".to_owned()),
        ];
        assert_eq!(fourth, Noted::Lines(lines.to_vec()));
    }

    #[test]
    fn who_is_told_of_early_is_not_told_of_again_when_it_was_due() {
        let (mut strand, now) = (Strand::new(1, 1), Instant::now());
        let peer = from("10.0.0.1:7");
        for _ in 0..2 {
            note(&mut strand, now, &peer, "");
        }
        let later = now + STRETCH / 2;
        assert_eq!(note(&mut strand, later, &peer, "early").len(), 2);
        assert!(note(&mut strand, later, &peer, "held back").is_empty());
        assert!(strand.due(now + STRETCH).is_empty());
        assert_eq!(strand.next(), Some(later + STRETCH));
        assert_eq!(strand.due(later + STRETCH).len(), 1);
        assert_eq!(strand.next(), None);
    }

    #[test]
    fn sources_without_number_share_their_lines() {
        let (mut strand, now) = (Strand::new(1, 10), Instant::now());
        let everywhere = (0..20_000_u32).map(|n| Ipv4Addr::from(0x2000_0000 + n));
        let lines = everywhere.flat_map(|ip| note(&mut strand, now, &from(&format!("{ip}:1")), ""));
        assert!(lines.count() < 10_100);
        assert!(strand.held_back.len() <= 1);
    }
}
