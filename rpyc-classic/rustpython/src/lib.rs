//! [RustPython](https://rustpython.github.io) as the evaluator of classic mode: a whole Python, its
//! standard library included, inside the program.
//!
//! ```no_run
//! use rpyc_classic::{EvaluatorOptions, SlaveOptions, SlaveService};
//! use rpyc_rustpython::RustPython;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = RustPython::start(EvaluatorOptions::default())?;
//! let factory = SlaveService::factory(engine, SlaveOptions::default());
//! // A server makes a service of each connection with it.
//! let service = factory.create()?;
//! # let _ = service;
//! # Ok(())
//! # }
//! ```
//!
//! # What differs from CPython
//!
//! - Modules written in C (numpy, lxml, ...) can't be imported. The standard library is built in;
//!   `curses`, `readline` and `tkinter` aren't.
//! - Functions can't be teleported as bytecode: each interpreter has its own. Send their source with
//!   `conn.execute`.
//! - There is no global interpreter lock: the code of several clients runs at the same time, and
//!   so do several requests of one client where it asks for that. Objects that clients share need locks.
//! - Plain Python code runs about four times slower than in CPython.
//! - The interpreter is one for all clients: each has its own namespace, but modules, `sys.stdout`, the
//!   working directory and the environment are shared.
#![warn(missing_docs)]
#![allow(unsafe_code)] // what RustPython's macros expand to

mod blocking;
mod classes;
mod executing;
mod frames;
mod here;
mod interned;
mod interrupt;
mod library;
mod local;
mod memory;
mod names;
mod native;
mod os_functions;
mod policy;
mod program;
mod runtime;
mod state;
mod stops;
mod thread;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

use rpyc_classic::bridge::{OpenSession, Shared, install};
use rpyc_classic::heap;
use rpyc_classic::threads::lock;
use rpyc_classic::{Evaluator, EvaluatorOptions, Session, StartError};
use rpyc_core::executor::Executor;
use rpyc_core::service::{PeerInfo, Service, VoidService};
use rpyc_core::transport::memory_pair;
use rpyc_core::{Config, Connection};
use rustpython::{InterpreterBuilder, InterpreterBuilderExt};
use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::{AsObject, Interpreter, PyResult, Settings, VirtualMachine};

use self::here::{Here, PythonSession};
pub use self::program::{LINK, is_called_as_python, python_name, run_as_python};
use self::stops::Limiter;
use self::thread::{STACK_SIZE, Source};

/// A running RustPython interpreter.
///
/// It lives on a thread of its own, which is Python's main thread, and installs no signal handlers.
/// It is stopped when the last handle is dropped.
pub struct RustPython {
    shared: Arc<Shared<Here>>,
    stop: Sender<()>,
    stopped: Mutex<Option<Receiver<()>>>,
    // To nobody: it is for the contexts of what belongs to no client.
    _home: (Connection, Connection),
}

impl RustPython {
    /// Starts an interpreter.
    ///
    /// With glibc, the whole process has as many heaps as cores from then on (`M_ARENA_MAX`), so that
    /// memory that clients have used goes back to the system.
    ///
    /// # Errors
    /// When the system refuses a thread or the interpreter doesn't initialise.
    pub fn start(options: EvaluatorOptions) -> Result<Arc<RustPython>, StartError> {
        heap::share();
        let (started, starting) = channel();
        let (stop, stopping) = channel();
        let (finished, stopped) = channel();
        let set_up = options.clone();
        Builder::new()
            .name("python".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || {
                live(&options, &started, &stopping);
                drop(finished);
            })
            .map_err(StartError::Thread)?;
        let source = starting
            .recv()
            .map_err(|_| StartError::Python("it panicked".to_owned()))?
            .map_err(StartError::Python)?;
        let options = set_up;
        let executor = executing::executor(&source, options.stack_size, options.max_threads);
        if let Some(limit) = options.request_time_limit {
            interrupt::limit(&source, limit).map_err(StartError::Thread)?;
        }
        let shared = in_python(&source, |vm| {
            let member = |module, name| library::member(vm, module, name);
            let runtime = Here::new(source.clone());
            let shared = Shared::new(vm, runtime, executor.clone(), &options.imports, member)?;
            native::introduce(vm, &shared)?;
            Ok(shared)
        })?;
        let (here, there) = memory_pair();
        let open = |stream| {
            let peer = PeerInfo::named("python");
            Connection::over(Arc::new(stream), VoidService, Config::new(), peer)
        };
        let home = open(here).and_then(|here| Ok((here, open(there)?)));
        let home = home.map_err(|error| StartError::Python(error.to_string()))?;
        let session = PythonSession::home(shared.clone(), &home.0, VoidService.root());
        let engine = Arc::new(RustPython {
            shared,
            stop,
            stopped: Mutex::new(Some(stopped)),
            _home: home,
        });
        set_up_on(&executor, session, options)?;
        Ok(engine)
    }
}

impl Drop for RustPython {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for RustPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustPython").finish_non_exhaustive()
    }
}

impl Evaluator for RustPython {
    fn name(&self) -> String {
        version()
    }

    fn executor(&self) -> Arc<dyn Executor> {
        self.shared.executor.clone()
    }

