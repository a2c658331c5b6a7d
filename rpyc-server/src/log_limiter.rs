//! [`LimitedLog`]: log lines that others cause, as many as a source and all of them together may
//! cause. A flood of clients, or of questions, must not become a flood of lines. Pure: the time is
//! a parameter, and the lines are written by the caller.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use log::{Level, log};

use crate::printable::on_one_line;
use crate::rate::Rate;
use crate::source::Source;

/// The lines of a server, or of a registry.
#[derive(Debug)]
pub(crate) struct LimitedLog {
    news: LogLimiter,
    refusals: LogLimiter,
}

/// What a line tells. Strangers who are refused hold back no news of those who aren't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    News,
    Refusal,
}

/// Lets the lines of each source pass one by one up to a rate, and counts the others.
#[derive(Debug)]
struct LogLimiter {
    by_source: Rate,
    in_all: Rate,
    held_back: HashMap<Source, HeldBack>,
    // When each of them is due, in order; for some there is nothing to tell any more.
    due: VecDeque<(Instant, Source)>,
}

/// How many lines may be written: so many at once, so many a second in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineRate {
    pub(crate) per_second: u32,
    pub(crate) at_once: u32,
}

/// A line to be written.
pub(crate) type Line = (Level, String);

/// What becomes of a line.
#[derive(Debug, PartialEq)]
pub(crate) enum Noted {
    /// It is to be written, behind the number of those that were held back.
    Lines(Vec<Line>),
    /// It is counted, the first one of a stretch of time.
    FirstHeldBack,
    /// It is counted.
    HeldBack,
}

/// Lines that weren't written.
#[derive(Debug)]
struct HeldBack {
    until: Instant,
    lines: u64,
    level: Level,
    last: String,
}

impl LimitedLog {
    /// The rate of the news of one source. Of refusals it has [`REFUSALS`].
    pub(crate) fn new(news: LineRate) -> LimitedLog {
        LimitedLog {
            news: LogLimiter::new(news, NEWS_IN_ALL),
            refusals: LogLimiter::new(REFUSALS, REFUSALS_IN_ALL),
        }
    }

    /// A source causes this text, parts of which may be its own. Whatever is in it becomes one line
    /// of at most [`LONGEST`] bytes.
    pub(crate) fn note(
        &mut self,
        kind: Kind,
        level: Level,
        source: impl Into<Source>,
        text: &str,
        now: Instant,
    ) -> Noted {
        let limiter = match kind {
            Kind::News => &mut self.news,
            Kind::Refusal => &mut self.refusals,
        };
        limiter.note(now, source.into(), level, text)
    }

    /// What was held back long enough.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = self.refusals.due(now);
        lines.extend(self.news.due(now));
        lines
    }

    /// All that was held back.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let mut lines = self.refusals.rest();
        lines.extend(self.news.rest());
        lines
    }

    /// When something is due next, as [`due`](LimitedLog::due) has left it.
    pub(crate) fn next(&self) -> Option<Instant> {
        let both = [&self.refusals, &self.news];
        both.into_iter().filter_map(LogLimiter::next).min()
    }
}

impl LogLimiter {
    fn new(of_source: LineRate, in_all: LineRate) -> LogLimiter {
        LogLimiter {
            by_source: Rate::new(of_source.per_second, of_source.at_once),
            in_all: Rate::new(in_all.per_second, in_all.at_once),
            held_back: HashMap::new(),
            due: VecDeque::new(),
        }
    }

