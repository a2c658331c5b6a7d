//! Which connections somebody needs: the program, or peers to whom netrefs of theirs were handed on.
//!
//! A connection stays open while the program has a handle of it, and while the peer of another
//! connection that stays open holds one of its netrefs. Two connections may hold each other's
//! netrefs crosswise, so that counting these like the handles would keep both open for ever:
//! here it is looked for a way from a connection to one that the program has a handle of.

use std::collections::{BTreeMap, BTreeSet};
// Of the process, not of a model's schedule; nothing else is locked under it.
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The connections of this process that are needed, by their numbers.
struct Needs(BTreeMap<u64, Need>);

struct Need {
    // The program has a handle.
    in_use: bool,
    // The connections over which netrefs were handed on, and how many.
    holders: BTreeMap<u64, usize>,
}

/// The program has a handle of this connection.
pub(super) fn begin(connection: u64) {
    needs().begin(connection);
}

/// The program has none any more; says whether nobody needs the connection from now on.
pub(super) fn end_use(connection: u64) -> bool {
    needs().end_use(connection)
}

/// A netref of `connection` was handed on over `holder`.
pub(super) fn hold(connection: u64, holder: u64) {
    needs().hold(connection, holder);
}

/// One of those was given back; says whether nobody needs the connection from now on.
pub(super) fn let_go(connection: u64, holder: u64) -> bool {
    needs().let_go(connection, holder)
}

fn needs() -> MutexGuard<'static, Needs> {
    static NEEDS: Mutex<Needs> = Mutex::new(Needs::new());
    NEEDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Needs {
    const fn new() -> Needs {
        Needs(BTreeMap::new())
    }

    fn begin(&mut self, connection: u64) {
        let need = Need {
            in_use: true,
            holders: BTreeMap::new(),
        };
        self.0.insert(connection, need);
    }

    fn end_use(&mut self, connection: u64) -> bool {
        if let Some(need) = self.0.get_mut(&connection) {
            need.in_use = false;
        }
        self.settle(connection)
    }

    fn hold(&mut self, connection: u64, holder: u64) {
        if let Some(need) = self.0.get_mut(&connection) {
            *need.holders.entry(holder).or_default() += 1;
        }
    }

    fn let_go(&mut self, connection: u64, holder: u64) -> bool {
        if let Some(need) = self.0.get_mut(&connection)
            && let Some(count) = need.holders.get_mut(&holder)
        {
            *count -= 1;
            if *count > 0 {
                return false;
            }
            need.holders.remove(&holder);
        }
        self.settle(connection)
    }

    /// Forgets the connection if nobody needs it, which nobody will again; says whether it has.
    fn settle(&mut self, connection: u64) -> bool {
        let mut seen = BTreeSet::from([connection]);
        let mut ahead = vec![connection];
        while let Some(next) = ahead.pop() {
            let Some(need) = self.0.get(&next) else {
                continue;
            };
            if need.in_use {
                return false;
            }
            ahead.extend(need.holders.keys().filter(|holder| seen.insert(**holder)));
        }
        self.0.remove(&connection).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_use(connections: std::ops::Range<u64>) -> Needs {
        let mut needs = Needs::new();
        connections.for_each(|connection| needs.begin(connection));
        needs
    }

    #[test]
    fn a_connection_is_needed_by_the_program_or_through_others_that_it_needs() {
        let mut needs = in_use(0..3);
        needs.hold(0, 1);
        needs.hold(0, 1);
        needs.hold(1, 2);
        assert!(!needs.end_use(0));
        assert!(!needs.end_use(1));
        assert!(!needs.let_go(0, 1));
        assert!(needs.let_go(0, 1));
        assert!(needs.end_use(2));
        assert!(needs.let_go(1, 2));
        assert!(needs.0.is_empty());
    }

    #[test]
    fn connections_that_only_hold_one_another_are_not_needed() {
        let mut needs = in_use(0..3);
        for (connection, holder) in [(0, 1), (1, 2), (2, 0), (1, 1)] {
            needs.hold(connection, holder);
        }
        assert!(!needs.end_use(0));
        assert!(!needs.end_use(2));
        assert!(needs.end_use(1));
        // The others follow as it closes, and gives back what it held.
        assert!(needs.let_go(0, 1));
        assert!(needs.let_go(2, 0));
        assert!(needs.0.is_empty());
    }

    #[test]
    fn a_connection_that_nobody_needed_is_not_needed_again() {
        let mut needs = in_use(0..2);
        assert!(needs.end_use(0));
        needs.hold(0, 1);
        // It is closing already.
        assert!(!needs.let_go(0, 1));
    }

    #[test]
    fn a_holder_that_is_gone_does_not_hide_the_others() {
        let mut needs = in_use(0..4);
        needs.hold(0, 1);
        needs.hold(0, 3);
        needs.hold(0, 2);
        assert!(needs.end_use(1));
        assert!(needs.end_use(3));
        assert!(!needs.end_use(0));
    }
}
