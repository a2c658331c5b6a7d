//! What is below a key, page by page, whatever somebody has written there.

use std::collections::BTreeSet;
use std::time::Instant;

use super::gateway::Failed;
use super::keys::end_of;
use super::left_out::LeftOut;
use super::messages::{Blob, Long, PAGE, Pair, Range, Ranged};
use super::{EtcdDirectory, MAX_NAMES_LISTED};
use crate::directory::ServerEntry;

/// Keys that are read in order, as many at a time as an answer has room for.
struct Pages {
    begin: Blob,
    end: Blob,
    limit: i64,
    keys_only: bool,
}

impl Pages {
    fn below(front: &str, keys_only: bool) -> Pages {
        Pages {
            begin: Blob::of(front),
            end: end_of(front),
            limit: PAGE as i64,
            keys_only,
        }
    }

    /// The next page. One that is too long is asked for in parts; of a single pair that is, the value
    /// is left out.
    fn read(&mut self, directory: &EtcdDirectory, deadline: Instant) -> Result<Ranged, Failed> {
        let mut keys_only = self.keys_only;
        loop {
            let range = Range {
                key: self.begin.clone(),
                range_end: Some(self.end.clone()),
                limit: Long(self.limit),
                keys_only,
                count_only: false,
            };
            match directory.ask("/v3/kv/range", &range, deadline) {
                Err(Failed::TooLong(_)) if self.limit > 1 => self.limit /= 2,
                Err(Failed::TooLong(_)) if !keys_only => keys_only = true,
                Err(failed) => return Err(failed),
                Ok(ranged) => {
                    self.limit = (self.limit * 2).min(PAGE as i64);
                    return Ok(ranged);
                }
            }
        }
    }

    /// Goes on there, if that is further on.
    fn go_on(&mut self, next: Option<Blob>) -> bool {
        match next {
            Some(next) if next > self.begin => {
                self.begin = next;
                true
            }
            _ => false,
        }
    }
}

impl EtcdDirectory {
    pub(super) fn entry(
        &self,
        front: &str,
        pair: &Pair,
        left_out: &mut LeftOut,
    ) -> Option<ServerEntry> {
        match self.keys.entry(front, &pair.key.0, &pair.value.0) {
            Ok((entry, problem)) => {
                if let Some(problem) = problem {
                    left_out.add_facts(&pair.key, problem);
                }
                Some(entry)
            }
            Err(problem) => {
                left_out.add(&pair.key, problem);
                None
            }
        }
    }

    /// Takes the pairs below this; gives the revision that they are of. What is left out is told in
    /// the end.
    pub(super) fn each_pair(
        &self,
        front: &str,
        deadline: Instant,
        mut take: impl FnMut(Pair, &mut LeftOut),
    ) -> Result<i64, Failed> {
        let mut taken = 0;
        let mut revision = None;
        let mut left_out = LeftOut::below(front);
        let mut pages = Pages::below(front, false);
        let revision = loop {
            let ranged = pages.read(self, deadline)?;
            // What is written while pages are read, a watch from the first one's on tells.
            let revision = *revision.get_or_insert(ranged.header.revision.0);
            let last = ranged.kvs.0.last().map(|pair| after(&pair.key));
            taken += ranged.kvs.0.len();
            for pair in ranged.kvs.0 {
                take(pair, &mut left_out);
            }
            if taken > MAX_SERVERS {
                left_out.limit = Some(MAX_SERVERS);
                break revision;
            }
            if !ranged.more || !pages.go_on(last) {
                break revision;
            }
        };
        self.tell_left_out(&left_out);
        Ok(revision)
    }

    /// The names of the services that [`discover`](super::Directory::discover) knows a server for.
    pub(super) fn names(&self, deadline: Instant) -> Result<BTreeSet<String>, Failed> {
        let mut left_out = LeftOut::below(&self.keys.services());
        let (mut names, mut others) = (BTreeSet::new(), 0);
        let mut pages = Pages::below(&left_out.below, true);
        loop {
            let ranged = pages.read(self, deadline)?;
            let mut next = None;
            for Pair { key, .. } in &ranged.kvs.0 {
                match self.keys.name_in(&key.0) {
                    Ok((name, front)) => {
                        names.insert(name.as_str().to_owned());
                        // Its other servers needn't be seen.
                        next = Some(end_of(front));
                    }
                    Err(problem) => {
                        left_out.add(key, problem);
                        others += 1;
                        next = Some(after(key));
                    }
                }
            }
            if names.len().max(others) > MAX_NAMES_LISTED {
                left_out.limit = Some(MAX_NAMES_LISTED);
                break;
            }
            if !ranged.more || !pages.go_on(next) {
                break;
            }
        }
        self.tell_left_out(&left_out);
        Ok(names.into_iter().take(MAX_NAMES_LISTED).collect())
    }
}

/// The first key behind this one.
fn after(key: &Blob) -> Blob {
    Blob([&key.0[..], &[0]].concat())
}

/// Servers of a service, or services of a host, that are read.
pub(super) const MAX_SERVERS: usize = 20_000;
