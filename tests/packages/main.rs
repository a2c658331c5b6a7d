//! Real packages in a CPython of the user's (`--python`), driven by Python's own client.
//!
//! Each program runs with Python's own server, too, and what it shows has to be the same.

mod programs;
mod rules;

use std::path::Path;
use std::sync::OnceLock;

use rpyc_tests::packages::Packages;

use crate::programs::PROGRAMS;

fn packages() -> &'static Packages {
    static PACKAGES: OnceLock<Packages> = OnceLock::new();
    PACKAGES.get_or_init(|| Packages::of(Path::new("python3")))
}

#[track_caller]
fn same_as_stock(name: &str) {
    let program = PROGRAMS.iter().find(|(known, _)| *known == name);
    let (_, program) = program.expect("a program of that name");
    packages().same_as_stock(program);
}

#[test]
fn arrays_of_numpy_stay_there_and_come_by_value() {
    same_as_stock("arrays");
}

#[test]
fn tables_images_and_processes_are_used_from_afar() {
    same_as_stock("frames");
}

#[test]
fn c_is_called_and_calls_back() {
    same_as_stock("native");
}

#[test]
fn coroutines_processes_and_terminals_work_there() {
    same_as_stock("processes");
}

#[test]
fn functions_and_their_arguments_go_both_ways() {
    same_as_stock("functions");
}

#[test]
fn code_is_debugged_from_afar() {
    same_as_stock("debugging");
}
