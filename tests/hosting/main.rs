//! Services that are written in Python: hosted by Python's own server, and by this project's with each
//! evaluator. The same script has to give the same.

mod embedded;
mod examples;
mod modes;
mod refusals;
mod servers;
mod services;
mod several;
mod typing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rpyc_tests::server::{self, Server};
use rpyc_tests::{Script, python};

/// Where the services are: a copy, beside which Pythons keep what they compile.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosting");
        fs::create_dir_all(&folder).expect("the target folder is writable");
        fs::write(folder.join("lab.py"), include_str!("lab.py")).expect("so is this one");
        folder
    });
    &FOLDER
}

/// The Pythons that host: the one with Python's own rpyc, and the built-in one.
fn pythons() -> Vec<Option<PathBuf>> {
    let with_rpyc = Some(python::interpreter().to_owned());
    match python::under_test() {
        // It would be what the built-in one is asked for.
        Some(_) => vec![with_rpyc],
        None => vec![with_rpyc, None],
    }
}

/// `rpyc-server` for the service at that place, in that Python, before it is started.
fn command(python: Option<&Path>, place: &str, options: &[&str]) -> Command {
    let mut command = Command::new(server::binary());
    command.args(["--service", place, "--path"]);
    command.arg(folder()).args(options);
    if let Some(python) = python {
        command.arg("--python").arg(python);
    }
    command
}

/// A server of that service of `lab.py` on a free port.
fn hosted(python: Option<&Path>, service: &str, options: &[&str]) -> Server {
    let mut command = command(python, &format!("lab:{service}"), options);
    command.args(["--port", "0"]);
    Server::by(command)
}

/// Python's own server of that service.
fn stock(service: &str, config: &[(&str, &str)]) -> Server {
    let items = config.iter();
    let items: String = items
        .map(|(name, value)| format!("{name:?}: {value},"))
        .collect();
    let mut command = Command::new(python::interpreter());
    command
        .args(["-u", "-c"])
        .arg(format!(
            "import sys; sys.path.insert(0, {:?})\n{}",
            folder().display(),
            include_str!("stock.py")
        ))
        .args([&format!("lab:{service}"), &format!("{{{items}}}")]);
    Server::by(command)
}

/// What a client's script writes that connects to that server.
#[track_caller]
fn client(server: &Server, code: &str) -> String {
    let code = format!("{}\n{}", include_str!("client.py"), python::dedent(code));
    let script = Script::new(&code).argument(server.address().port().to_string());
    match script.outcome() {
        Ok(written) => written,
        Err(failure) => panic!("{failure}\n{server:?}"),
    }
}

/// The script writes the same whoever hosts the service.
#[track_caller]
fn same_as_stock(service: &str, config: &[(&str, &str)], code: &str) {
    let expected = client(&stock(service, config), code);
    assert!(!expected.is_empty(), "the script writes nothing");
    let options: Vec<String> = config
        .iter()
        .flat_map(|(name, value)| ["--protocol-config".to_owned(), format!("{name}={value}")])
        .collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    for python in pythons() {
        let written = client(&hosted(python.as_deref(), service, &options), code);
        assert_eq!(written, expected, "in {python:?}");
    }
}
