//! The program in a Python of the user's: how a process of that Python becomes it.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::ChildCommand;
use crate::program::cli::ServeOptions;
use crate::program::failure::Failure;
use crate::program::host::Host;
use crate::program::python_program::{PythonProgram, unusable};

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
        let program = match PythonProgram::of(&self.executable) {
            Ok(program) => program,
            Err(failure) => return failure,
        };
        let mut command = program.command();
        let error = command.args(self.begin()).args(arguments).exec();
        self.unusable().because(error)
    }

    /// The command of a process of that Python which serves one client.
    pub(crate) fn child_command(&self) -> Result<ChildCommand, Failure> {
        let command = PythonProgram::of(&self.executable)?.child_command();
        Ok(self.begin().into_iter().fold(command, ChildCommand::arg))
    }

    /// That it can't be run.
    pub(crate) fn unusable(&self) -> Failure {
        unusable(&self.executable)
    }

    /// What stands before the program's own arguments.
    fn begin(&self) -> [OsString; 4] {
        let modules = env::join_paths(&self.modules).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        ["-c".into(), LOADER.into(), version.into(), modules]
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
