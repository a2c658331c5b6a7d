//! The program in a Python of the user's: how a process of that Python becomes it.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ChildCommand;
use crate::program::check;
use crate::program::cli::ServeOptions;
use crate::program::failure::Failure;
use crate::program::host::Host;

/// A Python that runs, or is to run, the program as an extension module of it.
#[derive(Debug)]
pub(crate) struct Interpreter {
    executable: PathBuf,
    /// Where the module is looked for, in this order, unless a package is installed that has it.
    modules: Vec<PathBuf>,
}

impl Interpreter {
    /// The Python that the options name, unless the program is in it already.
    pub(crate) fn wanted(options: &ServeOptions, host: &Host) -> Option<Interpreter> {
        let executable = options.python.interpreter.clone()?;
        let modules = match &host.python {
            Some(python) if python.is_chosen => return None,
            Some(python) => vec![python.module.clone()],
            None => beside_the_program(),
        };
        Some(Interpreter {
            executable,
            modules,
        })
    }

    /// The Python that the program is in.
    pub(crate) fn of(host: &Host) -> Option<Interpreter> {
        host.python.as_ref().map(|python| Interpreter {
            executable: python.executable.clone(),
            modules: vec![python.module.clone()],
        })
    }

    /// Goes on as the program in that Python: the process stays, with what it has inherited.
    pub(crate) fn exec(&self, arguments: &[OsString]) -> Failure {
        let program = match self.program() {
            Ok(program) => program,
            Err(failure) => return failure,
        };
        let error = Command::new(program)
            .args(self.begin())
            .args(arguments)
            .exec();
        self.unusable().because(error)
    }

    /// Whether it can, found out by a process of its own: what that says.
    ///
    /// # Errors
    /// What it says instead.
    pub(crate) fn check(&self, arguments: &[OsString]) -> Result<String, Failure> {
        let mut command = Command::new(self.program()?);
        check::apart(command.args(self.begin()), arguments, || self.unusable())
    }

    /// The command of a process of that Python which serves one client.
    pub(crate) fn child_command(&self) -> Result<ChildCommand, Failure> {
        let command = ChildCommand::new(self.program()?);
        Ok(self.begin().into_iter().fold(command, ChildCommand::arg))
    }

    /// The Python itself where a script stands for it, as pyenv's do: what is started is to be what is
    /// signalled. A program whose name isn't a Python's is asked, too.
    fn program(&self) -> Result<PathBuf, Failure> {
        let mut begin = [0; 2];
        let read = File::open(self.found()).and_then(|mut program| program.read_exact(&mut begin));
        let name = self.executable.file_name().unwrap_or_default();
        let is_named_so = name.to_string_lossy().contains("py");
        if read.is_err() || (is_named_so && begin != *b"#!") {
            return Ok(self.executable.clone());
        }
        let mut asked = Command::new(&self.executable);
        asked.args([
            "-c",
            "import os, sys; os.write(1, os.fsencode(sys.executable))",
        ]);
        let answer = asked.stdin(Stdio::null()).output();
        let answer = answer.map_err(|error| self.unusable().because(error))?;
        let program = PathBuf::from(OsString::from_vec(answer.stdout));
        match program.is_absolute() {
            true => Ok(program),
            false => {
                let said = String::from_utf8_lossy(&answer.stderr);
                let said = said.lines().next().unwrap_or_default();
                let why = format!("it doesn't answer as a Python does: {said}");
                Err(self.unusable().because(why.trim_end_matches([':', ' '])))
            }
        }
    }

    /// Where the system finds it.
    fn found(&self) -> PathBuf {
        if self.executable.components().count() > 1 {
            return self.executable.clone();
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&path).map(|folder| folder.join(&self.executable));
        let mut found = places.filter(|place| place.is_file());
        found.next().unwrap_or_else(|| self.executable.clone())
    }

    /// What stands before the program's own arguments.
    fn begin(&self) -> [OsString; 4] {
        let modules = env::join_paths(&self.modules).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        ["-c".into(), LOADER.into(), version.into(), modules]
    }

    fn unusable(&self) -> Failure {
        let python = self.executable.display();
        Failure::usage(format!("--python {python}: can't be run"))
            .hint("Give the path of a CPython, 3.10 or newer: /usr/bin/python3, .venv/bin/python.")
    }
}

/// The module is installed beside the program, where Cargo leaves it, too.
fn beside_the_program() -> Vec<PathBuf> {
    let program = env::current_exe().unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new(""));
    let name = format!(
        "{}rpyc_server{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    );
    vec![folder.join(name)]
}

const LOADER: &str = include_str!("loader.py");
