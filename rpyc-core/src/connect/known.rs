//! The dialects of servers that this process has connected to.

use std::collections::BTreeMap;

use crate::sync::Mutex;
use crate::wire::Dialect;

/// Servers that don't speak rpyc 6, by where they are: to be spoken to in their own dialect at once the next time.
pub(super) struct Known(Mutex<BTreeMap<String, Dialect>>);

impl Known {
    pub(super) const fn new() -> Known {
        Known(Mutex::new(BTreeMap::new()))
    }

    pub(super) fn get(&self, place: &str) -> Option<Dialect> {
        self.0.lock().get(place).copied()
    }

    pub(super) fn set(&self, place: &str, dialect: Dialect) {
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place.to_owned(), dialect);
    }
}

/// How many servers are remembered. A program that talks to more of them asks some anew.
const MOST: usize = 1_024;
