//! The evaluator's life.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use log::warn;
use rpyc_classic::embedding::Init;
use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};

use crate::program::cli::{Python, ServeMode, ServeOptions};
use crate::program::failure::Failure;
use crate::program::host::Host;
use crate::program::offer::Offer;
use crate::threads;

/// The evaluator that runs the Python code of classic mode or of a service, while it runs.
pub(crate) struct Running(Arc<dyn Evaluator>);

impl Running {
    pub(crate) fn start(host: &Host, options: &ServeOptions) -> Result<Running, Failure> {
        let init = init(options.python.init.as_deref())?;
        Running::start_with(host, options, init)
    }

    /// Whether the script of --init is Python.
    pub(crate) fn check_syntax(host: &Host, options: &ServeOptions) -> Result<(), Failure> {
        if let Some(init) = init(options.python.init.as_deref())? {
            Running::start_with(host, options, Some(init.compiled_alone()))?.stop();
        }
        Ok(())
    }

    fn start_with(
        host: &Host,
        options: &ServeOptions,
        init: Option<Init>,
    ) -> Result<Running, Failure> {
        let file = init.as_ref().map(|init| init.name().to_owned());
        let mut evaluator = EvaluatorOptions::default();
        evaluator.search_path = search_path(&options.python.path)?;
        evaluator.init = init;
        evaluator.request_time_limit = options.limits.request_time_limit;
        if options.limits.max_memory.is_some() {
            // Stacks count as memory in full.
            evaluator.stack_size = SMALL_STACK;
        }
        // What a process does for one client alone may as well be done on the main thread.
        evaluator.on_main_thread = matches!(
            options.serving.mode,
            ServeMode::Child | ServeMode::OneShot | ServeMode::Stdio
        );
        (host.start)(evaluator)
            .map(Running)
            .map_err(|error| match error {
                StartError::Init(exception) => {
                    let file = file.unwrap_or_default();
                    let what = format!("--init {file}: the script raised an exception");
                    let traceback = exception.traceback().map(|text| text.trim_end().to_owned());
                    Failure::new(what).details(traceback.unwrap_or_else(|| exception.to_string()))
                }
                error => Failure::new("the evaluator doesn't start").because(error),
            })
    }

    /// What clients get.
    pub(crate) fn offer(&self, options: &ServeOptions) -> Result<Offer, Failure> {
        Offer::new(self.0.clone(), options)
    }

    /// Runs Python's own clean-up, unless client code that doesn't end is in its way.
    pub(crate) fn stop(self) {
        let stopping = threads::start_watched("rpyc-stop", move || self.0.stop());
        if stopping.is_ok_and(|end| end.recv_timeout(CLEAN_UP) == Err(RecvTimeoutError::Timeout)) {
            warn!("Python code is still running; its clean-up is skipped");
        }
    }
}

/// Whether the evaluator would find what the options name.
pub(crate) fn check(options: &Python) -> Result<(), Failure> {
    search_path(&options.path)?;
    init(options.init.as_deref()).map(drop)
}

/// The script of --init.
fn init(file: Option<&Path>) -> Result<Option<Init>, Failure> {
    let read = |file: &Path| {
        Init::from_file(file).map_err(|error| {
            Failure::usage(format!("--init {}: can't be read", file.display())).because(error)
        })
    };
    file.map(read).transpose()
}

/// The directories of --path, and those of PYTHONPATH.
fn search_path(path: &[PathBuf]) -> Result<Vec<String>, Failure> {
    for folder in path {
        if !folder.is_dir() {
            return Err(
                Failure::usage(format!("--path {}: no such directory", folder.display()))
                    .hint("It must be there when the server starts."),
            );
        }
    }
    let pythonpath = env::var_os("PYTHONPATH").unwrap_or_default();
    let pythonpath = env::split_paths(&pythonpath).filter(|folder| !folder.as_os_str().is_empty());
    let text = |folder: PathBuf| {
        folder.into_os_string().into_string().map_err(|folder| {
            let folder = folder.to_string_lossy().into_owned();
            Failure::usage(format!(
                "{folder}: Python needs a directory's name to be Unicode"
            ))
        })
    };
    path.iter().cloned().chain(pythonpath).map(text).collect()
}

/// The least that deep recursion, the parser and the freeing of nested containers do well with.
const SMALL_STACK: usize = 16 << 20;

/// How long Python's clean-up may take.
const CLEAN_UP: Duration = Duration::from_secs(2);
