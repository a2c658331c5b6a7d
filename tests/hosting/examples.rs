//! The three programs of docs/python.md, as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use rpyc_tests::package::site;
use rpyc_tests::packages::Packages;
use rpyc_tests::server::{self, Server};
use rpyc_tests::{Script, python};
use tempfile::TempDir;

/// The Python programs below a heading of the page.
fn programs(heading: &str) -> Vec<&'static str> {
    let page = include_str!("../../docs/python.md");
    let (_, section) = page
        .split_once(&format!("\n### {heading}\n"))
        .expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let section = section.split("\n### ").next().unwrap_or_default();
    let blocks = section.split("```python\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .collect()
}

/// A server as the first line of the program says, but for the port and the Python.
fn serve(program: &str, python: Option<&Path>) -> (Server, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let said = program
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# "));
    let (file, line) = said
        .and_then(|said| said.split_once(": "))
        .expect("how it is served");
    fs::write(folder.path().join(file), program).expect("it is writable");
    let mut words = line.split_whitespace().skip(1).collect::<Vec<_>>();
    if let Some(place) = words.iter().position(|word| *word == "--python") {
        words.drain(place..=place + 1);
    }
    let place = words
        .iter()
        .position(|word| *word == "--path")
        .expect("a path");
    words.drain(place..=place + 1);
    let mut command = Command::new(server::binary());
    command
        .args(words)
        .args(["--port", "0", "--path"])
        .arg(folder.path());
    if let Some(python) = python {
        command.arg("--python").arg(python);
    }
    (Server::by(command), folder)
}

fn at(program: &str, port: &str) -> String {
    assert!(program.contains("18861"), "{program}");
    program.replace("18861", port)
}

#[test]
fn an_instrument_with_numpy() {
    let packages = Packages::with(Path::new("python3"), "numpy", &["numpy==2.2.6"]);
    let found = programs("An instrument with numpy");
    let [service, client] = found[..] else {
        panic!("two programs, not {found:?}");
    };
    let (server, _folder) = serve(service, Some(packages.python()));
    let mut command = Command::new(packages.python());
    python::clear_environment(&mut command)
        .args(["-c", &at(client, &server.address().port().to_string())])
        .env("PYTHONPATH", site());
    let output = rpyc_tests::child::output(&mut command).expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "33%\n67%\n100%\n3000 1.0 0.707\n", "{output:?}");
}

#[test]
fn a_server_inside_an_event_loop() {
    let found = programs("A server inside an event loop");
    let [program] = found[..] else {
        panic!("one program, not {found:?}");
    };
    // Which port it is, is told.
    let told = "server.start_in_thread()\n    say(f'port {server.port}')";
    let program = at(program, "0").replace("server.start_in_thread()", told);
    let running = Script::new(&program).rpyc_rs().spawn();
    let port = running.told("port ");
    let reports = "
        for name, value in ('amps', 1.5), ('volts', 5.0), ('kelvin', 4.2):
            rpyc.connect(HOST, PORT).root.report(name, value)
    ";
    let reports = Script::new(reports).variable("PEER_HOST", "127.0.0.1");
    reports
        .variable("PEER_PORT", port)
        .outcome()
        .expect("it reports");
    let written = running.finish().expect("it ends");
    let last = written.lines().last();
    assert_eq!(
        last,
        Some("{'amps': 1.5, 'volts': 5.0, 'kelvin': 4.2}"),
        "{written}"
    );
}

#[test]
fn a_client_that_is_called_back() {
    let found = programs("A client that is called back");
    let [service, client] = found[..] else {
        panic!("two programs, not {found:?}");
    };
    for python in crate::pythons() {
        let (server, _folder) = serve(service, python.as_deref());
        let script = Script::new(&at(client, &server.address().port().to_string()));
        let written = script.rpyc_rs().outcome();
        let expected = Ok("coil: 4.2 K\ncoil: 4.3 K\ncoil: 9.1 K");
        assert_eq!(written.as_deref().map(str::trim), expected, "{python:?}");
    }
}
