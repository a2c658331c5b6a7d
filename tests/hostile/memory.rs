//! How much memory the process takes at the most while something happens.

use std::fs;

/// What a test may take beyond what the limits allow.
pub(crate) const SLACK: usize = 32 << 20;

/// Runs `work` and fails if the process's memory grew by more than `allowed` bytes and the
/// slack meanwhile. Only meaningful while no other test runs: see `Victim::alone`.
#[track_caller]
pub(crate) fn bounded<T>(allowed: usize, work: impl FnOnce() -> T) -> T {
    // Resets the peak to what is in use now.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let result = work();
    let grown = status("VmHWM:").saturating_sub(before);
    assert!(
        grown <= allowed + SLACK,
        "the process grew by {} MiB, {} are allowed",
        grown >> 20,
        (allowed + SLACK) >> 20
    );
    result
}

fn status(field: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}
