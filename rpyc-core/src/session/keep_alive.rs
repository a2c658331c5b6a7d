//! Which connections somebody needs: the program, or peers to whom netrefs of theirs were handed on.
//!
//! A connection stays open while the program has a handle of it, and while the peer of another
//! connection that stays open holds one of its netrefs. Two connections may hold each other's
//! netrefs crosswise, so that counting these like the handles would keep both open for ever:
//! here it is looked for a way from a connection to one that the program has a handle of.

use std::collections::{BTreeMap, BTreeSet};
// Of the process, not of a model's schedule; nothing else is locked under it.
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The connections that are needed, by their numbers.
pub(super) struct KeepAlive(BTreeMap<u64, Entry>);

struct Entry {
    // The program has a handle.
    in_use: bool,
    // The connections over which netrefs were handed on, and how many.
    holders: BTreeMap<u64, usize>,
}

/// Those of this process.
pub(super) fn table() -> MutexGuard<'static, KeepAlive> {
    static TABLE: Mutex<KeepAlive> = Mutex::new(KeepAlive(BTreeMap::new()));
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KeepAlive {
    /// The program has a handle of this connection.
    pub(super) fn begin(&mut self, connection: u64) {
        let entry = Entry {
            in_use: true,
            holders: BTreeMap::new(),
        };
        self.0.insert(connection, entry);
    }

    /// The program has none any more; says whether nobody needs the connection from now on.
    pub(super) fn end_use(&mut self, connection: u64) -> bool {
        if let Some(entry) = self.0.get_mut(&connection) {
            entry.in_use = false;
        }
        self.settle(connection)
    }

    /// A netref of `connection` was handed on over `holder`.
    pub(super) fn retain(&mut self, connection: u64, holder: u64) {
        if let Some(entry) = self.0.get_mut(&connection) {
            *entry.holders.entry(holder).or_default() += 1;
        }
    }

    /// One of those was given back; says whether nobody needs the connection from now on.
    pub(super) fn release(&mut self, connection: u64, holder: u64) -> bool {
        if let Some(entry) = self.0.get_mut(&connection)
            && let Some(count) = entry.holders.get_mut(&holder)
        {
            *count -= 1;
            if *count > 0 {
                return false;
            }
            entry.holders.remove(&holder);
        }
        self.settle(connection)
    }

    /// Forgets the connection if nobody needs it, which nobody will again; says whether it has.
    fn settle(&mut self, connection: u64) -> bool {
        let mut seen = BTreeSet::from([connection]);
        let mut ahead = vec![connection];
        while let Some(next) = ahead.pop() {
            let Some(entry) = self.0.get(&next) else {
                continue;
            };
            if entry.in_use {
                return false;
            }
            ahead.extend(entry.holders.keys().filter(|holder| seen.insert(**holder)));
        }
        self.0.remove(&connection).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use(connections: std::ops::Range<u64>) -> KeepAlive {
        let mut table = KeepAlive(BTreeMap::new());
        connections.for_each(|connection| table.begin(connection));
        table
    }

    #[test]
    fn a_connection_is_needed_by_the_program_or_through_others_that_it_needs() {
        let mut table = in_use(0..3);
        table.retain(0, 1);
        table.retain(0, 1);
        table.retain(1, 2);
        assert!(!table.end_use(0));
        assert!(!table.end_use(1));
        assert!(!table.release(0, 1));
        assert!(table.release(0, 1));
        assert!(table.end_use(2));
        assert!(table.release(1, 2));
        assert!(table.0.is_empty());
    }

    #[test]
    fn connections_that_only_hold_one_another_are_not_needed() {
        let mut table = in_use(0..3);
        for (connection, holder) in [(0, 1), (1, 2), (2, 0), (1, 1)] {
            table.retain(connection, holder);
        }
        assert!(!table.end_use(0));
        assert!(!table.end_use(2));
        assert!(table.end_use(1));
        // The others follow as it closes, and gives back what it held.
        assert!(table.release(0, 1));
        assert!(table.release(2, 0));
        assert!(table.0.is_empty());
    }

    #[test]
    fn a_connection_that_nobody_needed_is_not_needed_again() {
        let mut table = in_use(0..2);
        assert!(table.end_use(0));
        table.retain(0, 1);
        // It is closing already.
        assert!(!table.release(0, 1));
    }

    #[test]
    fn a_holder_that_is_gone_does_not_hide_the_others() {
        let mut table = in_use(0..4);
        table.retain(0, 1);
        table.retain(0, 3);
        table.retain(0, 2);
        assert!(table.end_use(1));
        assert!(table.end_use(3));
        assert!(!table.end_use(0));
    }
}