    fn note(&mut self, now: Instant, source: Source, level: Level, text: &str) -> Noted {
        let source = self.by_source.source(source, now);
        let line = (level, bounded_line(text, LONGEST));
        if !self.by_source.allows(source, now) {
            return self.hold_back(now, source, 1, line);
        }
        if !self.in_all.allows(Source::OTHERS, now) {
            return self.hold_back(now, Source::OTHERS, 1, line);
        }
        self.by_source.take(source, 0.0, now);
        self.in_all.take(Source::OTHERS, 0.0, now);
        let mut lines = Vec::new();
        if let Some(before) = self.held_back.remove(&source) {
            // It is a line, too, but one that isn't put off again.
            self.by_source.take(source, 0.0, now);
            self.in_all.take(Source::OTHERS, 0.0, now);
            lines.push(before.summary());
        }
        lines.push(line);
        Noted::Lines(lines)
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
                let held_back = entry.remove();
                if source == Source::OTHERS || self.in_all.allows(Source::OTHERS, now) {
                    self.in_all.take(Source::OTHERS, 0.0, now);
                    lines.push(held_back.summary());
                } else {
                    let last = (held_back.level, held_back.last);
                    self.hold_back(now, Source::OTHERS, held_back.lines, last);
                }
            }
            self.due.pop_front();
        }
        lines
    }

    fn rest(&mut self) -> Vec<Line> {
        self.due.clear();
        let rest = self.held_back.drain();
        rest.map(|(_, held_back)| held_back.summary()).collect()
    }

    fn next(&self) -> Option<Instant> {
        self.due.front().map(|&(until, _)| until)
    }

    fn hold_back(&mut self, now: Instant, source: Source, lines: u64, line: Line) -> Noted {
        let (level, last) = line;
        match self.held_back.entry(source) {
            Entry::Occupied(mut entry) => {
                let held_back = entry.get_mut();
                held_back.lines += lines;
                // Warnings are less than news.
                held_back.level = held_back.level.min(level);
                held_back.last = last;
                Noted::HeldBack
            }
            Entry::Vacant(entry) => {
                let until = now + STRETCH;
                self.due.push_back((until, source));
                entry.insert(HeldBack {
                    until,
                    lines,
                    level,
                    last,
                });
                Noted::FirstHeldBack
            }
        }
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

/// Writes the lines, for the part of the program that `target` names. Not under a lock: whoever
/// reads the log slowly must not hold up those who wait for it.
pub(crate) fn write(target: &str, lines: Vec<Line>) {
    for (level, line) in lines {
        log!(target: target, level, "{line}");
    }
}

/// The text as a line of its own, cut where it is longer than that.
pub(crate) fn bounded_line(text: &str, longest: usize) -> String {
    let shown = text.get(..text.floor_char_boundary(longest));
    let mut line = on_one_line(shown.unwrap_or(text));
    if text.len() > longest || line.len() > longest {
        line.truncate(line.floor_char_boundary(longest.saturating_sub(CUT.len())));
        line.push_str(CUT);
    }
    line
}

/// How often the lines of all sources together may be written: those of a server's clients, and of
/// a registry's servers, when many come at once; sources may be forged.
const NEWS_IN_ALL: LineRate = LineRate {
    per_second: 200,
    at_once: 4_000,
};
const REFUSALS: LineRate = LineRate {
    per_second: 1,
    at_once: 10,
};
const REFUSALS_IN_ALL: LineRate = LineRate {
    per_second: 20,
    at_once: 400,
};
/// What stands for the rest of a text that is too long.
const CUT: &str = "...";
/// Bytes of a line: 1 KiB with the number of others that are like it.
const LONGEST: usize = 960;
/// How long lines are counted until their number is written.
const STRETCH: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const FEW: LineRate = LineRate {
        per_second: 1,
        at_once: 10,
    };
    const ONE: LineRate = LineRate {
        per_second: 1,
        at_once: 1,
    };
    const MANY: LineRate = LineRate {
        per_second: 100,
        at_once: 1_000,
    };

    fn from(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().expect("an address"))
    }

    fn note(log: &mut LogLimiter, now: Instant, source: Source, text: &str) -> Vec<String> {
        match log.note(now, source, Level::Info, text) {
            Noted::Lines(lines) => lines.into_iter().map(|(_, line)| line).collect(),
            Noted::FirstHeldBack | Noted::HeldBack => Vec::new(),
        }
    }

    #[test]
    fn a_flood_from_one_source_is_some_lines_and_a_number_and_others_keep_theirs() {
        let (mut log, now) = (LogLimiter::new(FEW, MANY), Instant::now());
        let (flood, other) = (from("10.0.0.1"), from("10.0.0.2"));
        let written = (0..1000).flat_map(|n| note(&mut log, now, flood, &n.to_string()));
        assert_eq!(written.count(), 10);
        assert_eq!(note(&mut log, now, other, "other"), ["other"]);
        assert!(log.due(now + STRETCH / 2).is_empty());
        assert_eq!(log.next(), Some(now + STRETCH));
        let summary = "990 more lines like it within 10s: 999".to_owned();
        assert_eq!(log.due(now + STRETCH), [(Level::Info, summary)]);
        assert_eq!(log.next(), None);
    }

    #[test]
    fn what_was_held_back_is_told_before_the_next_line_at_the_latest() {
        let (mut log, now) = (LogLimiter::new(ONE, MANY), Instant::now());
        let source = from("10.0.0.1");
        assert_eq!(note(&mut log, now, source, "first"), ["first"]);
        let second = log.note(now, source, Level::Info, "second");
        assert_eq!(second, Noted::FirstHeldBack);
        let third = log.note(now, source, Level::Warn, "third");
        assert_eq!(third, Noted::HeldBack);
        let later = now + Duration::from_secs(2);
        let fourth = log.note(later, source, Level::Info, "fourth");
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
        let (mut log, now) = (LogLimiter::new(ONE, MANY), Instant::now());
        let source = from("10.0.0.1");
        for _ in 0..2 {
            note(&mut log, now, source, "");
        }
        let later = now + STRETCH / 2;
        assert_eq!(note(&mut log, later, source, "early").len(), 2);
        assert!(note(&mut log, later, source, "held back").is_empty());
        assert!(log.due(now + STRETCH).is_empty());
        assert_eq!(log.next(), Some(later + STRETCH));
        assert_eq!(log.due(later + STRETCH).len(), 1);
        assert_eq!(log.next(), None);
    }

    #[test]
    fn all_sources_together_have_a_bounded_number_of_lines_their_summaries_included() {
        let (mut log, start) = (LogLimiter::new(FEW, MANY), Instant::now());
        let mut lines = 0;
        let sources =
            || (0..20_000_u32).map(|n| Source::from(IpAddr::from(Ipv4Addr::from(0x2000_0000 + n))));
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            for source in sources() {
                lines += note(&mut log, now, source, "again").len();
            }
            lines += log.due(now).len();
        }
        // A thousand at once, a hundred a second, and now and then how many more there were.
        assert!((1_000..7_200).contains(&lines), "{lines}");
        assert!(log.held_back.len() <= 1_000, "{}", log.held_back.len());
        let rest = log.rest();
        assert!(!rest.is_empty() && log.next().is_none());
    }

    #[test]
    fn whatever_a_text_has_in_it_is_one_line_of_bounded_length() {
        for text in [
            "\n".repeat(1 << 20),
            "\u{1b}[2J".repeat(1 << 10),
            "\u{202e}ä\r".repeat(1 << 10),
            "x".repeat(LONGEST + 1),
        ] {
            let line = bounded_line(&text, LONGEST);
            assert!(line.len() <= LONGEST && line.ends_with(CUT), "{line}");
            assert!(!line.contains(['\n', '\r', '\u{1b}', '\u{202e}']));
        }
        let fits = "x".repeat(LONGEST);
        assert_eq!(bounded_line(&fits, LONGEST), fits);
        assert_eq!(bounded_line("offers A\nB", LONGEST), "offers A\\nB");
    }
}
