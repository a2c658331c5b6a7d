//! Several servers at once: `--connect` more than once, `--all`, `--json`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rpyc_tests::Server;
use rpyc_tests::child::Child;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::registry::Registry;
use rpyc_tests::server::Signal;

use crate::hostile::flood;
use crate::terminal;
use crate::tool::{Peer, Ran, command, run};

pub(crate) fn at(servers: &[&str], arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    for server in servers {
        command.args(["--connect", server]);
    }
    command
}

pub(crate) fn addresses(peers: &[Peer]) -> Vec<&str> {
    peers.iter().map(|peer| &*peer.address).collect()
}

/// Starts a tool that reads this code from its standard input.
pub(crate) fn running(command: &mut Command, code: &[u8], stderr: Stdio) -> Child {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Child::spawn(piped.stderr(stderr)).expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(code).expect("written");
    child
}

fn three() -> [Peer; 3] {
    [Peer::python(), Peer::ours(), Peer::python()]
}

/// The lines that a server's name stands before, less that.
pub(crate) fn lines_of(text: &str, server: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.split_once(" | "));
    lines
        .filter(|(name, _)| name.trim_end() == server)
        .map(|(_, line)| line.to_owned())
        .collect()
}

/// What the table says of a server.
#[track_caller]
pub(crate) fn row<'a>(ran: &'a str, server: &str) -> &'a str {
    let rows = ran
        .lines()
        .filter_map(|line| line.strip_prefix(server)?.strip_prefix("  "))
        .map(str::trim_start);
    // A line of the server's own has a bar before it.
    let rows: Vec<&str> = rows.filter(|row| !row.starts_with('|')).collect();
    let [row] = rows[..] else {
        panic!("{server} has no row: {ran}");
    };
    row
}

#[test]
fn code_runs_at_all_of_them_at_a_time_and_each_line_says_whose_it_is() {
    let peers = three();
    let servers = addresses(&peers);
    let folder = tempfile::TempDir::new().expect("a folder");
    // Each waits until all are there.
    let code = format!(
        "
import os, sys, time
folder = {:?}
open(os.path.join(folder, str(time.time_ns()) + '-' + str(id(os))), 'w').close()
while len(os.listdir(folder)) < 3:
    time.sleep(0.01)
print('all', end=' ')
print('are here')
print('nothing to read:', repr(sys.stdin.read()))
print('aside', file=sys.stderr)
",
        folder.path()
    );
    let ran = run(at(&servers, &["exec", "-"]), &code);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for server in &servers {
        assert_eq!(
            lines_of(&ran.out, server),
            ["all are here", "nothing to read: ''"],
            "{ran:?}"
        );
        assert_eq!(lines_of(&ran.err, server), ["aside"], "{ran:?}");
        assert!(row(&ran.err, server).starts_with("ok "), "{ran:?}");
    }
    assert!(ran.err.ends_with("\n3 servers: 3 ok\n"), "{ran:?}");
}

#[test]
fn which_of_them_failed_is_said_and_why() {
    let peers = [
        Peer::python_after("import builtins; builtins.number = 3"),
        Peer::python_after("import builtins; builtins.number = 0"),
        Peer::python(),
    ];
    let servers = addresses(&peers);
    let code = "import sys; sys.exit(number)";
    let ran = run(at(&servers, &["exec", "-"]), code);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{ran:?}");
    assert!(row(&ran.err, servers[0]).ends_with("  exit code 3"));
    assert!(row(&ran.err, servers[1]).starts_with("ok "));
    let raised = "NameError: name 'number' is not defined";
    assert!(row(&ran.err, servers[2]).contains(raised), "{ran:?}");
    let said = lines_of(&ran.err, servers[2]);
    assert!(said[0].starts_with("Traceback"), "{ran:?}");
    let counted = format!(
        "3 servers: 1 ok, 2 failed ({}, {})\n",
        servers[0], servers[2]
    );
    assert!(ran.err.ends_with(&counted), "{ran:?}");
}

