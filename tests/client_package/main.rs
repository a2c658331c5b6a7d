//! The package `rpyc_rs` as a client: programs that are written for Python's rpyc write the same with it, on
//! Python's server, on this project's, and on the package's own.

mod calls;
mod classic;
mod config;
mod lives;
mod results;
mod ways;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use rpyc_tests::python::dedent;
use rpyc_tests::{Script, Server, package, python, server};

/// A server of one service.
struct Served {
    port: u16,
    process: Box<dyn Debug + Send + Sync>,
}

impl Served {
    /// A script's: by Python's rpyc, or the package.
    fn by_script(peer: &str, service: &str) -> Served {
        let script = script(peer, include_str!("service.py")).argument(service);
        let running = script.serving().spawn();
        let port = running.told("port ").trim().parse();
        Served {
            port: port.expect("a number"),
            process: Box::new(running),
        }
    }

    /// That of `rpyc-server`.
    fn by_program(options: &[&str]) -> Served {
        let mut command = Command::new(server::binary());
        command
            .args(options)
            .args(["--port", "0", "--python"])
            .arg(python::interpreter());
        let server = Server::by(command);
        Served {
            port: server.address().port(),
            process: Box::new(server),
        }
    }
}

/// Servers of the service in `service.py`: Python's own, this project's, the package's.
fn benches() -> &'static [Served; 3] {
    static BENCHES: LazyLock<[Served; 3]> = LazyLock::new(|| {
        let folder = folder().to_string_lossy().into_owned();
        let place = ["--service", "service:Bench", "--path", &folder];
        let public = ["--protocol-config", "allow_public_attrs=True"];
        [
            Served::by_script("rpyc", "bench"),
            Served::by_program(&[&place[..], &public].concat()),
            Served::by_script("rpyc_rs", "bench"),
        ]
    });
    &BENCHES
}

/// Classic servers: Python's own, this project's, the package's.
fn classics() -> &'static [Served; 3] {
    static CLASSICS: LazyLock<[Served; 3]> = LazyLock::new(|| {
        [
            Served::by_script("rpyc", "classic"),
            Served::by_program(&["--classic"]),
            Served::by_script("rpyc_rs", "classic"),
        ]
    });
    &CLASSICS
}

/// Where `service.py` is for `rpyc-server`.
fn folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("client_package");
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let text = include_str!("service.py");
        std::fs::write(folder.join("service.py"), text).expect("so is this one");
        folder
    });
    &FOLDER
}

/// A script with that peer's package.
fn script(peer: &str, code: &str) -> Script {
    let site = package::site();
    Script::new(code)
        .variable("PEER", peer)
        .variable("PYTHONPATH", site.to_string_lossy())
}

/// What a client's program of that peer writes.
fn client(peer: &str, code: &str, arguments: &[String]) -> Result<String, String> {
    let code = format!("{}\n{}", include_str!("client.py"), dedent(code));
    let begun = script(peer, &code);
    let script = arguments
        .iter()
        .fold(begun, |script, argument| script.argument(argument));
    script.outcome()
}

/// The program writes the same as one of Python's rpyc does on Python's server, whoever serves.
#[track_caller]
fn same_on(servers: &[Served; 3], code: &str) -> String {
    let on = |peer, served: &Served| {
        let written = client(peer, code, &[served.port.to_string()]);
        written.unwrap_or_else(|failure| panic!("{failure}\n{:?}", served.process))
    };
    let expected = on("rpyc", &servers[0]);
    assert!(!expected.is_empty(), "the program writes nothing");
    for (who, served) in ["Python's", "rpyc-server", "rpyc_rs"].iter().zip(servers) {
        let written = on("rpyc_rs", served);
        assert_eq!(written, expected, "on the server of {who}");
    }
    expected
}

/// What a client with the package writes on Python's server.
#[track_caller]
fn written(code: &str) -> String {
    let served = &benches()[0];
    let written = client("rpyc_rs", code, &[served.port.to_string()]);
    written.unwrap_or_else(|failure| panic!("{failure}\n{:?}", served.process))
}
