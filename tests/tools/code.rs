//! `eval` and `exec`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use rpyc_tests::child::Child;
use rpyc_tests::deadline::{PATIENCE, within};
use rpyc_tests::python::under_test;
use rpyc_tests::server::{Signal, binary};

use crate::tool::{Peer, command, on_both, run, tool};

#[test]
fn an_expression_is_printed_as_python_prints_it() {
    on_both(|peer| {
        let ran = tool(peer, "", &["eval", "[6 * 7, 'ä']"]);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(0), "[42, 'ä']\n", "")
        );
        let ran = tool(peer, "", &["eval", "-1"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "-1\n"));
        let ran = tool(peer, "", &["eval", "print('printed')"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "printed\n"));
        let ran = tool(peer, "", &["eval", "1 / 0"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(
            ran.err.starts_with("Traceback")
                && ran.err.ends_with("ZeroDivisionError: division by zero\n"),
            "{}",
            ran.err
        );
    });
}

#[test]
fn an_output_that_cant_be_written_is_not_the_servers_fault() {
    on_both(|peer| {
        for arguments in [
            &["eval", "'x'"][..],
            &["eval", "print('x')"],
            &["exec", "/dev/stdin"],
        ] {
            let full = File::options().write(true).open("/dev/full");
            let mut command = command(arguments);
            command.env("RPYC_CONNECT", &peer.address);
            command
                .stdin(Stdio::piped())
                .stdout(full.expect("it can be opened"))
                .stderr(Stdio::piped());
            let mut child = Child::spawn(&mut command).expect("the program starts");
            let mut stdin = child.stdin.take().expect("a pipe");
            // Those that evaluate don't read it.
            let _ = stdin.write_all(b"print('x' * 100000)");
            drop(stdin);
            let output = child.wait_with_output().expect("its output");
            let err = String::from_utf8_lossy(&output.stderr).into_owned();
            let fault = "rpyc-server: the standard output can't be written: ";
            assert!(err.starts_with(fault) && err.lines().count() == 1, "{err}");
            assert_eq!(output.status.code(), Some(1));
        }
    });
}

#[test]
fn a_file_runs_there_with_the_streams_here_and_its_exit_code() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("script.py");
        fs::write(&file, "import sys\nname = input()\nprint('hello', name)\nprint('bad', file=sys.stderr)\nsys.exit(7 if __name__ == '__main__' else 1)\n").expect("written");
        let file = file.to_str().expect("a plain path");
        let ran = tool(peer, "Ada\n", &["exec", file]);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(7), "hello Ada\n", "bad\n")
        );
        let ran = tool(
            peer,
            "print('x' * 100000)\nimport sys; sys.exit('sorry')",
            &["exec", "-"],
        );
        assert_eq!(
            (ran.code, ran.out.len(), ran.err.as_str()),
            (Some(1), 100_001, "sorry\n")
        );
        let ran = tool(
            peer,
            "def f():\n    raise KeyError(1)\nf()\n",
            &["exec", "-"],
        );
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.err
                .contains("File \"<stdin>\", line 2, in f\n    raise KeyError(1)"),
            "{}",
            ran.err
        );
        assert!(!ran.err.contains("\x1b["), "{}", ran.err);
        let ran = tool(peer, "", &["exec", "/no/such/file.py"]);
        assert!(
            ran.code == Some(1) && ran.err.contains("/no/such/file.py"),
            "{ran:?}"
        );
    });
}

#[test]
fn a_connection_that_is_lost_has_an_exit_code_of_its_own() {
    on_both(|peer| {
        let code = "__import__('os')._exit(3)";
        let ran = tool(peer, "", &["eval", code]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(255), ""));
        assert!(ran.err.contains("the connection failed"), "{}", ran.err);
    });
}

