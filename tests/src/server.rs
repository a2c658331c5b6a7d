//! The server under test as a process of its own, on a port that the system chooses.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub use rustix::process::Signal;

use crate::certs::Authority;
use crate::deadline::PATIENCE;
use crate::process::Process;
use crate::python::{self, Script};

/// Whether the tests run against Python's own server, by `RPYC_TEST_PEER=stock`.
#[must_use]
pub fn is_stock() -> bool {
    env::var_os("RPYC_TEST_PEER").is_some_and(|value| value == "stock")
}

/// For a test that Python's own server would fail: says whether to leave it out, which is so
/// only where that server runs, and prints why.
#[must_use]
pub fn better_than_stock(why: &str) -> bool {
    if is_stock() {
        python::progress(&format!("left out against stock: {why}"));
    }
    is_stock()
}

/// The kinds of Python that run clients' code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // these are all
pub enum Evaluator {
    /// The one that is built in.
    RustPython,
    /// The one that `RPYC_TEST_PYTHON` names.
    CPython,
}

/// For a test of what one evaluator does: says whether it is the one under test, and where it isn't
/// prints why the test is left out. So does Python's own server, which is none of them.
#[must_use]
pub fn only_on(evaluator: Evaluator, why: &str) -> bool {
    let under_test = match python::under_test() {
        Some(_) => Evaluator::CPython,
        None => Evaluator::RustPython,
    };
    let is_it = evaluator == under_test && !is_stock();
    if !is_it {
        python::progress(&format!("only on {evaluator:?}: {why}"));
    }
    is_it
}

/// Whether a line of the log is above the level of normal business.
#[must_use]
pub fn is_warning(line: &str) -> bool {
    [" WARN ", " ERROR "]
        .iter()
        .any(|level| line.contains(level))
}

