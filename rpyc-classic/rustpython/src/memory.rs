//! Memory that a client's code used goes back to the system when the client has gone.
//!
//! glibc keeps what is freed between other blocks: after a peak of a gigabyte the process would stay
//! at a gigabyte until it ends.

use std::sync::{Mutex, PoisonError};

/// Gives free memory back if there may be much of it: it takes some milliseconds then.
pub(super) fn give_back() {
    // Of many clients that go at once, one does it, and the others find it done.
    let mut after_last = AFTER_LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(resident) = resident() else {
        return;
    };
    if resident >= after_last.saturating_add(WORTHWHILE) {
        trim();
        *after_last = self::resident().unwrap_or(resident);
    } else {
        *after_last = resident.min(*after_last);
    }
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
static AFTER_LAST: Mutex<usize> = Mutex::new(0);

/// As much more than that is worth the time.
const WORTHWHILE: usize = 64 << 20;

/// An estimate will do.
const PAGE: usize = 4096;
