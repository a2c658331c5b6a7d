//! The dialects of servers that this process has connected to.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::wire::Dialect;

/// Servers that don't speak rpyc 6, by where they are: to be spoken to in their own dialect at once the next time.
pub(super) struct Known(LazyLock<Mutex<HashMap<String, Dialect>>>);

impl Known {
    pub(super) const fn new() -> Known {
        Known(LazyLock::new(Mutex::default))
    }

    pub(super) fn get(&self, place: &str) -> Option<Dialect> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(place).copied()
    }

    pub(super) fn set(&self, place: &str, dialect: Dialect) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(place.to_owned(), dialect);
    }
}

/// How many servers are remembered. A program that talks to more of them asks some anew.
const MOST: usize = 1_024;
