//! Python peers: a virtual environment with the pinned rpyc, and scripts that run in it.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::child;
use crate::deadline::PATIENCE;
use crate::package;
use crate::process::Process;
use crate::versions::Peer;

/// The rpyc that the wire is compatible with.
pub const RPYC_VERSION: &str = "6.0.2";

/// What is installed, each at one version: a new release must not change what the tests see.
pub(crate) const PACKAGES: [&str; 3] =
    ["rpyc==6.0.2", "plumbum==2.0.2", "typing_extensions==4.16.0"];

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// The names that every script finds: see the file.
const HELPERS: &str = include_str!("python/peer.py");

/// A Python program to be run with the pinned rpyc.
///
/// The code may be indented as a whole. It finds `rpyc`, and the helpers of `peer.py`.
#[derive(Debug)]
pub struct Script {
    code: String,
    interpreter: Option<PathBuf>,
    launcher: &'static [&'static str],
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    is_ported: bool,
    limit: Duration,
    life: Option<Duration>,
}

/// A script while it runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    process: Process,
    limit: Duration,
    _folder: TempDir,
}

impl Script {
    /// A script with this code.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self {
            code: dedent(code),
            interpreter: None,
            launcher: &[],
            arguments: Vec::new(),
            variables: Vec::new(),
            is_ported: false,
            limit: PATIENCE,
            life: None,
        }
    }

    /// Adds an argument, for the code in `sys.argv[1:]`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Has this Python run it, which has the pinned rpyc, too.
    #[must_use]
    pub fn python(mut self, interpreter: &Path) -> Self {
        self.interpreter = Some(interpreter.to_owned());
        self
    }

    /// Has it run with this version of rpyc instead of the pinned one.
    ///
    /// # Panics
    /// When the version can't be installed, or there is no Python for it.
    #[must_use]
    pub fn rpyc(self, version: &'static str) -> Self {
        let peer = Peer::new(version);
        let packages = peer.packages().to_string_lossy().into_owned();
        self.python(peer.python()).variable("PYTHONPATH", packages)
    }

    /// Has it run with the package `rpyc_rs` in the place of rpyc: `import rpyc_rs as rpyc` is all that is
    /// changed.
    ///
    /// # Panics
    /// When the package can't be had.
    #[must_use]
    pub fn rpyc_rs(mut self) -> Self {
        self.is_ported = true;
        let site = package::site().to_string_lossy().into_owned();
        self.variable("PYTHONPATH", site)
    }

    /// Has the script run in a network of its own, as its root: nothing but a loopback that is
    /// down. What it starts ends with it.
    #[must_use]
    pub fn in_own_network(mut self) -> Self {
        self.launcher = &[
            "unshare",
            "--map-root-user",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ];
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Changes the deadline, [`PATIENCE`] by default.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Has the script run for as long as its test may take: it serves, and is ended by its drop. What is
    /// waited for keeps its deadline.
    #[must_use]
    pub fn serving(mut self) -> Self {
        self.life = Some(LONG);
        self
    }

    /// Runs the script to its end and returns what it wrote to standard output.
    ///
    /// # Errors
    /// Its output with the reason, when it fails or takes longer than the deadline.
    ///
    /// # Panics
    /// When there is no Python, or no environment can be made.
    pub fn outcome(self) -> Result<String, String> {
        self.spawn().finish()
    }

    /// Starts the script.
    ///
    /// # Panics
    /// When there is no Python, or no environment can be made.
    #[must_use]
    pub fn spawn(self) -> Running {
        let folder = TempDir::new().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
        let program = folder.path().join("client.py");
        let code = format!("from peer import *\n{}", self.code);
        for (path, text) in [
            (folder.path().join("peer.py"), HELPERS),
            (program.clone(), &code),
        ] {
            let text = match self.is_ported {
                true => text
                    .replace("import rpyc\n", "import rpyc_rs as rpyc\n")
                    .replace("from rpyc.", "from rpyc_rs."),
                false => text.to_owned(),
            };
            fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        let interpreter = self.interpreter.as_deref().unwrap_or_else(|| interpreter());
        let mut command = match self.launcher {
            [] => Command::new(interpreter),
            [launcher, options @ ..] => {
                let mut command = Command::new(launcher);
                command.args(options).arg(interpreter);
                command
            }
        };
        clear_environment(&mut command)
            .arg("-u")
            .arg(program)
            .args(&self.arguments)
            // Before the deadline here, so that a script that hangs says where.
            .env(
                "PEER_DEADLINE",
                (self.life.unwrap_or(self.limit).as_secs_f64() * 0.9).to_string(),
            )
            // What scripts leave behind goes with their folder.
            .env("TMPDIR", folder.path())
            .envs(self.variables)
            .current_dir(folder.path());
        Running {
            process: Process::spawn(&mut command),
            limit: self.limit,
            _folder: folder,
        }
    }
}

impl Running {
    /// Waits until the script has written this line to standard error (`say` in a script).
    ///
    /// # Panics
    /// When it ends, or the deadline passes, before that.
    #[track_caller]
    pub fn wait_for(&self, line: &str) {
        let found = self
            .process
            .wait_for_line(self.limit, |written| (written == line).then_some(()));
        assert!(
            found.is_some(),
            "the script never wrote {line:?}:\n{}",
            self.written()
        );
    }

    /// Waits until the script has written a line that begins so to standard error, and gives the
    /// rest of the line.
    ///
    /// # Panics
    /// As [`wait_for`](Self::wait_for).
    #[must_use]
    #[track_caller]
    pub fn told(&self, beginning: &str) -> String {
        let found = self.process.wait_for_line(self.limit, |written| {
            written.strip_prefix(beginning).map(str::to_owned)
        });
        found.unwrap_or_else(|| panic!("the script never wrote {beginning:?}:\n{}", self.written()))
    }

    /// Ends the script as if by a crash: SIGKILL.
    pub fn kill(mut self) {
        self.process.signal(Signal::KILL);
        let _ = self.process.wait(self.limit);
    }

    /// Waits for the end and returns what the script wrote to standard output.
    ///
    /// # Errors
    /// Its output with the reason, when it fails or takes longer than the deadline.
    pub fn finish(mut self) -> Result<String, String> {
        match self.process.wait(self.limit) {
            Some(status) if status.success() => Ok(self.process.stdout()),
            Some(status) => Err(format!("{status}\n{}", self.written())),
            None => Err(format!(
                "still running after {:?}\n{}",
                self.limit,
                self.written()
            )),
        }
    }

    fn written(&self) -> String {
        format!(
            "--- the script's stdout ---\n{}\n--- the script's stderr ---\n{}",
            self.process.stdout(),
            self.process.stderr_lines().join("\n")
        )
    }
}

/// The interpreter of the virtual environment, which is made when it is missing.
///
/// # Panics
/// When there is no Python 3, or the packages can't be installed: a test that needs Python fails
/// without it, it is not skipped.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INTERPRETER.get_or_init(prepare_environment) {
        Ok(path) => path,
        Err(reason) => panic!(
            "the tests need Python 3 with venv and pip, and rpyc {RPYC_VERSION} from PyPI: {reason}"
        ),
    }
}

