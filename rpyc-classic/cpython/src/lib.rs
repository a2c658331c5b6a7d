//! The user's own CPython as the evaluator of RPyC's classic mode.
//!
//! It is for code that runs inside a Python: an extension module, whose main function calls [`run`] with
//! a program that starts a [`CPython`] and serves it. The program `rpyc-server` does so for `--python`.
//!
//! ```ignore
//! rpyc_cpython::run(py, || {
//!     let evaluator = CPython::start(&EvaluatorOptions::default())?;
//!     Server::builder(SlaveService::factory(evaluator, SlaveOptions::default()))
//!     // ...
//! })
//! ```
//!
//! There is one evaluator in a process. The modules of the program's that [`EvaluatorOptions`] may have are
//! for evaluators that are built in: here a package is installed instead.
#![warn(missing_docs)]

mod attach;
mod embedded;
mod ending;
mod here;
mod interpreter;
mod interrupt;
mod names;
mod native;
mod pinned;
mod policy;
mod program;
mod runtime;
mod thread_state;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use rpyc_classic::bridge::{self, OpenSession, Shared};
use rpyc_classic::heap;
use rpyc_classic::{Evaluator, EvaluatorOptions, Session, StartError};
use rpyc_core::executor::{Executor, ThreadPool};

pub use self::attach::rest;
pub use self::embedded::{Callable, Embedded, duplicate, log_to, prepare, stop_embedded};
use self::here::{Here, PythonSession};
pub use self::interpreter::claim_interpreter;
use self::policy::{Setup, policy};
pub use self::program::{describe, exit, run};

/// The Python that this code runs inside of.
pub struct CPython {
    shared: Arc<Shared<Here>>,
    name: String,
}

impl CPython {
    /// Makes the interpreter serve clients.
    ///
    /// # Errors
    /// When the start-up script raises an exception, or this is the second one of the process.
    pub fn start(options: &EvaluatorOptions) -> Result<Arc<CPython>, StartError> {
        static IS_STARTED: AtomicBool = AtomicBool::new(false);
        if policy::is_loaded() || IS_STARTED.swap(true, Ordering::AcqRel) {
            let again = "this process has an evaluator already";
            return Err(StartError::Python(again.to_owned()));
        }
        if !options.modules.is_empty() {
            let modules = "modules of the program's can't be put into the user's Python";
            return Err(StartError::Python(modules.to_owned()));
        }
        let name = attach::attach(|py| start(py, options))?;
        let python = CPython::with(options, name)?;
        let home = PythonSession::new(python.shared.clone(), true);
        bridge::install(&home, options).map_err(StartError::Init)?;
        // What the start has needed: options, sources.
        heap::give_back();
        Ok(python)
    }

    fn with(options: &EvaluatorOptions, name: String) -> Result<Arc<CPython>, StartError> {
        let pool = ThreadPool::with_body(
            "rpyc-python",
            options.stack_size,
            options.max_threads,
            pinned::thread_body(),
        );
        let pool: Arc<dyn Executor> = Arc::new(pool);
        let executor = match options.on_main_thread {
            true => Arc::new(program::MainFirst(pool)),
            false => pool,
        };
        attach::set_executor(&executor);
        if let Some(limit) = options.request_time_limit {
            interrupt::limit(limit).map_err(StartError::Thread)?;
        }
        let shared = attach::attach(|py| {
            let modules = py.import("sys")?.getattr("modules")?;
            let member = |module, name| modules.get_item(module)?.getattr(name);
            Shared::new(py, Here, executor, &options.imports, member)
        });
        let shared = shared.map_err(|error: PyErr| StartError::Python(error.to_string()))?;
        here::share(&shared);
        Ok(Arc::new(CPython { shared, name }))
    }
}

fn start(py: Python<'_>, options: &EvaluatorOptions) -> Result<String, StartError> {
    if !options.on_main_thread {
        thread_state::share();
    }
    let setup = Setup {
        search_path: &options.search_path,
        argv: &options.argv,
        stack_size: options.stack_size,
        on_main_thread: options.on_main_thread,
        is_embedded: false,
    };
    let wrong = |error: PyErr| StartError::Python(error.to_string());
    let native = native::module(py).map_err(wrong)?;
    policy::load(py, native, &setup).map_err(wrong)?;
    let name = policy().version.bind(py).call0().map_err(wrong)?;
    name.extract().map_err(wrong)
}

impl fmt::Debug for CPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CPython").field(&self.name).finish()
    }
}

impl Evaluator for CPython {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn executor(&self) -> Arc<dyn Executor> {
        self.shared.executor.clone()
    }

    fn open(&self, peer_runs_code: bool) -> Arc<dyn Session> {
        let session = PythonSession::new(self.shared.clone(), peer_runs_code);
        Arc::new(OpenSession(session))
    }

    fn stop(&self) {
        program::finish();
    }
}
