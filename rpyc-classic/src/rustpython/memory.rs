//! Memory that a client's code used goes back to the system when the client has gone.
//!
//! glibc keeps what is freed between other blocks: after a peak of a gigabyte the process would stay
//! at a gigabyte until it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives free memory back if there may be much of it: it takes some milliseconds then.
pub(super) fn give_back() {
    let Some(resident) = resident() else {
        return;
    };
    let before = AFTER_LAST.fetch_min(resident, Ordering::Relaxed);
    if resident < before.saturating_add(WORTHWHILE) {
        return;
    }
    trim();
    AFTER_LAST.store(self::resident().unwrap_or(resident), Ordering::Relaxed);
}

/// The memory that the process has, in bytes.
fn resident() -> Option<usize> {
    let fields = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = fields.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(PAGE))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // Safe: it touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

/// What the process had after the last time, or has had since.
static AFTER_LAST: AtomicUsize = AtomicUsize::new(0);

/// As much more than that is worth the time.
const WORTHWHILE: usize = 64 << 20;

/// An estimate will do.
const PAGE: usize = 4096;
