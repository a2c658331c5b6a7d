//! [`LeftOut`]: what a reading of etcd has left out; and [`Told`]: who is told of what is wrong there.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::messages::Blob;

/// Entries that are no server's, or not as servers write them, in one reading of etcd. As text it is
/// one line of bounded length.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// What the keys begin with that were read.
    pub(super) below: String,
    /// How many entries are left out, by the reason.
    entries: BTreeMap<&'static str, usize>,
    /// How many servers are known without what they say of themselves, by the reason.
    facts: BTreeMap<&'static str, usize>,
    /// The first key of these.
    first: Option<String>,
    /// There are more than are read: at most so many.
    pub(super) limit: Option<usize>,
}

impl LeftOut {
    pub(super) fn below(front: &str) -> LeftOut {
        LeftOut {
            below: front.to_owned(),
            entries: BTreeMap::new(),
            facts: BTreeMap::new(),
            first: None,
            limit: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.limit.is_none()
    }

    pub(super) fn add(&mut self, key: &Blob, reason: &'static str) {
        *self.entries.entry(reason).or_default() += 1;
        self.first.get_or_insert_with(|| shown(key));
    }

    pub(super) fn add_facts(&mut self, key: &Blob, reason: &'static str) {
        *self.facts.entry(reason).or_default() += 1;
        self.first.get_or_insert_with(|| shown(key));
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "below {}:", shown(&Blob::of(&self.below)))?;
        let mut end = " ";
        for (reasons, what) in [
            (&self.entries, "left out"),
            (&self.facts, "used without their values"),
        ] {
            if reasons.is_empty() {
                continue;
            }
            write!(f, "{end}{} {what}", reasons.values().sum::<usize>())?;
            let mut between = " (";
            for (reason, count) in reasons {
                write!(f, "{between}{count}: {reason}")?;
                between = ", ";
            }
            f.write_str(")")?;
            end = "; ";
        }
        if let Some(first) = &self.first {
            write!(f, "{end}the first is {first}")?;
            end = "; ";
        }
        if let Some(limit) = self.limit {
            write!(f, "{end}there are more than the {limit} that are read")?;
        }
        Ok(())
    }
}

/// Who is told of what is wrong in etcd.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// The lines of which nobody is told again. Entries that alternate cause no new ones.
    lines: Arc<Mutex<VecDeque<String>>>,
    tell: Option<Arc<Tell>>,
}

type Tell = dyn Fn(&str) + Send + Sync;

impl Told {
    pub(super) fn by(&mut self, tell: impl Fn(&str) + Send + Sync + 'static) {
        self.tell = Some(Arc::new(tell));
    }

    /// Tells of it, unless that has been done.
    pub(super) fn tell(&self, label: &str, line: &str) {
        if !self.is_news(line) {
            return;
        }
        match &self.tell {
            Some(tell) => tell(line),
            None => log::warn!("etcd at {label}: {line}"),
        }
    }

    fn is_news(&self, line: &str) -> bool {
        let mut lines = self.lines.lock();
        if lines.iter().any(|told| told == line) {
            return false;
        }
        if lines.len() >= MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
        true
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

/// A key that may be anything, as a part of a line.
fn shown(key: &Blob) -> String {
    let key = key.0.iter().take(200).copied().collect::<Vec<u8>>();
    key.escape_ascii().to_string()
}

/// Lines that are remembered.
const MAX_LINES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(key: &str) -> LeftOut {
        let mut left_out = LeftOut::below("/rpyc/services/A/");
        left_out.add(&Blob::of(key), "no address of a server");
        left_out
    }

    #[test]
    fn it_is_one_line_that_says_how_many_and_why() {
        let mut left_out = left_out("a\u{1b}[2J\nb");
        left_out.add(&Blob::of("b"), "no address of a server");
        left_out.add(&Blob::of("c"), "a key that is no text");
        left_out.add_facts(&Blob::of("d"), "a value that is too long");
        left_out.limit = Some(20_000);
        assert_eq!(
            left_out.to_string(),
            "below /rpyc/services/A/: 3 left out (1: a key that is no text, 2: no address of a \
             server); 1 used without their values (1: a value that is too long); the first is \
             a\\x1b[2J\\nb; there are more than the 20000 that are read"
        );
        let long = super::tests::left_out(&"\u{7f}".repeat(100_000));
        assert!(long.to_string().len() < 1_000);
    }

    #[test]
    fn what_was_told_is_not_told_again_and_little_of_it_is_remembered() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let mut told = Told::default();
        let kept = lines.clone();
        told.by(move |line| kept.lock().push(line.to_owned()));
        let tell = |key: &str| told.tell("etcd", &left_out(key).to_string());
        for _ in 0..100 {
            tell("a");
            tell("b");
        }
        assert_eq!(lines.lock().len(), 2);
        for number in 0..1_000 {
            tell(&number.to_string());
        }
        assert_eq!(lines.lock().len(), 1_002);
        assert_eq!(told.lines.lock().len(), MAX_LINES);
    }
}
