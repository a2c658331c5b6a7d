//! The tools at a terminal.

use rpyc_tests::Script;
use rpyc_tests::server::binary;

use crate::tool::Peer;

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
pub(crate) fn shows(peer: &Peer, arguments: &[&str], steps: &[(&str, &str)]) -> String {
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
    let script = Script::new(PERSON).argument(binary().display().to_string());
    let script = arguments
        .iter()
        .fold(script, |script, argument| script.argument(*argument));
    let outcome = script
        .variable("RPYC_CONNECT", peer.address.as_str())
        .variable("STEPS", format!("[{}]", steps.join(", ")))
        .outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"))
}
