//! `cargo bench-peers`: see `--help`, and docs/performance.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    rpyc_bench_peers::run()
}
