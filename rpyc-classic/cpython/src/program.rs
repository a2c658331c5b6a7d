//! A program that runs inside a Python: its beginning and its end, on Python's main thread.

use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;
use rpyc_core::executor::{Executor, Job};

use crate::attach::{self, lock};
use crate::ending::exit_now;
use crate::pinned::pinned;
use crate::policy::policy;

/// Runs `program` as what this Python process is for. The program ends the process, by [`exit`].
///
/// To be called on Python's main thread, before anything else runs. The program gets a thread of its
/// own. The main thread runs the code of the one client that a process is for, where
/// [`on_main_thread`](rpyc_classic::EvaluatorOptions::on_main_thread) says so.
///
/// # Errors
/// When the system refuses a thread.
pub fn run(
    py: Python<'_>,
    program: impl FnOnce() -> Infallible + Send + 'static,
) -> PyResult<Infallible> {
    take_signals(py)?;
    let (to_main, for_main) = channel();
    *lock(&MAIN) = Some(to_main);
    thread::Builder::new()
        .name("rpyc-program".to_owned())
        .stack_size(PROGRAM_STACK)
        .spawn(|| {
            program();
        })?;
    let for_main = Mutex::new(for_main);
    attach::rest(py, || serve_main(&for_main));
    // The program's thread ends the process.
    loop {
        attach::rest(py, thread::park);
    }
}

/// Leaves SIGINT to the program: it isn't to be a KeyboardInterrupt of nobody's code.
fn take_signals(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("_signal")?;
    let interrupt = signal.getattr("SIGINT")?;
    let ignore = signal.getattr("SIG_IGN")?;
    if !signal.call_method1("getsignal", (&interrupt,))?.is(&ignore) {
        signal.call_method1("signal", (interrupt, signal.getattr("SIG_DFL")?))?;
    }
    // Else a normal end waits for ever for threads that were there before it.
    py.import("threading").map(drop)
}

/// What the main thread does.
fn serve_main(for_main: &Mutex<Receiver<Job>>) {
    let Ok(first) = lock(for_main).recv() else {
        return;
    };
    let mut next = Some(first);
    attach::attach(|py| {
        pinned(py, &mut || {
            while let Some(job) = next.take() {
                job();
                next = lock(for_main).recv().ok();
            }
        });
    });
}

/// Gives its first job to the main thread, others to the pool.
pub(crate) struct MainFirst(pub(crate) Arc<dyn Executor>);

impl Executor for MainFirst {
    fn execute(&self, job: Job) -> std::io::Result<()> {
        let main = lock(&MAIN).take();
        match main {
            Some(main) => {
                let sent = main.send(job);
                sent.or_else(|refused| self.0.execute(refused.0))
            }
            None => self.0.execute(job),
        }
    }
}

/// What Python does at its end: functions of `atexit` run, what was printed is written. From then on no
/// code of clients' runs.
///
/// It has a limit in time: code of clients' may hold the interpreter, or be one of those functions.
pub(crate) fn finish() {
    if attach::is_stopped() {
        return;
    }
    let (done, ended) = channel();
    let finishing = thread::Builder::new()
        .name("rpyc-finish".to_owned())
        .stack_size(PROGRAM_STACK)
        .spawn(move || {
            attach::attach(|py| {
                let seconds = CLEAN_UP.as_secs_f64();
                // What clients that have just gone leave behind.
                attach::drain_all(py);
                if let Err(error) = policy().finish.bind(py).call1((seconds,)) {
                    error.print(py);
                }
                attach::drain_all(py);
            });
            // Nobody waits any more when it has taken too long.
            let _ = done.send(());
        });
    if finishing.is_ok() && ended.recv_timeout(2 * CLEAN_UP).is_err() {
        log::warn!("Python's own end isn't waited for: code of clients' keeps it from coming");
    }
    attach::stop();
}

/// Ends the process at once. Python's own end can't be had while threads run that it doesn't know of.
pub fn exit(code: u8) -> ! {
    log::logger().flush();
    // Nobody may be left who reads it.
    let _ = std::io::stdout().flush();
    exit_now(code.into())
}

/// The Python that this process is: its program, and its name, version and folders for people.
///
/// # Errors
/// Where it lacks what each Python has.
pub fn describe(py: Python<'_>) -> PyResult<(PathBuf, String)> {
    let sys = py.import("sys")?;
    let executable: PathBuf = sys.getattr("executable")?.extract()?;
    let version: String = sys.getattr("version")?.extract()?;
    let number = version.split(' ').next().unwrap_or_default();
    let packages = match py
        .import("site")?
        .call_method0("getsitepackages")?
        .get_item(0)
    {
        Ok(packages) => packages,
        Err(_) => py
            .import("sysconfig")?
            .call_method1("get_path", ("purelib",))?,
    };
    let packages: String = packages.extract()?;
    let program = executable.display();
    let description = format!("CPython {number}, {program}, packages in {packages}");
    Ok((executable, description))
}

/// The way to the main thread, until it is taken.
static MAIN: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// How long threads of clients' are waited for, which aren't daemons.
const CLEAN_UP: Duration = Duration::from_secs(1);

const PROGRAM_STACK: usize = 8 << 20;
