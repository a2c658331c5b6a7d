//! The standard library: docs/stdlib.md says of each module what its exercise shows.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rpyc_tests::Server;
use rpyc_tests::server::{Evaluator, only_on};

#[test]
fn the_table_of_modules_says_what_works() {
    if !only_on(
        Evaluator::RustPython,
        "it is the table of the built-in Python",
    ) {
        return;
    }
    let server = Server::start();
    let script = concat!(include_str!("stdlib.py"), include_str!("stdlib_table.py"));
    let script = server.program(script).deadline(Duration::from_secs(300));
    let table = server.succeed(script.outcome());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/stdlib.md");
    let text = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let (head, old) = text
        .split_once("\n| module |")
        .expect("the page has the table at its end");
    let fresh = format!("{head}\n{}\n", table.trim_end());
    if env::var_os("RPYC_UPDATE_DOCS").is_some() {
        fs::write(&page, fresh).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        return;
    }
    let old: Vec<&str> = old.lines().collect();
    let changed: Vec<&str> = table
        .lines()
        .skip(1)
        .filter(|row| !old.contains(row))
        .collect();
    assert!(
        fresh == text,
        "docs/stdlib.md is out of date: RPYC_UPDATE_DOCS=1 writes it anew; what differs:\n{}",
        changed.join("\n")
    );
}
