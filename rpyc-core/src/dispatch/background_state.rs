//! [`BackgroundState`]: what a background thread looks at between two messages.

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a background thread looks at between two messages.
#[derive(Debug, Default)]
pub(crate) struct BackgroundState {
    over: AtomicBool,
    // How many waits there had been when it looked last.
    waits: AtomicU64,
}

impl BackgroundState {
    /// It is to serve no longer.
    pub(crate) fn dismiss(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Whether threads have begun to wait for replies since the last look. While they do, they
    /// read for themselves: a reply that the background thread read would have to be
    /// handed over, each time.
    pub(super) fn yields_reading(&self, waits: u64) -> bool {
        self.waits.swap(waits, Ordering::Relaxed) != waits
    }
}
