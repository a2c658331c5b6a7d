//! The package `rpyc_rs` on each Python that it is for, 3.10 and newer, whichever are at hand, serving and
//! connecting; and packages from PyPI in servers on them.
//!
//! Run by `cargo verify-versions`, which says what it has found.

use std::io::Write;
use std::process::Command;

use rpyc_tests::package::Environment;
use rpyc_tests::packages::Packages;
use rpyc_tests::python::progress;
use rpyc_tests::versions::pythons;
use rpyc_tests::{Script, Server};

#[path = "../packages/programs.rs"]
mod programs;

use programs::PROGRAMS;

/// Those that there may be.
const PYTHONS: [&str; 6] = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"];

#[test]
fn one_wheel_serves_on_every_new_python() {
    let mut covered = Vec::new();
    for (name, python) in pythons(&PYTHONS) {
        let environment = Environment::with_package(&python);
        for mode in ["threaded", "process"] {
            let mut command = Command::new(environment.program("rpyc-server"));
            command.args(["--classic", "--port", "0", "--mode", mode]);
            let server = Server::by(command);
            let script = server.client(
                "
                same('%d.%d' % conn.eval('__import__(\"sys\").version_info[:2]'), os.environ['WANTED'])
                conn.execute('def greet(name, shout): return shout(f\"hello, {name}\")')
                same(conn.namespace['greet']('rust', str.upper), 'HELLO, RUST')
                with raises(ZeroDivisionError):
                    conn.eval('1 / 0')
                conn.modules.ctypes.pythonapi
                same(conn.modules.rpyc.__version__, '6.0.2')
                conn.execute('import multiprocessing.pool')
                ",
            );
            server.succeed(script.variable("WANTED", &name).outcome());
        }
        covered.push(format!("the package on Python {name}"));
    }
    tell(&covered);
}

#[test]
fn packages_from_pypi_do_what_they_do_with_pythons_own_server() {
    let mut covered = Vec::new();
    // Those that have wheels of the pinned versions.
    for (name, python) in pythons(&PYTHONS[..4]) {
        let packages = Packages::of(&python);
        for (program, text) in PROGRAMS {
            progress(&format!("{program} on Python {name}"));
            packages.same_as_stock(text);
        }
        covered.push(format!("packages from PyPI on Python {name}"));
    }
    tell(&covered);
}

/// A program that serves and one that connects, both by the package; and Python's own client.
#[test]
fn the_scenarios_of_the_matrix_hold_on_every_new_python() {
    let mut covered = Vec::new();
    for (name, python) in pythons(&PYTHONS) {
        let server = Script::new(include_str!("../matrix/server.py"));
        let server = server.rpyc_rs().python(&python).serving().spawn();
        let port = server.told("port ");
        let scenarios = || {
            let script = Script::new(include_str!("../matrix/client.py"));
            script
                .variable("PEER_HOST", "127.0.0.1")
                .variable("PEER_PORT", &port)
        };
        for client in [scenarios().rpyc_rs().python(&python), scenarios()] {
            let outcome = client.outcome();
            assert_eq!(outcome.as_deref().map(str::trim), Ok("all done"), "{name}");
        }
        covered.push(format!("programs with the package on Python {name}"));
    }
    tell(&covered);
}

fn tell(covered: &[String]) {
    let found = match covered {
        [] => "no Python from 3.10 on, on the path or in pyenv: nothing is covered".to_owned(),
        covered => covered.join("\n"),
    };
    // Past the capture: whoever runs it is to see what wasn't.
    let _ = writeln!(std::io::stderr(), "{found}");
}
