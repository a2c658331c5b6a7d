//! `shell`, on a terminal and without one.

use std::fs;

use rpyc_tests::python::under_test;
use rpyc_tests::{Evaluator, only_on};

use crate::terminal;
use crate::tool::{Peer, on_both, tool};

/// What a terminal shows of a session with a shell.
fn at_a_terminal(peer: &Peer, history: &str, steps: &[(&str, &str)]) -> String {
    terminal::shows(peer, &["shell", "--history", history], steps)
}

/// The editor is ready for a line: it turns bracketed paste on.
const READY: &str = "\x1b[?2004h";

#[test]
fn a_person_works_in_a_remote_python() {
    on_both(|peer| {
        let folder = tempfile::TempDir::new().expect("a folder");
        let history = folder.path().join("deep/history").display().to_string();
        let steps = [
            (READY, "x = 6\r"),
            (READY, "x * 7\r"),
            (READY, "def f(n):\r\treturn n + x\r\r"),
            (READY, "f(100)\r"),
            (READY, "import os\r"),
            (READY, "os.getcw\t"),
            // What the editor has completed it to.
            ("os.getcwd", "() != ''\r"),
            (READY, "nonsense\x03"),
            (READY, "name = input('who' + '? ')\r"),
            ("\nwho? ", "Ada\r"),
            (READY, "name\r"),
            (READY, "undefined_name\r"),
            (READY, "\x04"),
        ];
        let shown = at_a_terminal(peer, &history, &steps);
        for part in [
            "\n42\r\n",
            "\n106\r\n",
            "\nTrue\r\n",
            "KeyboardInterrupt",
            "\n'Ada'\r\n",
            // In colour.
            "\x1b[1;31mNameError: name 'undefined_name' is not defined",
        ] {
            assert!(shown.contains(part), "no {part:?} in {shown}");
        }
        assert!(shown.trim_end().ends_with("exit code 0"), "{shown}");
        let lines = fs::read_to_string(&history).expect("a history");
        assert!(
            lines.contains("x * 7") && lines.contains("undefined_name"),
            "{lines}"
        );
    });
}

#[test]
fn a_loop_is_interrupted_and_an_exit_ends_the_shell_with_its_code() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let history = folder.path().join("history").display().to_string();
    let endless = "exec(\"print('go' + 'ing')\\nwhile True: pass\")\r";
    let steps = [
        (READY, "kept = 1\r"),
        (READY, endless),
        ("\ngoing\r\n", "\x03"),
        (READY, "kept + 41\r"),
        (READY, "import sys; sys.exit(9)\r"),
    ];
    let mut of_cpython = vec![Peer::python()];
    of_cpython.extend(under_test().map(|_| Peer::ours()));
    for peer in of_cpython {
        let shown = at_a_terminal(&peer, &history, &steps);
        assert!(
            shown.contains("KeyboardInterrupt") && shown.contains("\n42\r\n"),
            "{shown}"
        );
        assert!(shown.trim_end().ends_with("exit code 9"), "{shown}");
    }
    if !only_on(
        Evaluator::RustPython,
        "CPython's loop is interrupted at once",
    ) {
        return;
    }
    let steps = [
        (READY, endless),
        ("\ngoing\r\n", "\x03"),
        ("Ctrl-C again closes the connection", "\x03"),
        (READY, "6 * 7\r"),
        (READY, "exit()\r"),
    ];
    let shown = at_a_terminal(&Peer::ours(), &history, &steps);
    assert!(
        shown.contains("connected anew") && shown.contains("\n42\r\n"),
        "{shown}"
    );
    assert!(shown.trim_end().ends_with("exit code 0"), "{shown}");
}

#[test]
fn without_a_terminal_it_runs_what_it_is_given() {
    on_both(|peer| {
        let ran = tool(peer, "x = 1\nif x:\n    print(x + 1)\nx\n", &["shell"]);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(0), "2\n", "")
        );
    });
}
