//! `shell`, on a terminal and without one.

use std::fs;

use rpyc_tests::Script;
use rpyc_tests::server::binary;

use crate::tool::{Peer, on_both, tool};

/// Plays a person at a terminal: waits for a text, types, and so on; prints what was shown.
const PERSON: &str = r#"
import json, pty, select
steps = json.loads(os.environ['STEPS'])
pid, terminal = pty.fork()
if pid == 0:
    os.environ['TERM'] = 'xterm'
    os.environ.pop('NO_COLOR', None)
    os.execv(sys.argv[1], sys.argv[1:])
shown, seen = b'', 0
def wait_for(text):
    global shown, seen
    while True:
        at = shown.find(text, seen)
        if at >= 0:
            seen = at + len(text)
            return
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b''
        assert data, (text, shown[seen:])
        shown += data
for expected, typed in steps:
    wait_for(expected.encode())
    os.write(terminal, typed.encode())
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(shown.decode(errors='replace'))
print('exit code', code)
"#;

/// What a terminal shows of a session of these steps: text to wait for, keys to type.
fn at_a_terminal(peer: &Peer, history: &str, steps: &[(&str, &str)]) -> String {
    let quoted = |text: &str| {
        let escaped: String = text
            .chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        format!("\"{escaped}\"")
    };
    let steps: Vec<String> = steps
        .iter()
        .map(|(expected, typed)| format!("[{}, {}]", quoted(expected), quoted(typed)))
        .collect();
    let outcome = Script::new(PERSON)
        .argument(binary().display().to_string())
        .argument("shell")
        .argument("--history")
        .argument(history)
        .variable("RPYC_CONNECT", peer.address.as_str())
        .variable("STEPS", format!("[{}]", steps.join(", ")))
        .outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"))
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
    let shown = at_a_terminal(&Peer::python(), &history, &steps);
    assert!(
        shown.contains("KeyboardInterrupt") && shown.contains("\n42\r\n"),
        "{shown}"
    );
    assert!(shown.trim_end().ends_with("exit code 9"), "{shown}");
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