#[test]
fn neither_one_that_refuses_nor_one_that_hangs_nor_one_that_floods_keeps_the_others() {
    let peers = [Peer::python(), Peer::ours()];
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let flooding = TcpListener::bind("127.0.0.1:0").expect("a port");
    let [hangs, floods] = [&silent, &flooding].map(|listener| {
        let address = listener.local_addr().expect("an address");
        address.to_string()
    });
    thread::spawn(move || {
        for client in flooding.incoming().flatten() {
            thread::spawn(move || flood(client));
        }
    });
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("file"), "print(42)").expect("written");
    // Those that do harm come first, and there is one at a time.
    let servers = [
        "127.0.0.1:1",
        &hangs,
        &floods,
        &peers[0].address,
        &peers[1].address,
    ];
    // Long enough for those that do answer, on a busy machine, too.
    for (jobs, timeout, arguments) in [
        ("1", "8", &["ping", "-c", "2", "-i", "0"][..]),
        ("64", "16", &["exec", &path("file")]),
        ("64", "16", &["download", &path("file"), &path("back")]),
        ("64", "16", &["upload", &path("file"), &path("there")]),
    ] {
        let options = ["--timeout", timeout, "--jobs", jobs];
        let ran = run(at(&servers, &[arguments, &options].concat()), "");
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran:?}");
        let table = match arguments[0] {
            "ping" => &ran.out,
            _ => &ran.err,
        };
        for bad in &servers[..3] {
            let row = row(table, bad);
            assert!(row.starts_with("failed "), "{arguments:?}: {ran:?}");
        }
        for good in &servers[3..] {
            let row = row(table, good);
            assert!(row.starts_with("ok "), "{arguments:?}: {ran:?}");
        }
        let failed = format!("2 ok, 3 failed ({})", servers[..3].join(", "));
        assert!(table.contains(&failed), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_server_prints_no_more_than_it_may_and_never_in_anothers_name() {
    let peers = [
        Peer::python_after("import builtins; builtins.loud = True"),
        Peer::python_after("import builtins; builtins.loud = False"),
    ];
    let servers = addresses(&peers);
    let code = "
import sys
while loud:
    sys.stdout.write('x' * 1000)
print('one\\rother | \\x1b[2J\\u202e\\x85two')
";
    let arguments = ["exec", "-", "--max-output", "100KiB"];
    let ran = run(at(&servers, &arguments), code);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let row = row(&ran.err, servers[0]);
    assert!(
        row.starts_with("failed ") && row.contains("more than 102400 bytes (--max-output)"),
        "{}",
        ran.err
    );
    let loud = lines_of(&ran.out, servers[0]);
    assert_eq!(loud.concat(), "x".repeat(100 << 10));
    assert!(loud.iter().all(|line| line.len() <= 64 << 10));
    assert_eq!(
        lines_of(&ran.out, servers[1]),
        ["one\\rother | \\u{1b}[2J\\u{202e}\\u{85}two"]
    );
}

#[test]
fn ctrl_c_ends_all_and_what_runs_there() {
    let peers = three();
    let servers = addresses(&peers);
    let folder = tempfile::TempDir::new().expect("a folder");
    let code = format!(
        "
import os, time
print('running', flush=True)
try:
    while True:
        pass
finally:
    open(os.path.join({:?}, str(time.time_ns()) + '-' + str(id(os))), 'w').close()
",
        folder.path()
    );
    let never = Peer::python();
    let mut all = servers.clone();
    all.push(&never.address);
    let mut command = at(&all, &["exec", "-", "--jobs", "3"]);
    let mut child = running(&mut command, code.as_bytes(), Stdio::piped());
    let (status, errors) = within(PATIENCE, "the end of all", move || {
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        for _ in 0..3 {
            let mut line = String::new();
            out.read_line(&mut line).expect("a line");
            assert!(line.ends_with("| running\n"), "{line}");
        }
        child.signal(Signal::INT);
        let mut errors = String::new();
        let mut err = child.stderr.take().expect("a pipe");
        err.read_to_string(&mut errors).expect("text");
        (child.wait().expect("its end"), errors)
    });
    assert_eq!(status.code(), Some(130), "{errors}");
    for server in all {
        assert!(row(&errors, server).starts_with("interrupted "), "{errors}");
    }
    assert!(
        errors.contains("4 servers: 0 ok, 4 interrupted ("),
        "{errors}"
    );
    let until = Instant::now() + PATIENCE;
    while fs::read_dir(folder.path()).expect("a folder").count() < 3 {
        assert!(Instant::now() < until, "it still runs: {errors}");
        thread::yield_now();
    }
    let after = run(at(&servers, &["eval", "6 * 7"]), "");
    assert_eq!(after.code, Some(0), "{after:?}");
}

#[test]
fn ctrl_c_ends_it_all_though_nobody_reads_its_output() {
    let peers = [Peer::python(), Peer::ours()];
    let mut command = at(&addresses(&peers), &["exec", "-"]);
    let code = b"print('running', flush=True)\nwhile True: print('x' * 1000)\n";
    let mut child = running(&mut command, code, Stdio::null());
    let status = within(PATIENCE, "the end of all", move || {
        let mut out = child.stdout.take().expect("a pipe");
        let mut first = [0; 1];
        out.read_exact(&mut first).expect("something");
        child.signal(Signal::INT);
        let status = child.wait().expect("its end");
        drop(out);
        status
    });
    assert_eq!(status.code(), Some(130));
}

#[test]
fn each_server_has_a_folder_for_what_is_downloaded() {
    let peers = three();
    let servers = addresses(&peers);
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(path("here/sub")).expect("a folder");
    fs::write(path("here/sub/file"), "content").expect("written");
    let copy = |arguments: &[&str]| {
        let ran = run(at(&servers, arguments), "");
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
        ran
    };
    copy(&["download", &path("here"), &path("directories")]);
    let ran = copy(&[
        "download",
        "--verify",
        &path("here/sub/file"),
        &path("files"),
    ]);
    for server in &servers {
        let name = server.replace(':', "_");
        for copied in ["directories/NAME/sub/file", "files/NAME/file"] {
            let copied = path(&copied.replace("NAME", &name));
            let text = fs::read_to_string(&copied);
            assert_eq!(text.expect("it is there"), "content", "{copied}");
        }
        assert!(row(&ran.err, server).contains("1 file, 7 B in "), "{ran:?}");
    }
    let ran = copy(&["upload", "-q", &path("here"), &path("there")]);
    assert_eq!(ran.err, "");
    let uploaded = Path::new(&path("there")).join("sub/file");
    assert_eq!(
        fs::read_to_string(uploaded).expect("it is there"),
        "content"
    );
}

#[test]
fn programs_get_it_line_by_line_as_json() {
    let peers = [Peer::python(), Peer::ours()];
    let servers = addresses(&peers);
    let both = [&servers[..], &["127.0.0.1:1"]].concat();
    let ran = run(
        at(&both, &["eval", "--json", "print('ä\\x1b') or 6 * 7"]),
        "",
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.err, "");
    for server in &servers {
        for text in ["ä\\u001b", "42"] {
            let line =
                format!("{{\"server\":\"{server}\",\"stream\":\"stdout\",\"text\":\"{text}\"}}\n");
            assert!(ran.out.contains(&line), "no {line} in {ran:?}");
        }
        let ended = "{\"exit_code\":0,\"result\":\"ok\",\"seconds\":";
        let with_server = format!(",\"server\":\"{server}\",\"text\":\"\"}}\n");
        assert!(
            ran.out.contains(ended) && ran.out.contains(&with_server),
            "{ran:?}"
        );
    }
    let last = "{\"failed\":[\"127.0.0.1:1\"],\"interrupted\":[],\"ok\":2,\"servers\":3}\n";
    assert!(ran.out.ends_with(last), "{ran:?}");
    let one = run(
        at(&servers[..1], &["ping", "--json", "-c", "2", "-i", "0"]),
        "",
    );
    assert!(
        one.code == Some(0) && one.out.contains("\"answers\":2,\"avg_seconds\":"),
        "{one:?}"
    );
}

#[test]
fn pings_of_all_are_summed_up_in_a_table() {
    let peers = three();
    let servers = addresses(&peers);
    let ran = run(at(&servers, &["ping", "-i", "0"]), "");
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
    for server in &servers {
        assert_eq!(lines_of(&ran.out, server).len(), 4, "{ran:?}");
        let row = row(&ran.out, server);
        let summed = row.contains("4 pings, 4 answers, min/avg/max = ");
        assert!(summed && row.ends_with(" ms"), "{ran:?}");
    }
    let ran = run(at(&servers, &["ping", "-q", "-c", "1"]), "");
    assert_eq!(ran.out.lines().count(), 4, "{ran:?}");
}

#[test]
fn all_of_a_service_are_those_that_the_registry_knows() {
    let registry = Registry::start(&["--host", "127.0.0.1"]);
    let port = registry.address().port().to_string();
    let where_ = ["--registry-host", "127.0.0.1", "--registry-port", &port];
    let options = [&["--register"], &where_[..]].concat();
    let servers = [
        Server::with_options(&options),
        Server::with_options(&options),
    ];
    let elsewhere = Peer::python();
    let ask = |arguments: &[&str]| -> Ran {
        let mut command = command(&[arguments, &where_[..]].concat());
        // That is for when nothing else is said.
        command.env("RPYC_CONNECT", "127.0.0.1:1");
        run(command, "")
    };
    let until = Instant::now() + PATIENCE;
    while ask(&["services", "slave"]).out.lines().count() < 2 {
        assert!(Instant::now() < until, "never registered");
    }
    let ran = ask(&["eval", "6 * 7", "--all", "service:slave"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for server in &servers {
        let server = server.address().to_string();
        assert_eq!(lines_of(&ran.out, &server), ["42"], "{ran:?}");
    }
    assert!(ran.err.ends_with("2 servers: 2 ok\n"), "{ran:?}");
    // One that is named as well, twice.
    let named = ["--connect", &elsewhere.address].repeat(2);
    let ran = ask(&[&["eval", "1", "--all", "service:slave"], &named[..]].concat());
    assert!(ran.err.ends_with("3 servers: 3 ok\n"), "{ran:?}");
    let nobody = ask(&["eval", "1", "--all", "service:nobody"]);
    assert!(
        nobody.code == Some(1) && nobody.err.contains("no server offers NOBODY"),
        "{nobody:?}"
    );
    for wrong in ["slave", "service:", "tls:slave"] {
        let ran = ask(&["eval", "1", "--all", wrong]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
    // They don't speak TLS.
    let ran = ask(&["eval", "1", "--all", "tls:service:slave", "--ssl-any-name"]);
    let name = format!("tls:{}", servers[0].address());
    assert!(row(&ran.err, &name).starts_with("failed "), "{ran:?}");
}

#[test]
fn at_a_terminal_each_server_at_work_has_a_bar() {
    let peers = [Peer::python(), Peer::ours()];
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("here"), vec![7; 20 << 20]).expect("written");
    let mut arguments = vec!["download".to_owned(), path("here"), path("there")];
    for peer in &peers {
        arguments.extend(["--connect".to_owned(), peer.address.clone()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let shown = terminal::shows(&peers[0], &arguments, &[]);
    // A copy may be whole before its bar is drawn anew; one of a server in Python takes much longer.
    let [python, ours] = peers.each_ref().map(|peer| &peer.address);
    let bars = [format!("{python} copying"), format!("{ours} ")];
    for part in bars
        .iter()
        .map(String::as_str)
        .chain(["/20.00 MiB [", "2 servers: 2 ok"])
    {
        assert!(shown.contains(part), "no {part} in {shown:?}");
    }
    assert!(shown.trim_end().ends_with("exit code 0"), "{shown:?}");
}

#[test]
fn a_shell_has_one_server() {
    let servers = ["127.0.0.1:1", "127.0.0.1:2"];
    let ran = run(at(&servers, &["shell"]), "1");
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
