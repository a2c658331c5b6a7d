//! Environments that have packages from PyPI, compiled ones among them, and programs that use those by
//! way of a server.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deadline::PATIENCE;
use crate::python::{PACKAGES, Script, clear_environment, progress, run, target_folder};
use crate::server::{Server, binary};

/// What is installed, each at one version that has wheels for every Python from 3.10 on.
const COMPILED: [&str; 5] = [
    "numpy==2.2.6",
    "pandas==2.3.3",
    "pillow==12.0.0",
    "psutil==7.2.2",
    "cloudpickle==3.1.2",
];

/// The names that each program finds, beside those of every script.
const SCENARIOS: &str = include_str!("../packages/scenarios.py");

/// An environment of some Python, kept for all test processes.
#[derive(Debug)]
pub struct Packages {
    python: PathBuf,
}

impl Packages {
    /// The environment of this Python, made when it is missing.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn of(python: &Path) -> Packages {
        let all = [&PACKAGES[..], &COMPILED].concat();
        Packages::with(python, "packages", &all)
    }

    /// The environment of that kind of this Python, which has these packages, made when it is missing.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn with(python: &Path, kind: &str, packages: &[&str]) -> Packages {
        let prepared = prepare(python, kind, packages);
        let python = prepared.unwrap_or_else(|why| panic!("the packages can't be had: {why}"));
        Packages { python }
    }

    /// Its interpreter.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// Python's own classic server in it.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn stock(&self) -> Server {
        Server::python_in(&self.python)
    }

    /// The server in it.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn server(&self, options: &[&str]) -> Server {
        let mut command = Command::new(binary());
        command.args(["--classic", "--port", "0"]);
        command.arg("--python").arg(&self.python).args(options);
        Server::by(command)
    }

    /// A program of scenarios as a client of that server: functions with a parameter `conn`.
    #[must_use]
    pub fn client(&self, server: &Server, program: &str) -> Script {
        let code = format!("{SCENARIOS}\n{program}\nrun(globals())\n");
        // What they import takes its time on a busy machine.
        let script = server.program(&code).python(&self.python);
        script.deadline(3 * PATIENCE)
    }

    /// Runs the program as a client of Python's own server and as one of this server: it succeeds, and
    /// shows the same.
    ///
    /// # Panics
    /// When that isn't so.
    #[track_caller]
    pub fn same_as_stock(&self, program: &str) {
        let stock = self.stock();
        let wanted = self.client(&stock, program).variable("PEER_KIND", "stock");
        let (wanted, server) = (wanted.spawn(), self.server(&[]));
        let shown = server.succeed(self.client(&server, program).outcome());
        let wanted = stock.succeed(wanted.finish());
        let (mut shown, mut wanted) = (shown.lines(), wanted.lines());
        let mut scenario = "";
        loop {
            match (shown.next(), wanted.next()) {
                (None, None) => return,
                (shown, wanted) if shown == wanted => {
                    scenario = shown
                        .filter(|line| line.starts_with("--- "))
                        .unwrap_or(scenario);
                }
                (shown, wanted) => panic!(
                    "{scenario}\n  shows       {}\n  with stock  {}",
                    shown.unwrap_or("nothing more"),
                    wanted.unwrap_or("nothing more")
                ),
            }
        }
    }
}

fn prepare(python: &Path, kind: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let base = target_folder()?.join("python-peers");
    let failed = |e: std::io::Error| format!("{}: {e}", base.display());
    fs::create_dir_all(&base).map_err(failed)?;
    let mut ask = Command::new(python);
    ask.args(["-c", "import platform; print(platform.python_version())"]);
    let asked = clear_environment(&mut ask).output();
    let version = asked
        .map_err(|e| format!("{}: {e}", python.display()))?
        .stdout;
    let name = format!("{kind}-{}", String::from_utf8_lossy(&version).trim());
    let lock = File::create(base.join(format!("lock-{name}"))).map_err(failed)?;
    // Held until the end of this function, by this process alone.
    lock.lock().map_err(failed)?;
    let folder = base.join(&name);
    let (python_there, complete) = (folder.join("bin/python"), folder.join("complete"));
    if fs::read_to_string(&complete).is_ok_and(|text| text == packages.join("\n")) {
        return Ok(python_there);
    }
    progress(&format!("installing {} ...", packages.join(", ")));
    run(Command::new(python)
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(&python_there)
        .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
        .arg("--disable-pip-version-check")
        .args(packages))?;
    fs::write(&complete, packages.join("\n")).map_err(failed)?;
    Ok(python_there)
}