/// Whether a line of the log names this peer, and not only one with a longer port.
#[must_use]
pub fn names_peer(line: &str, peer: SocketAddr) -> bool {
    let peer = peer.to_string();
    line.match_indices(&peer).any(|(at, _)| {
        let rest = line.get(at + peer.len()..).unwrap_or("");
        !rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// A classic server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    process: Process,
    address: SocketAddr,
    authority: Option<Authority>,
}

impl Server {
    /// Starts `rpyc-server --classic` on a free port of 127.0.0.1: over TLS with
    /// `RPYC_TEST_TLS` in the environment, in the mode that `RPYC_TEST_MODE` names.
    ///
    /// # Panics
    /// When it can't be built or does not come up.
    #[must_use]
    pub fn start() -> Self {
        match env::var_os("RPYC_TEST_TLS") {
            Some(_) => Self::with_tls(&[]),
            None => Self::with_options(&[]),
        }
    }

    /// The same over TLS, with a certificate of its own; scripts connect so that they verify it.
    ///
    /// # Panics
    /// When it can't be built or does not come up.
    #[must_use]
    pub fn with_tls(options: &[&str]) -> Self {
        let authority = Authority::new("authority");
        let identity = authority.server();
        let path = |path: &Path| path.to_str().unwrap_or_default().to_owned();
        let files = [path(&identity.certificate), path(&identity.key)];
        let [certificate, key] = files.each_ref().map(String::as_str);
        let tls = ["--ssl-certfile", certificate, "--ssl-keyfile", key];
        let mut server = Self::with_options(&[&tls, options].concat());
        server.authority = Some(authority);
        server
    }

    /// The authority of its certificate, over TLS.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The same with more options (which Python's own server ignores).
    ///
    /// # Panics
    /// When it can't be built or does not come up.
    #[must_use]
    pub fn with_options(options: &[&str]) -> Self {
        if is_stock() {
            return Self::python();
        }
        let mut command = Command::new(binary());
        command.args(["--classic", "--port", "0"]);
        if let (Some(mode), false) = (env::var_os("RPYC_TEST_MODE"), options.contains(&"--mode")) {
            command.arg("--mode").arg(mode);
        }
        command.args(options);
        Self::launch(command)
    }

    /// Starts Python's own classic server, whatever is under test: a peer for chains.
    ///
    /// # Panics
    /// When there is no Python, or it does not come up.
    #[must_use]
    pub fn python() -> Self {
        Self::python_in(python::interpreter())
    }

    /// The same in a Python of one's choice, which has the pinned rpyc.
    pub(crate) fn python_in(interpreter: &Path) -> Self {
        let mut command = Command::new(interpreter);
        command.args(["-u", "-c", include_str!("python/stock_server.py")]);
        Self::launch(command)
    }

    /// Starts a server by this command, which is to listen on a port of its choice.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn by(command: Command) -> Self {
        Self::launch(command)
    }

    fn launch(mut command: Command) -> Self {
        python::clear_environment(&mut command)
            .env_remove("RUST_LOG")
            .current_dir(env::temp_dir());
        let process = Process::spawn(&mut command);
        let address = process.wait_for_line(PATIENCE, |line| {
            let (_, address) = line.split_once("listening on ")?;
            let ends = |c: char| c.is_whitespace() || c == '"';
            address.split(ends).next()?.parse().ok()
        });
        match address {
            Some(address) => Self {
                process,
                address,
                authority: None,
            },
            None => panic!(
                "the server did not say where it listens:\n{}",
                process.stderr_lines().join("\n")
            ),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// A script that finds a connection to this server as `conn`, closed after its last line.
    #[must_use]
    pub fn client(&self, code: &str) -> Script {
        self.program(&format!(
            "conn = connect()\n{}conn.close()\n",
            python::dedent(code)
        ))
    }

    /// A script that makes its connections itself (`connect()`).
    #[must_use]
    pub fn program(&self, code: &str) -> Script {
        let script = Script::new(code)
            .variable("PEER_HOST", self.address.ip().to_string())
            .variable("PEER_PORT", self.address.port().to_string());
        match &self.authority {
            Some(authority) => script.variable("PEER_CA", authority.path().to_string_lossy()),
            None => script,
        }
    }

    /// Runs the code of a [`client`](Self::client) and returns its standard output.
    ///
    /// # Panics
    /// When the script fails or hangs, with its output and the server's log.
    #[track_caller]
    pub fn check(&self, code: &str) -> String {
        self.succeed(self.client(code).outcome())
    }

    /// Runs the code of a [`program`](Self::program) and returns its standard output.
    ///
    /// # Panics
    /// When the script fails or hangs, with its output and the server's log.
    #[track_caller]
    pub fn check_program(&self, code: &str) -> String {
        self.succeed(self.program(code).outcome())
    }

    /// The output of a script that has to have succeeded.
    ///
    /// # Panics
    /// When it has not, with its output and the server's log.
    #[track_caller]
    pub fn succeed(&self, outcome: Result<String, String>) -> String {
        match outcome {
            Ok(stdout) => stdout,
            Err(reason) => panic!("{reason}\n--- the server's log ---\n{}", self.log()),
        }
    }

    /// A plain socket to it, with time limits, for bytes that no RPyC client would send.
    ///
    /// # Panics
    /// When it can't be reached.
    #[must_use]
    pub fn raw_connection(&self) -> TcpStream {
        let connect = || {
            let socket = TcpStream::connect_timeout(&self.address, PATIENCE)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok::<_, std::io::Error>(socket)
        };
        connect().unwrap_or_else(|e| panic!("no connection to {}: {e}", self.address))
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr_lines().join("\n")
    }

    /// Waits until the lines of the log make `wanted` return something.
    ///
    /// # Panics
    /// When they don't in time, with the log.
    #[track_caller]
    pub fn wait_for_log<T>(&self, what: &str, wanted: impl Fn(&[String]) -> Option<T>) -> T {
        match self.process.wait_for(PATIENCE, wanted) {
            Some(found) => found,
            None => panic!(
                "never logged: {what}\n--- the server's log ---\n{}",
                self.log()
            ),
        }
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends a signal and waits for the end of the process.
    ///
    /// # Panics
    /// When it does not end within `limit`, with the log.
    #[track_caller]
    pub fn stop(&mut self, signal: Signal, limit: Duration) -> ExitStatus {
        self.process.signal(signal);
        self.ended(limit)
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    /// When it does not end within `limit`, with the log.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        match self.process.wait(limit) {
            Some(status) => status,
            None => panic!(
                "the server still runs after {limit:?}\n--- its log ---\n{}",
                self.log()
            ),
        }
    }
}

/// The program under test, built once per test process, so that it is never a stale one.
///
/// # Panics
/// When it can't be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| match env::var_os("RPYC_SERVER_BIN") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build(),
    });
    match built {
        Ok(path) => path,
        Err(reason) => panic!("rpyc-server can't be built: {reason}"),
    }
}

fn build() -> Result<PathBuf, String> {
    let messages = build_package("rpyc-server")?;
    let path = executable(&messages).ok_or("Cargo built no program of that name")?;
    fs::metadata(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// Builds a package of this workspace; the result are Cargo's messages.
fn build_package(package: &str) -> Result<String, String> {
    python::progress(&format!("building {package} ..."));
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--ignore-rust-version", "--release"])
        .args(["--message-format", "json-render-diagnostics"])
        .args(["--package", package])
        .env("CARGO_TARGET_DIR", python::target_folder()?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", env!("CARGO")))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The executable that Cargo's messages (a JSON object a line) name for the server.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| line.split_once(r#""executable":""#))
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .find(|path| path.file_stem().is_some_and(|stem| stem == "rpyc-server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_peer_by_its_whole_port() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        assert!(names_peer("conn1 from 127.0.0.1:4000: connected", peer));
        assert!(!names_peer("conn1 from 127.0.0.1:40001: connected", peer));
    }

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","executable":null,"fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/t/release/rpyc-server","fresh":false}"#,
        );
        assert_eq!(
            executable(messages),
            Some(PathBuf::from("/t/release/rpyc-server"))
        );
    }
}
