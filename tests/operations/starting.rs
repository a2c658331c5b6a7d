//! What keeps a server from starting is told at its start, in every mode, and by `--check`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rpyc_tests::Server;
use rpyc_tests::python::{clear_environment, progress};
use rpyc_tests::server::binary;
use tempfile::TempDir;

const MODES: [&str; 5] = ["threaded", "pool", "process", "oneshot", "stdio"];

fn run(program: &Path, mode: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(["--classic", "--mode", mode]).args(arguments);
    if mode != "stdio" {
        command.args(["--port", "0"]);
    }
    let command = clear_environment(&mut command).stdin(Stdio::null());
    command.output().expect("it runs")
}

/// What it says when it doesn't start, by this exit code.
#[track_caller]
fn refused(ended: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(code), "{said}");
    said
}

fn script(folder: &TempDir, text: &str) -> PathBuf {
    let script = folder.path().join("init.py");
    fs::write(&script, text).expect("written");
    script
}

#[test]
fn a_script_that_raises_keeps_the_server_from_starting_and_its_traceback_has_lines() {
    let folder = TempDir::new().expect("a folder");
    let script = script(
        &folder,
        "def broken():\n    raise OSError('no device')\nbroken()\n",
    );
    let script = script.to_string_lossy();
    for mode in MODES {
        let said = refused(&run(binary(), mode, &["--init", &script]), 1);
        let lines: Vec<&str> = said.lines().collect();
        let told = format!("rpyc-server: --init {script}: the script raised an exception");
        let place = format!("    File \"{script}\", line 2, in broken");
        for line in [
            &told,
            "  Traceback (most recent call last):",
            &place,
            "  OSError: no device",
        ] {
            assert!(lines.contains(&line), "{mode}, no {line:?} in: {said}");
        }
    }
}

/// It holds the outputs of the process in which the script was tried.
#[test]
fn what_a_script_leaves_running_keeps_no_server_from_starting() {
    let folder = TempDir::new().expect("a folder");
    let pids = folder.path().join("pids");
    let text = format!(
        "import subprocess
left = subprocess.Popen(['sleep', '1000'])
with open({:?}, 'a') as pids: print(left.pid, file=pids)
",
        pids.to_string_lossy()
    );
    let script = script(&folder, &text);
    let server = Server::with_options(&["--mode", "process", "--init", &script.to_string_lossy()]);
    server.check("same(conn.eval('1 + 1'), 2)");
    drop(server);
    for pid in fs::read_to_string(pids).expect("it has run").lines() {
        // That of a client has been killed with it.
        let _ = Command::new("kill").arg(pid).output();
    }
}

#[test]
fn a_check_compiles_the_script_and_does_not_run_it() {
    let folder = TempDir::new().expect("a folder");
    let script_has_run = folder.path().join("run");
    let text = format!(
        "open({:?}, 'w').close()\n",
        script_has_run.to_string_lossy()
    );
    for mode in MODES {
        let right = script(&folder, &text);
        let checked = run(
            binary(),
            mode,
            &["--check", "--init", &right.to_string_lossy()],
        );
        assert!(checked.status.success(), "{mode}: {checked:?}");
        assert!(!script_has_run.exists(), "{mode}");
        let wrong = script(&folder, "device = (\n");
        let wrong = wrong.to_string_lossy();
        let said = refused(&run(binary(), mode, &["--check", "--init", &wrong]), 1);
        assert!(
            said.contains("SyntaxError: ") && said.contains(&*wrong),
            "{mode}: {said}"
        );
    }
}

#[test]
fn why_a_process_cannot_serve_its_client_is_in_the_servers_log() {
    let folder = TempDir::new().expect("a folder");
    let taken = folder.path().join("taken");
    let taken = taken.to_string_lossy();
    // It works once: when the server tries it.
    let text = format!("import os\nos.mkdir({taken:?})\n");
    let script = script(&folder, &text);
    let server = Server::with_options(&[
        "--mode",
        "process",
        "--log-format",
        "json",
        "--init",
        &script.to_string_lossy(),
    ]);
    server.check_program(
        "
        with raises((EOFError, ConnectionError)):
            connect().eval('1')
        ",
    );
    server.wait_for_log("the traceback", |lines| {
        let mut lines = lines.iter().filter(|line| line.starts_with('{'));
        let is_told =
            |line: &&String| line.contains("isn't served") && line.contains("FileExistsError");
        lines.find(is_told).map(drop)
    });
}

#[test]
fn a_script_has_an_absolute_name_so_that_its_source_is_found_from_everywhere() {
    // The server runs in the folder that this one is in.
    let folder = tempfile::tempdir_in(env::temp_dir()).expect("a folder");
    script(&folder, "def measure(): return 'volts'\n");
    let name = folder.path().file_name().unwrap_or_default();
    let script = Path::new(name).join("init.py");
    Server::with_options(&["--init", &script.to_string_lossy()]).check(
        "
        conn.execute('import inspect')
        conn.modules.os.chdir('/')
        same(conn.eval('inspect.getsource(measure)'), \"def measure(): return 'volts'\\n\")
        ",
    );
}

#[test]
fn a_program_that_the_processes_user_may_not_run_is_told_at_the_start_and_by_a_check() {
    if !rustix::process::geteuid().is_root() {
        return progress("only root can start processes as another user: left out");
    }
    let folder = TempDir::new().expect("a folder");
    for file in ["rpyc-server", "librpyc_server.so"] {
        let built = binary().with_file_name(file);
        fs::copy(built, folder.path().join(file)).expect("copied");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("changed");
    let program = folder.path().join("rpyc-server");
    for arguments in [
        &["--user", "65534:65534"][..],
        &["--user", "65534:65534", "--check"],
    ] {
        let said = refused(&run(&program, "process", arguments), 2);
        assert!(said.contains("of --user"), "{said}");
        // The Python under test may be another user's, too.
        let names_it = said.contains(&*folder.path().to_string_lossy()) || said.contains("python");
        assert!(names_it, "{said}");
    }
}
