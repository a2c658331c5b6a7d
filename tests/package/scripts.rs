//! Scripts that stand for a Python, as a vendor's and pyenv's do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rpyc_tests::Server;
use rpyc_tests::python::interpreter;
use rpyc_tests::server::binary;
use tempfile::TempDir;

use crate::says;

/// A script with these lines, which is called as a Python might be.
fn script(folder: &Path, lines: &str) -> PathBuf {
    let path = folder.join("python3");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("changed");
    path
}

/// A server in each mode with that script as its Python, and what a client finds there.
#[track_caller]
fn check_in_every_mode(script: &Path, code: &str) {
    for mode in ["threaded", "pool", "process"] {
        let mut command = Command::new(binary());
        command.args(["--classic", "--port", "0", "--mode", mode, "--python"]);
        command
            .arg(script)
            .env("GIVEN", "by the server's own environment");
        Server::by(command).check(code);
    }
}

#[test]
fn what_a_script_gives_its_python_is_what_clients_code_finds_in_every_mode() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("packages");
    fs::create_dir(&path).expect("made");
    fs::write(path.join("vendor.py"), "key = 7").expect("written");
    // It doesn't exec, says something, and takes something away, too.
    let lines = format!(
        "echo welcome\nexport LICENCE='a = b\nc' PYTHONPATH={}\nunset GIVEN\n{} \"$@\"",
        path.display(),
        interpreter().display()
    );
    let script = script(folder.path(), &lines);
    check_in_every_mode(
        &script,
        "
        there = conn.modules.os
        same(there.environ['LICENCE'], 'a = b\\nc')
        same(there.environ.get('GIVEN'), None)
        same(conn.modules.vendor.key, 7)
        same(there.readlink('/proc/self/exe'), there.path.realpath(conn.modules.sys.executable))
        ",
    );
}

#[test]
fn a_script_that_finds_its_python_by_itself_is_that_python() {
    let folder = TempDir::new().expect("a folder");
    // As pyenv's: it starts another program, which starts the Python of that name.
    let lines = format!(
        "program=\"${{0##*/}}\"\nexport SHIM=\"$program\"\nexec sh -c 'exec {} \"$@\"' \"$program\" \"$@\"",
        interpreter().display()
    );
    let script = script(folder.path(), &lines);
    check_in_every_mode(
        &script,
        "
        there = conn.modules.os
        same(there.environ['SHIM'], 'python3')
        same(there.environ['GIVEN'], \"by the server's own environment\")
        same(there.readlink('/proc/self/exe'), there.path.realpath(conn.modules.sys.executable))
        ",
    );
}

#[test]
fn a_script_that_does_not_answer_is_an_error_after_a_limit() {
    let folder = TempDir::new().expect("a folder");
    let script = script(folder.path(), "exec sleep 3600");
    let mut command = Command::new(binary());
    command.args(["--classic", "--port", "0", "--check", "--python"]);
    let ended = command.arg(&script).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    says(
        &said,
        &["hasn't answered within 20s", "exec /path/of/python"],
    );
}
