//! The memory of answers that have come and that nobody has taken.

use std::sync::Arc;

use crate::error::Error;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// The account of one connection. Results may be kept for as long as their owners like; without it a
/// peer could fill the memory with answers that are small on the wire.
pub(crate) struct HeldAnswers {
    bytes: Arc<AtomicUsize>,
    limit: usize,
    // What the limit follows from, in the words of the config.
    limit_is: &'static str,
}

/// What one answer takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    bytes: usize,
    account: Arc<AtomicUsize>,
}

impl HeldAnswers {
    pub(crate) fn new(limit: usize, limit_is: &'static str) -> HeldAnswers {
        HeldAnswers {
            bytes: Arc::default(),
            limit,
            limit_is,
        }
    }

    /// Charges an answer, unless others fill the account already; one alone may be of any size.
    ///
    /// # Errors
    /// What the request is answered with instead.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Option<Arc<Charge>>, Error> {
        if bytes == 0 {
            return Ok(None);
        }
        let held = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let charge = Charge {
            bytes,
            account: self.bytes.clone(),
        };
        if held > 0 && held.saturating_add(bytes) > self.limit {
            return Err(Error::Misuse(format!(
                "the answers that are in and that nobody has taken need more than {} bytes \
                 ({}): take results, or ask for less at a time",
                self.limit, self.limit_is
            )));
        }
        Ok(Some(Arc::new(charge)))
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
