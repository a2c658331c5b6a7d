//! The programs: what each of them is about stands in its first line.

/// Their names and texts.
pub(crate) const PROGRAMS: [(&str, &str); 6] = [
    ("arrays", include_str!("arrays.py")),
    ("debugging", include_str!("debugging.py")),
    ("frames", include_str!("frames.py")),
    ("functions", include_str!("functions.py")),
    ("native", include_str!("native.py")),
    ("processes", include_str!("processes.py")),
];
