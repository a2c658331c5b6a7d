//! [`Host`]: the process that the program runs in, and the Python that is in it.

use std::path::PathBuf;
use std::sync::Arc;

use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};

/// Starts the evaluator of classic mode.
pub type StartEvaluator = fn(EvaluatorOptions) -> Result<Arc<dyn Evaluator>, StartError>;

/// The process that the program runs in.
#[derive(Debug)]
pub struct Host {
    pub(crate) start: StartEvaluator,
    pub(crate) exit: fn(u8) -> !,
    pub(crate) python: Option<HostPython>,
}

/// A Python that the program is an extension module of.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostPython {
    /// The Python's program.
    pub executable: PathBuf,
    /// The extension module's file.
    pub module: PathBuf,
    /// Its name, version and folders, for people.
    pub description: String,
    /// Whether it was chosen by `--python`, which has been done then.
    pub is_chosen: bool,
}

impl HostPython {
    /// The Python of that program, with the module from that file.
    pub fn new(
        executable: impl Into<PathBuf>,
        module: impl Into<PathBuf>,
        description: impl Into<String>,
    ) -> HostPython {
        HostPython {
            executable: executable.into(),
            module: module.into(),
            description: description.into(),
            is_chosen: false,
        }
    }
}

impl Host {
    /// A process of the program's own, with the evaluator that `start` starts built in.
    pub fn built_in(start: StartEvaluator) -> Host {
        Host {
            start,
            exit: |code| std::process::exit(code.into()),
            python: None,
        }
    }

    /// A Python's process, which `exit` ends.
    pub fn inside(python: HostPython, start: StartEvaluator, exit: fn(u8) -> !) -> Host {
        Host {
            start,
            exit,
            python: Some(python),
        }
    }
}
