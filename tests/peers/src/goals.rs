//! How fast it is to be, each goal by two rows of one table.

/// A row of a table, set against others of it.
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) table: &'static str,
    pub(crate) ours: &'static str,
    /// The best of these counts; against none, the number itself does.
    pub(crate) theirs: &'static [&'static str],
    pub(crate) aim: Aim,
}

#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// At most so many times what theirs takes.
    AtMost(f64),
    /// At least so many times as fast, or as small.
    AtLeast(f64),
}

const fn goal(
    what: &'static str,
    table: &'static str,
    ours: &'static str,
    theirs: &'static [&'static str],
    aim: Aim,
) -> Goal {
    Goal {
        what,
        table,
        ours,
        theirs,
        aim,
    }
}

const RAW: &[&str] = &["raw"];
const OWN: &[&str] = &["Python's own"];

// A row a line.
#[rustfmt::skip]
pub(crate) const GOALS: [Goal; 23] = [
    goal("null call, one core", "null-same", "rust-rust", RAW, Aim::AtMost(1.15)),
    goal("null call, one core each", "null-split", "rust-rust", RAW, Aim::AtMost(1.08)),
    goal("64 in flight", "pipe-64", "rust-rust", RAW, Aim::AtLeast(0.40)),
    goal("1,024 in flight, beside tarpc's best", "pipe-1024", "rust-rust", &["tarpc", "tarpc-one"], Aim::AtLeast(2.5)),
    goal("64 connections", "fan-64", "rust-rust", RAW, Aim::AtLeast(0.90)),
    goal("calls with 64 KiB", "bulk-64k", "rust-rust", RAW, Aim::AtLeast(0.90)),
    goal("calls with 1 MiB", "bulk-1m", "rust-rust", RAW, Aim::AtLeast(0.90)),
    goal("Rust client on a Python server, one core", "null-same", "rust-python", RAW, Aim::AtMost(2.3)),
    goal("`conn.root.f()` of a Python client, beside a Python server, one core", "null-same", "python-rust", &["python-python"], Aim::AtLeast(2.2)),
    goal("kept `f()` of a Python client, beside a Python server, one core", "null-same", "python-kept-rust", &["python-kept-python"], Aim::AtLeast(1.9)),
    goal("idle connection with a thread, KiB", "idle", "rust-rust", &[], Aim::AtMost(16.0)),
    goal("`--python`: kept `f()`, one core", "f()", "`--python`", OWN, Aim::AtLeast(1.6)),
    goal("`--python`: `eval`, one core", "eval", "`--python`", OWN, Aim::AtLeast(1.35)),
    goal("`--python`: a callback, one core", "callback", "`--python`", OWN, Aim::AtLeast(1.5)),
    goal("`--python`: four clients in sum", "four clients", "`--python`", OWN, Aim::AtLeast(2.0)),
    goal("`--python`: a loop in Python", "loop", "`--python`", OWN, Aim::AtLeast(0.95)),
    goal("`--python`: `f()` beside an endless loop, us", "beside a loop", "`--python`", &[], Aim::AtMost(1500.0)),
    goal("`--python`: from the start until it listens, ms", "start", "`--python`", &[], Aim::AtMost(60.0)),
    goal("`--python`: memory without clients, MiB", "memory", "`--python`", &[], Aim::AtMost(15.2)),
    goal("`--python`: listing 3,000 elements, one core", "listing", "`--python`", OWN, Aim::AtLeast(1.5)),
    goal("built-in Python: listing 3,000 elements, one core", "listing", "built-in Python", OWN, Aim::AtLeast(1.5)),
    goal("`--python`: `upload_file` of 100 MB", "upload", "`--python`", OWN, Aim::AtLeast(20.0)),
    goal("built-in Python: `upload_file` of 100 MB", "upload", "built-in Python", OWN, Aim::AtLeast(20.0)),
];
