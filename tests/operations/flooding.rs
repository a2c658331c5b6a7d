//! A source that floods the server doesn't flood its log.

use rpyc_tests::deadline::PATIENCE;
use rpyc_tests::{Server, better_than_stock};

/// Connections without a word; `source` is where they come from.
const FLOOD: &str = "
import socket
def visit(source, count=1):
    for _ in range(count):
        with socket.create_connection((HOST, PORT), source_address=(source, 0)) as sock:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1000):
                pass
";

/// How many lines stand for clients of a source: those that were written, and those that were
/// counted.
fn lines_about(log: &[String], source: &str) -> (usize, usize) {
    let about = ["from", "client"].map(|word| format!("{word} {source}:"));
    let about = |line: &&String| about.iter().any(|about| line.contains(about));
    let about = log.iter().filter(about);
    let (counted, written): (Vec<_>, Vec<_>) = about.partition(|line| line.contains(" more line"));
    let number = |line: &&String| {
        let (before, _) = line.split_once(" more line").unwrap_or_default();
        before.split_whitespace().last()?.parse::<usize>().ok()
    };
    (written.len(), counted.iter().filter_map(number).sum())
}

#[test]
fn sessions_of_one_source_are_counted_from_the_two_hundredth_on() {
    if better_than_stock("it has no such thing") {
        return;
    }
    let server = Server::start();
    let script = server.program(&format!(
        "{FLOOD}
visit('127.0.0.1', 1500)
visit('127.0.0.2')
"
    ));
    server.succeed(script.deadline(2 * PATIENCE).outcome());
    // Without another client.
    server.wait_for_log("the number of the lines that were left out", |log| {
        let (written, counted) = lines_about(log, "127.0.0.1");
        (written + counted == 3000).then(|| {
            // Two more a second, however long it takes.
            assert!((400..1000).contains(&written), "{written} lines");
        })
    });
    server.wait_for_log("another source's lines", |log| {
        (lines_about(log, "127.0.0.2") == (2, 0)).then_some(())
    });
}

#[test]
fn refusals_of_one_source_are_counted_from_the_tenth_on_and_another_ones_has_its_reason() {
    if better_than_stock("it has no such thing") {
        return;
    }
    let server = Server::with_options(&["--allow", "192.0.2.0/24"]);
    server.check_program(&format!(
        "{FLOOD}
visit('127.0.0.1', 200)
visit('127.0.0.2')
"
    ));
    server.wait_for_log("the number of the lines that were left out", |log| {
        let (written, counted) = lines_about(log, "127.0.0.1");
        (written + counted == 200).then(|| {
            assert!((10..100).contains(&written), "{written} lines");
        })
    });
    let log = server.wait_for_log("another source's refusal", |log| {
        (lines_about(log, "127.0.0.2") == (1, 0)).then(|| log.join("\n"))
    });
    assert!(
        log.contains("refused: its address is in none of the allowed networks"),
        "{log}"
    );
}
