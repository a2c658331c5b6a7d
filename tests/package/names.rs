//! Names that are no Python's: what the program says of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use rpyc_tests::python::interpreter;
use rpyc_tests::server::binary;
use tempfile::TempDir;

use crate::says;

/// The check of a server with that Python, in that folder.
fn check(folder: &Path, python: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(["--classic", "--port", "0", "--check", "--python", python]);
    command.current_dir(folder).envs(variables.iter().copied());
    command.output().expect("it runs")
}

#[track_caller]
fn refused(folder: &Path, python: &str, parts: &[&str]) {
    refused_with(folder, python, &[], parts);
}

#[track_caller]
fn refused_with(folder: &Path, python: &str, variables: &[(&str, &str)], parts: &[&str]) {
    let ended = check(folder, python, variables);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{python}: {said}");
    says(&said, &[&format!("--python {python}: can't be run")]);
    says(&said, parts);
}

#[test]
fn a_directory_is_told_with_the_python_in_it() {
    let folder = TempDir::new().expect("a folder");
    let bin = folder.path().join("venv/bin");
    fs::create_dir_all(&bin).expect("made");
    symlink(interpreter(), bin.join("python")).expect("made");
    fs::create_dir(folder.path().join("empty")).expect("made");
    for (name, meant) in [
        ("venv", "Did you mean venv/bin/python?"),
        ("./venv", "Did you mean ./venv/bin/python?"),
        ("venv/", "Did you mean venv/bin/python?"),
        ("venv/bin", "Did you mean venv/bin/python?"),
        ("empty", ".venv/bin/python"),
        (".", ".venv/bin/python"),
    ] {
        refused(folder.path(), name, &["it is a directory", meant]);
    }
}

#[test]
fn a_file_that_is_not_there_is_told_with_where_it_was_looked_for() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().canonicalize().expect("it is there");
    let place = place.to_string_lossy();
    refused(folder.path(), "venv/bin/python", &["No such file", &place]);
    refused(
        folder.path(),
        "python3-none",
        &["no folder of PATH", "Give its path"],
    );
    let home = [("HOME", "/home/somebody")];
    let parts = ["No such file", "give /home/somebody/venv/bin/python"];
    refused_with(folder.path(), "~/venv/bin/python", &home, &parts);
}

#[test]
fn a_symbolic_link_whose_end_is_gone_is_told_with_that_end() {
    let folder = TempDir::new().expect("a folder");
    symlink("python3", folder.path().join("python")).expect("made");
    symlink("/no/such/python3", folder.path().join("python3")).expect("made");
    let parts = [
        "a symbolic link to /no/such/python3",
        "Make that environment anew",
    ];
    refused(folder.path(), "./python", &parts);
}

#[test]
fn a_wrong_pythonhome_is_told_by_its_name() {
    let folder = TempDir::new().expect("a folder");
    let python = interpreter().to_string_lossy();
    let home = [("PYTHONHOME", "/no/such/home")];
    let parts = ["doesn't answer", "PYTHONHOME is /no/such/home"];
    refused_with(folder.path(), &python, &home, &parts);
}
