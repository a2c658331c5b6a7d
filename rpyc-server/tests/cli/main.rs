//! The program `rpyc-server`: its flags, its log, its signals, its exit codes.

mod options;
mod program;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rpyc_core::wire::Handler;
use rpyc_core::{Any, Args, Config, Connection, Netref, VoidService};
use rustix::process::Signal;

use self::program::{DEADLINE, Program, command, output};

/// Runs the program to its end: exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = output(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn help_names_the_flags_and_shows_examples() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for text in [
        "--classic",
        "--host",
        "--port",
        "--insecure",
        "--logfile",
        "--max-clients",
        "--no-pickle",
        "--no-traceback",
        "--quiet",
        "--sync-request-timeout",
        "--verbose",
        "rpyc-server --classic --port 18812",
        "rpyc.classic.connect",
        "Exit codes",
    ] {
        assert!(stdout.contains(text), "no {text} in\n{stdout}");
    }
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let (code, _, stderr) = run(&["--classic", "--no-such-flag"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--no-such-flag"), "{stderr}");
}

#[test]
fn without_a_mode_it_says_which_flag_is_missing() {
    let (code, _, stderr) = run(&["--port", "0"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--classic"), "{stderr}");
}

#[test]
fn an_address_that_others_reach_needs_the_insecure_flag() {
    for host in ["0.0.0.0", "::", "[::]", "192.0.2.1"] {
        let (code, _, stderr) = run(&["--classic", "--port", "0", "--host", host]);
        assert_eq!(code, Some(2), "{host}: {stderr}");
        assert!(
            stderr.contains("--insecure") && stderr.contains(host),
            "{stderr}"
        );
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_flag_and_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, stderr) = run(&["--classic", "--port", &port]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("--port {port}")), "{stderr}");
    assert!(stderr.contains("--port 0"), "no way out in {stderr}");
}

#[test]
fn an_address_of_another_machine_is_an_error_that_names_the_flag() {
    let elsewhere = ["--classic", "--insecure", "--host", "192.0.2.1"];
    let (code, _, stderr) = run(&elsewhere);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("--host, --port"), "{stderr}");
}

#[test]
fn a_log_file_that_cant_be_written_is_an_error_that_names_the_flag() {
    let (code, _, stderr) = run(&[
        "--classic",
        "--port",
        "0",
        "--logfile",
        "/no/such/folder/log",
    ]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--logfile"), "{stderr}");
}

#[test]
fn it_says_where_it_listens_and_how_to_connect_and_ends_by_sigterm_with_0() {
    let mut program = Program::start(&["--classic", "--port", "0"]);
    let address = program.address();
    assert!(address.ip().is_loopback() && address.port() != 0);
    let hint = program.line_with("rpyc.classic.connect");
    assert!(hint.contains(&address.port().to_string()), "{hint}");
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn ctrl_c_ends_it_with_0_and_its_clients_are_closed_and_logged() {
    let mut program = Program::start(&["--classic", "--port", "0"]);
    let address = program.address();
    let clients = [
        TcpStream::connect(address).unwrap(),
        TcpStream::connect(address).unwrap(),
    ];
    for _ in &clients {
        program.line_with(": connected");
    }
    program.signal(Signal::INT);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    for client in &clients {
        let name = client.local_addr().unwrap().to_string();
        let lines = log.iter().filter(|line| line.contains(&name));
        assert_eq!(lines.count(), 2, "{name}: {log:#?}");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_client_beyond_the_maximum_is_closed_at_once_and_room_is_made_by_one_that_leaves() {
    let mut program = Program::start(&["--classic", "--port", "0", "--max-clients", "1"]);
    let address = program.address();
    let first = TcpStream::connect(address).unwrap();
    program.line_with(": connected");
    let _second = TcpStream::connect(address).unwrap();
    let refusal = program.line_with("refused");
    assert!(refusal.contains(" WARN "), "{refusal}");
    drop(first);
    program.line_with(": ended");
    // The place is free a moment after that line.
    let mut third = TcpStream::connect(address).unwrap();
    while !line_about(&mut program, &third).contains(": connected") {
        third = TcpStream::connect(address).unwrap();
    }
}

fn line_about(program: &mut Program, client: &TcpStream) -> String {
    let address = client.local_addr().expect("it is connected");
    program.line_with(&address.to_string())
}

#[test]
fn a_lack_of_descriptors_is_survived_and_logged_once() {
    let mut program = Program::start_with_few_files(40, &["--classic", "--port", "0"]);
    let address = program.address();
    let clients: Vec<TcpStream> = (0..60)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    program.line_with("can't accept clients for now");
    drop(clients);
    program.line_with("accepting clients again");
    let after = TcpStream::connect(address).unwrap();
    program.line_with(&after.local_addr().unwrap().to_string());
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let complaints = log.iter().filter(|line| line.contains("for now")).count();
    assert_eq!(complaints, 1, "{log:#?}");
}

/// As a server in process mode starts it.
#[test]
fn the_process_of_a_client_looks_up_no_names_again() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = command();
    command.args(["--classic", "--mode", "process", "--insecure"]);
    command.args(["--host", "nowhere.invalid", "--serves-client"]);
    command.args(["--register", "--registry-host", "nowhere.invalid"]);
    let program = Program::spawn(command.stdin(OwnedFd::from(theirs)));
    // It has the other end, too.
    drop(command);
    let client = Connection::open(ours, Arc::new(VoidService), Config::default()).unwrap();
    let asked = client.root().and_then(|root| match root {
        Any::Netref(root) => root.call_method("eval", Args::new().arg("6 * 7")),
        other => panic!("not a root: {other:?}"),
    });
    let is_answer = |answer: &Any| answer.as_value() == Some(&42.into());
    assert!(asked.as_ref().is_ok_and(is_answer), "{asked:?}");
    client.close().unwrap();
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// Has the server run an endless loop, which sets `sys.occupied` first.
fn occupy(client: &Connection, root: &Netref) {
    let code = "import sys\nsys.occupied = True\nwhile True: pass";
    let args = Any::tuple([Any::from(code)]);
    let request = vec![Any::from(root.clone()), Any::from("execute"), args];
    let sent = client.async_request(Handler::CallAttr, request);
    sent.expect("a request is sent");
}

#[test]
fn a_second_signal_ends_it_at_once_by_that_signal() {
    let mut program = Program::start(&["--classic", "--port", "0"]);
    let address = program.address();
    let connect = || {
        let stream = TcpStream::connect(address).unwrap();
        let client = Connection::open(stream, Arc::new(VoidService), Config::default()).unwrap();
        match client.root() {
            Ok(Any::Netref(root)) => (client, root),
            other => panic!("not a root: {other:?}"),
        }
    };
    let ((busy, busy_root), (_watcher, root)) = (connect(), connect());
    occupy(&busy, &busy_root);
    let begun = Instant::now();
    let question = "getattr(__import__('sys'), 'occupied', False)";
    let asked = || root.call_method("eval", Args::new().arg(question)).unwrap();
    while asked().as_value() != Some(&true.into()) {
        assert!(begun.elapsed() < DEADLINE, "the loop doesn't begin");
    }
    program.signal(Signal::TERM);
    program.line_with("stopping");
    program.signal(Signal::INT);
    let (status, log) = program.end();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{log:#?}");
}

/// Programs that start Python's server wait for these words.
#[test]
fn it_says_that_it_has_started_in_the_words_of_pythons_server_for_each_socket() {
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("socket");
    let path = socket.to_str().unwrap();
    let mut program = Program::start(&["--classic", "--port", "0", "--unix", path]);
    let address = program.address();
    program.line_with(&format!("server started on [127.0.0.1]:{}", address.port()));
    program.line_with(&format!("server started on []:{path}"));
    TcpStream::connect(address).unwrap();
    program.signal(Signal::INT);
    assert_eq!(program.end().0.code(), Some(0));
}

#[test]
fn it_is_not_a_signal_that_ends_it_when_it_is_asked_once() {
    let mut program = Program::start(&["--classic", "--port", "0"]);
    program.address();
    program.signal(Signal::INT);
    let (status, log) = program.end();
    assert_eq!(
        (status.signal(), status.code()),
        (None, Some(0)),
        "{log:#?}"
    );
}

#[test]
fn a_file_that_keeps_sighup_waiting_doesnt_keep_the_end_waiting() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("log");
    let log = path.to_str().unwrap();
    let program = Program::start(&["--classic", "--port", "0", "--logfile", log]);
    let begun = Instant::now();
    while !fs::read_to_string(&path).is_ok_and(|log| log.contains("listening on ")) {
        assert!(begun.elapsed() < DEADLINE, "it doesn't start");
        thread::yield_now();
    }
    // Nobody reads from this pipe, so opening it to write waits.
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(log).status().unwrap().success());
    program.signal(Signal::HUP);
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
}