    fn open(&self, peer_runs_code: bool) -> Arc<dyn Session> {
        let shared = self.shared.clone();
        Arc::new(OpenSession(PythonSession::new(shared, peer_runs_code)))
    }

    fn stop(&self) {
        let Some(stopped) = lock(&self.stopped).take() else {
            return;
        };
        // It may have ended already.
        let _ = self.stop.send(());
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(STOP_GRACE) {
            log::warn!("Python code is still running; the interpreter isn't waited for");
        }
    }
}

fn version() -> String {
    use rustpython_vm::version::{MAJOR, MINOR};
    format!("RustPython (Python {MAJOR}.{MINOR})")
}

/// Puts the program's parts into the interpreter, on a thread with a stack for Python code.
fn set_up_on(
    executor: &Arc<dyn Executor>,
    home: Arc<PythonSession>,
    options: EvaluatorOptions,
) -> Result<(), StartError> {
    let (done, wait) = channel();
    let job = move || {
        // Somebody waits for it.
        let _ = done.send(install(&home, &options));
    };
    executor
        .execute(Box::new(job))
        .map_err(StartError::Thread)?;
    let outcome = wait.recv();
    outcome
        .map_err(|_| StartError::Python("it panicked".to_owned()))?
        .map_err(StartError::Init)
}

/// Sets something up in the interpreter.
fn in_python<R>(
    source: &Source,
    work: impl FnOnce(&VirtualMachine) -> PyResult<R>,
) -> Result<R, StartError> {
    let outcome = source.attached(|vm| work(vm).map_err(|error| text_of(vm, &error)));
    let outcome = outcome.map_err(|exception| StartError::Python(exception.to_string()))?;
    outcome.map_err(StartError::Python)
}

fn text_of(vm: &VirtualMachine, error: &PyBaseExceptionRef) -> String {
    let mut text = String::new();
    // A text takes what it is given.
    let _ = vm.write_exception(&mut text, error);
    text
}

type Started = Sender<Result<Arc<Source>, String>>;

/// The life of the interpreter's own thread.
fn live(options: &EvaluatorOptions, started: &Started, stopping: &Receiver<()>) {
    let interpreter = match catch_unwind(AssertUnwindSafe(|| start(options))) {
        Ok(Ok(interpreter)) => interpreter,
        Ok(Err(message)) => return drop(started.send(Err(message))),
        Err(_) => return drop(started.send(Err("it panicked".to_owned()))),
    };
    let source = Source::new(interpreter.enter(|vm| vm.new_thread()));
    let limiter = match Limiter::start(&source) {
        Ok(limiter) => limiter,
        Err(error) => return drop(started.send(Err(error.to_string()))),
    };
    if started.send(Ok(source.clone())).is_err() {
        return;
    }
    // Not attached here, so that the garbage collector needn't wait for this thread. An error says
    // that nobody is left to ask for the end, which is the end as well.
    let _ = stopping.recv();
    drop(limiter);
    interpreter.enter(|_| source.stop());
    interpreter.finalize(None);
}

fn start(options: &EvaluatorOptions) -> Result<Interpreter, String> {
    let mut settings = Settings::default();
    settings.install_signal_handlers = false;
    // Text in files is UTF-8, also where a service manager sets no locale; CPython does that for
    // the locale C.
    settings.utf8_mode = 1;
    settings.path_list.clone_from(&options.search_path);
    settings.argv.clone_from(&options.argv);
    let builder = InterpreterBuilder::new().settings(settings).init_stdlib();
    let native = native::module_def(&builder.ctx);
    let os_functions = os_functions::module_def(&builder.ctx);
    let local = local::module_def(&builder.ctx);
    let builder = builder
        .add_native_module(native)
        .add_native_module(os_functions)
        .add_native_module(local);
    let interpreter = builder.interpreter();
    interpreter.enter(|vm| prepare(vm, options).map_err(|error| text_of(vm, &error)))?;
    Ok(interpreter)
}

fn prepare(vm: &VirtualMachine, options: &EvaluatorOptions) -> PyResult<()> {
    // `__main__` exists in every Python process; pickles refer to it.
    vm.new_scope_with_main()?;
    // Before anybody imports `threading`.
    local::install(vm)?;
    // exit, quit, help: conveniences, without which the interpreter works.
    if vm.import("site", 0).is_err() {
        log::warn!("Python's module 'site' can't be imported");
    }
    // Python's own threads would get 2 MiB, less than deep recursion needs.
    let threads = vm.import("_thread", 0)?;
    let stack_size = vm.ctx.new_int(options.stack_size);
    threads
        .get_attr("stack_size", vm)?
        .call((stack_size,), vm)?;
    let own = std::env::current_exe().ok();
    let own = own.and_then(|path| path.into_os_string().into_string().ok());
    if let Some(executable) = options.executable.clone().or(own) {
        let executable = vm.ctx.new_str(executable);
        for name in ["executable", "_base_executable"] {
            let sys = vm.sys_module.as_object();
            sys.set_attr(name, executable.clone(), vm)?;
        }
    }
    policy::load(vm)
}

/// How long code that runs on is waited for.
const STOP_GRACE: Duration = Duration::from_secs(2);