#[test]
fn ctrl_c_ends_what_runs() {
    fn interrupted(peer: &Peer, presses: usize) {
        let mut command = command(&["exec", "-"]);
        command
            .env("RPYC_CONNECT", &peer.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Child::spawn(&mut command).expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(
            &mut stdin,
            b"print('running', flush=True)\nwhile True: pass\n",
        )
        .expect("written");
        drop(stdin);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        assert_eq!(line, "running\n");
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        child.signal(Signal::INT);
        if presses > 1 {
            let mut said = String::new();
            errors.read_line(&mut said).expect("a line");
            assert!(said.contains("Ctrl-C again"), "{said}");
            child.signal(Signal::INT);
        }
        let status = child.wait().expect("its end");
        let expected = if presses > 1 { 130 } else { 1 };
        assert_eq!(status.code(), Some(expected));
    }
    // Building it isn't timed.
    binary();
    within(PATIENCE, "the sessions", || {
        // CPython can be asked to interrupt; the built-in Python does when its client has gone.
        interrupted(&Peer::python(), 1);
        let ours = Peer::ours();
        let presses = if under_test().is_some() { 1 } else { 2 };
        interrupted(&ours, presses);
        assert_eq!(tool(&ours, "", &["eval", "1"]).out, "1\n");
    });
}

#[test]
fn what_is_wrong_is_said_with_the_way_out() {
    let ran = run(command(&["eval", "--connect", "127.0.0.1:1", "1"]), "");
    assert_eq!(ran.code, Some(255));
    assert!(
        ran.err.contains("--connect 127.0.0.1:1: no connection")
            && ran.err.contains("Is the server running"),
        "{}",
        ran.err
    );
    let ran = run(command(&["eval", "--connect", "host:port", "1"]), "");
    assert!(
        ran.code == Some(2) && ran.err.contains("\"port\" is no port"),
        "{ran:?}"
    );
    let ran = run(
        command(&["eval", "--connect", "unix:/no/such/socket", "1"]),
        "",
    );
    assert_eq!(ran.code, Some(255));
    // A server that accepts and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let ran = run(
        command(&["eval", "--timeout", "2", "--connect", &address, "1"]),
        "",
    );
    assert!(
        ran.code == Some(255) && ran.err.contains("tls:HOST:PORT"),
        "{ran:?}"
    );
    // The same, asked over TLS; and a web server.
    let tls = format!("tls:{address}");
    let ran = run(
        command(&["eval", "--timeout", "2", "--connect", &tls, "1"]),
        "",
    );
    assert!(
        ran.code == Some(255) && ran.err.contains("without tls:"),
        "{ran:?}"
    );
    drop(silent);
    let web = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let tls = format!("tls:{}", web.local_addr().expect("an address"));
    let serving = std::thread::spawn(move || {
        let (mut client, _) = web.accept()?;
        client.read_exact(&mut [0; 5])?;
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        std::io::copy(&mut client, &mut std::io::sink())
    });
    let ran = run(command(&["eval", "--connect", &tls, "1"]), "");
    assert!(
        ran.code == Some(255)
            && ran.err.contains("it sent plain HTTP")
            && ran.err.contains("without tls:"),
        "{ran:?}"
    );
    // It is cut off, with something unread or without.
    let _ = serving.join().expect("no panic");
    for tool in ["shell", "eval", "exec", "upload", "download", "ping"] {
        let ran = run(command(&[tool, "--help"]), "");
        assert!(
            ran.code == Some(0) && ran.out.contains("Exit codes:") && ran.out.contains("Examples:"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn a_traceback_and_last_words_of_a_server_dont_talk_to_the_terminal() {
    on_both(|peer| {
        let evil = "'\\x1b]0;owned\\x07\\x1b[2Jä\\n\\x9b'";
        let ran = tool(peer, &format!("raise ValueError({evil})"), &["exec", "-"]);
        assert!(
            ran.code == Some(1)
                && ran
                    .err
                    .ends_with("\nValueError: \\u{1b}]0;owned\\u{7}\\u{1b}[2Jä\n\\u{9b}\n"),
            "{ran:?}"
        );
        let ran = tool(peer, &format!("raise SystemExit({evil})"), &["exec", "-"]);
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (Some(1), "\\u{1b}]0;owned\\u{7}\\u{1b}[2Jä\n\\u{9b}\n")
        );
    });
}
