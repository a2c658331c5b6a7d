//! How much memory the process has allocated at the most while something happens.

use peak_alloc::PeakAlloc;

/// It counts what is allocated, not what the system gave: how much the allocator keeps for later
/// depends on which threads ran when.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What a test may take beyond what the limits allow.
pub(crate) const SLACK: usize = 32 << 20;

/// What a peer may leave unread: 64 MiB and two frames, for which a buffer of 128 MiB is allocated, and
/// while it grows the one that it has outgrown.
pub(crate) const UNREAD: usize = (128 << 20) + (64 << 20);

/// Runs `work` and fails if more than `allowed` bytes and the slack were allocated meanwhile, at any
/// time. Only meaningful while no other test runs: see `Victim::alone`.
#[track_caller]
pub(crate) fn bounded<T>(allowed: usize, work: impl FnOnce() -> T) -> T {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    let result = work();
    let grown = HEAP.peak_usage().saturating_sub(before);
    assert!(
        grown <= allowed + SLACK,
        "{} MiB more were allocated, {} are allowed",
        grown >> 20,
        (allowed + SLACK) >> 20
    );
    result
}
