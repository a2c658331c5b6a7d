//! [`WriteBudget`]: how long a thread with a deadline goes on writing.

use std::io;
use std::time::{Duration, Instant};

use crate::sync::passed;

/// How long a thread goes on writing to a peer that reads little by little, or while others have
/// more and more to be written.
pub(crate) struct WriteBudget {
    limit: Option<Duration>,
    spent: Spent,
}

enum Spent {
    Nothing,
    OneWrite,
    Until(Instant),
}

impl WriteBudget {
    pub(crate) fn new(limit: Option<Duration>) -> WriteBudget {
        WriteBudget {
            limit,
            spent: Spent::Nothing,
        }
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Is asked before each write. The clock is looked at from the second one on: most of the time the
    /// first writes everything.
    ///
    /// # Errors
    /// `WouldBlock` when the time is over.
    #[inline]
    pub(crate) fn spend(&mut self) -> io::Result<()> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        self.spent = match self.spent {
            Spent::Nothing => Spent::OneWrite,
            // A time that can't be counted is no limit.
            Spent::OneWrite => match Instant::now().checked_add(limit) {
                Some(end) => Spent::Until(end),
                None => Spent::OneWrite,
            },
            Spent::Until(end) if passed(end) => return Err(io::ErrorKind::WouldBlock.into()),
            Spent::Until(end) => Spent::Until(end),
        };
        Ok(())
    }
}
