//! The example `modes` as a process, and Python clients of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_tests::Script;
use rpyc_tests::child::Child;
use rpyc_tests::python::{self, Running};

/// The example, serving in one mode. Dropping it stops it, and kills it if that doesn't help.
pub(crate) struct Example {
    child: Child,
    address: SocketAddr,
}

impl Example {
    pub(crate) fn start(mode: &str) -> Example {
        let mut command = Command::new(program());
        command
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child =
            Child::spawn(&mut command).unwrap_or_else(|e| panic!("{}: {e}", program().display()));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        let mut stdout = BufReader::new(stdout);
        stdout
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ");
        let address = address.and_then(|address| address.parse().ok());
        Example {
            child,
            address: address.unwrap_or_else(|| panic!("not an address: {line:?}")),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a client's code, which finds a connection as `conn`.
    #[track_caller]
    pub(crate) fn check(&self, code: &str) {
        if let Err(reason) = self.script(code).outcome() {
            panic!("{reason}");
        }
    }

    /// The same in the background.
    pub(crate) fn spawn(&self, code: &str) -> Running {
        self.script(code).spawn()
    }

    fn script(&self, code: &str) -> Script {
        let code = python::dedent(code);
        let (host, port) = (self.address.ip(), self.address.port());
        Script::new(&format!(
            "def connect():\n    return rpyc.connect('{host}', {port})\nconn = connect()\n{code}"
        ))
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Whether it ends in time, and well.
    pub(crate) fn ends(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status.success();
            }
            thread::sleep(LOOK); // std has no wait for a child with a limit
        }
        false
    }

    /// A number of its state: threads, or kilobytes of memory.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(path).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect(field)
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(path).expect("it runs").count()
    }

    /// The processor time that it has used, in ticks.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(path).expect("it runs");
        let (_, fields) = text.rsplit_once(')').expect("as proc(5) has it");
        let times = fields.split_whitespace().skip(11).take(2);
        times.filter_map(|field| field.parse::<u64>().ok()).sum()
    }

    /// Its child processes, zombies included.
    pub(crate) fn children(&self) -> Vec<u32> {
        let mut children = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs") {
            // A thread may end while it is looked at.
            let Ok(path) = task.map(|task| task.path().join("children")) else {
                continue;
            };
            let text = fs::read_to_string(path).unwrap_or_default();
            children.extend(
                text.split_whitespace()
                    .filter_map(|id| id.parse::<u32>().ok()),
            );
        }
        children
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.stop();
        // Killed otherwise.
        let _ = self.ends(GRACE);
    }
}

/// Runs the code of a client that has started the example itself, as `conn`, over its stdin and
/// stdout.
#[track_caller]
pub(crate) fn stdio_script(code: &str) {
    let code = python::dedent(code);
    let program = program();
    let program = program.display();
    let script = Script::new(&format!(
        "import subprocess\n\
         server = subprocess.Popen([{program:?}, 'stdio'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n\
         conn = rpyc.connect_pipes(server.stdout, server.stdin)\n\
         {code}\n\
         conn.close()\n\
         same(server.wait(PATIENCE), 0)\n",
        program = program.to_string()
    ));
    if let Err(reason) = script.outcome() {
        panic!("{reason}");
    }
}

/// Cargo builds the examples beside the tests, unless it is asked for one test only: then it is asked
/// here for the example.
fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a path");
    let folder = test.ancestors().nth(2).expect("the profile's folder");
    let program = folder.join("examples").join("modes");
    BUILT.call_once(|| {
        if program.exists() {
            return;
        }
        // As the aliases of the workspace have it.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["build", "--release", "--locked", "--ignore-rust-version"]);
        cargo.args(["-p", env!("CARGO_PKG_NAME"), "--example", "modes"]);
        cargo
            .arg("--target-dir")
            .arg(folder.parent().expect("the target folder"));
        let status = cargo.status().expect("cargo can be run");
        assert!(status.success(), "the example can't be built");
    });
    program
}

const LOOK: Duration = Duration::from_millis(10);
const GRACE: Duration = Duration::from_secs(10);