/// What a program of the virtual environment (`rpyc_classic`) writes to its standard output.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn program_output(name: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(interpreter().with_file_name(name));
    let command = clear_environment(&mut command)
        .args(arguments)
        .stdin(Stdio::null());
    let output = child::output(command).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(output.status.success(), "{name}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The user's Python that servers run clients' code in, instead of the built-in one: what
/// `RPYC_TEST_PYTHON` names.
#[must_use]
pub fn under_test() -> Option<PathBuf> {
    env::var_os("RPYC_TEST_PYTHON").map(PathBuf::from)
}

/// Removes what would change how Python or rpyc behave from the environment of a child.
pub fn clear_environment(command: &mut Command) -> &mut Command {
    for name in [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONOPTIMIZE",
        "RPYC_BIND_THREADS",
    ] {
        command.env_remove(name);
    }
    if let Some(python) = under_test() {
        // For every server that it starts.
        command.env("RPYC_SERVER_PYTHON", python);
    }
    command
}

/// Makes the virtual environment unless it is there, once for all test processes.
fn prepare_environment() -> Result<PathBuf, String> {
    let base = target_folder()?.join("python-peers");
    fs::create_dir_all(&base).map_err(|e| format!("{}: {e}", base.display()))?;
    let lock_path = base.join("lock");
    let lock = File::create(&lock_path).map_err(|e| format!("{}: {e}", lock_path.display()))?;
    // Held until the end of this function, by this process alone.
    lock.lock()
        .map_err(|e| format!("{}: {e}", lock_path.display()))?;

    let folder = base.join(format!("venv-{RPYC_VERSION}"));
    let python = folder.join("bin").join("python");
    let complete = folder.join("complete");
    if fs::read_to_string(&complete).is_ok_and(|text| text == PACKAGES.join("\n")) {
        return Ok(python);
    }
    progress(&format!(
        "making a Python environment in {} ...",
        folder.display()
    ));
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    progress(&format!("installing {} ...", PACKAGES.join(", ")));
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PACKAGES))?;
    fs::write(&complete, PACKAGES.join("\n"))
        .map_err(|e| format!("{}: {e}", complete.display()))?;
    progress("the Python environment is ready");
    Ok(python)
}

/// The folder that Cargo builds into: the one above the running test that bears Cargo's mark.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    let test = env::current_exe().map_err(|e| format!("the path of the running test: {e}"))?;
    test.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("no target folder above {}", test.display()))
}

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = clear_environment(command)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{program}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Past the test runner's capture: whoever waits shall see why.
pub fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "rpyc-tests: {text}");
}

/// Removes the indentation that all lines with text share, as code within Rust has one.
#[must_use]
pub fn dedent(code: &str) -> String {
    let margin = code
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut text = String::with_capacity(code.len());
    for line in code.lines().skip_while(|line| line.trim().is_empty()) {
        text.push_str(line.get(margin..).unwrap_or(""));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_loses_the_indentation_of_its_surroundings() {
        assert_eq!(
            dedent("\n    if x:\n\n        y\n    z"),
            "if x:\n\n    y\nz\n"
        );
    }

    #[test]
    fn a_script_runs_with_the_pinned_rpyc() {
        let output = Script::new("print(rpyc.__version__, *sys.argv[1:])")
            .argument("one")
            .outcome();
        assert_eq!(output.as_deref(), Ok("6.0.2 one"));
    }

    #[test]
    fn a_script_that_fails_hands_over_its_traceback() {
        let outcome = Script::new("assert 1 == 2, 'unequal'").outcome();
        assert!(outcome.is_err_and(|text| text.contains("AssertionError: unequal")));
    }

    #[test]
    fn a_script_that_hangs_is_ended_and_says_where() {
        // It counts from when Python has loaded what every script needs.
        let outcome = Script::new("def stuck():\n    threading.Event().wait()\nstuck()")
            .variable("PEER_DEADLINE", "2")
            .outcome();
        assert!(outcome.is_err_and(|text| text.contains("in stuck")));
    }
}
