//! What the config says to the scheduler.

/// Where a request runs that arrives while another one of the same peer waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nesting {
    /// On a thread of its own: what it waits for can still happen on the waiting thread.
    Pool,
    /// Nested on the innermost waiting request, on its thread, as Python's rpyc does: code that
    /// counts on thread identity (re-entrant locks, a half-done import) works.
    Stack,
    /// On the innermost wait, be it that of a request or of a thread of the program's own, and on no thread that
    /// doesn't wait for the peer: for a program that calls, and is called back on its thread.
    Waiting,
}

/// The bounds that [`Scheduler`](super::Scheduler) keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How many tasks may be active, waits not counted.
    pub(crate) concurrency: usize,
    /// How many tasks there may be at all.
    pub(crate) max_tasks: usize,
    /// How many requests may be queued, and how many bytes they may hold; with those of the tasks, twice as many.
    pub(crate) max_queued: usize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) nesting: Nesting,
}
