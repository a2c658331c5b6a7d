//! Services of a program that runs in this Python: its interpreter stays as it is, and the end of the program
//! is the program's.

mod host_thread;
mod log;

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpyc_classic::bridge::OpenSession;
use rpyc_classic::hosting::{HostError, HostOptions, Hosted, SERVICES};
use rpyc_classic::python::PACKAGE;
use rpyc_classic::{Evaluator, EvaluatorOptions, Session, StartError};
use rpyc_core::Exception;
use rpyc_core::executor::Executor;
use rpyc_core::object::Any;

use self::host_thread::HostThread;
pub use self::log::log_to;
use crate::CPython;
use crate::attach::{self, DeferredDrop, lock};
use crate::here::PythonSession;
use crate::native;
use crate::policy::{self, Setup, policy};

/// A service of the program's, or what it needs to let clients in.
pub struct Embedded {
    hosted: Arc<Hosted>,
    host_thread: Option<Arc<HostThread>>,
    // What no connection owns.
    session: Arc<PythonSession>,
}

impl Embedded {
    /// Prepares the service for serving, with the options of its connections by their names in Python's
    /// rpyc. Where `dispatch` is given, it is called with a function for each request, which it is to have
    /// called on the program's own thread.
    ///
    /// # Errors
    /// A ValueError for options that make no sense; what asking the service raised.
    pub fn new(
        py: Python<'_>,
        service: &Bound<'_, PyAny>,
        config: &Bound<'_, PyDict>,
        dispatch: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Embedded> {
        let evaluator = evaluator(py)?;
        let session = PythonSession::new(evaluator.shared.clone(), false);
        let open = OpenSession(session.clone());
        let pool = evaluator.executor();
        let host_thread =
            dispatch.map(|dispatch| Arc::new(HostThread::new(pool.clone(), dispatch)));
        let requests: Arc<dyn Executor> = match &host_thread {
            Some(thread) => thread.clone(),
            None => pool,
        };
        let service = session.to_any(py, service)?;
        let config = session.to_any(py, config.as_any())?;
        let options = HostOptions::default();
        let hosted = attach::rest(py, move || {
            let settings = open.call(SERVICES, "checked_options", vec![config]);
            let settings = settings.map_err(HostError::config)?;
            Hosted::of(evaluator, requests, &open, (service, settings), &options)
        });
        let hosted = hosted.map_err(|error| {
            let hint = error.hint.as_deref().unwrap_or_default();
            PyValueError::new_err(format!("{error}. {hint}"))
        })?;
        Ok(Embedded {
            hosted,
            host_thread,
            session,
        })
    }

    /// What makes the service of each connection.
    #[must_use]
    pub fn hosted(&self) -> &Arc<Hosted> {
        &self.hosted
    }

    /// Has a callable authenticate a client: it gets the descriptor of its socket, and gives the one to
    /// go on with and the credentials.
    ///
    /// # Errors
    /// What it raises: the client isn't let in.
    pub fn authenticate(
        &self,
        callable: &Callable,
        socket: OwnedFd,
    ) -> Result<(OwnedFd, Any), Exception> {
        self.session.run(|py| {
            let answer = callable.0.bind(py).call1((socket.into_raw_fd(),))?;
            let (socket, credentials): (RawFd, Bound<'_, PyAny>) = answer.extract()?;
            let credentials = self.session.to_any(py, &credentials)?;
            // Safe: the callable has given it away.
            #[allow(unsafe_code)] // a number is all that Python has
            let socket = unsafe { OwnedFd::from_raw_fd(socket) };
            Ok((socket, credentials))
        })
    }

    /// From now on no request is handed to the program's thread any more; those that wait for it aren't run.
    pub fn close(&self) {
        if let Some(thread) = &self.host_thread {
            thread.close();
        }
    }
}

/// A callable of the program's that Rust keeps.
pub struct Callable(DeferredDrop);

impl Callable {
    /// Keeps it.
    #[must_use]
    pub fn new(callable: Bound<'_, PyAny>) -> Callable {
        Callable(DeferredDrop::new(callable))
    }
}

impl std::fmt::Debug for Callable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callable")
    }
}

/// Makes this Python fit for connections, unless it is so already. The modules of the package: names to pairs of
/// is_package and text.
///
/// # Errors
/// When it can't be made so.
pub fn prepare(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    if !policy::is_loaded() {
        evaluator(py)?;
    }
    let package = PyDict::new(py);
    for (name, is_package, source) in PACKAGE {
        package.set_item(name, (*is_package, *source))?;
    }
    Ok(package)
}

/// A descriptor of one's own for what Python code has open.
///
/// # Errors
/// The system's reason.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // Safe: it is borrowed for this call, during which the caller has it open.
    #[allow(unsafe_code)] // a number is all that Python has
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed.try_clone_to_owned()
}

/// The evaluator of this process, started at the first service.
fn evaluator(py: Python<'_>) -> PyResult<Arc<CPython>> {
    static EVALUATOR: Mutex<Option<Arc<CPython>>> = Mutex::new(None);
    if let Some(evaluator) = &*lock(&EVALUATOR) {
        return Ok(evaluator.clone());
    }
    if policy::is_loaded() {
        return Err(PyRuntimeError::new_err(
            "this Python is the server's own: a service in it is served by rpyc-server --service",
        ));
    }
    let setup = Setup {
        search_path: &[],
        argv: &[],
        stack_size: 0,
        on_main_thread: false,
        is_embedded: true,
    };
    policy::load(py, native::module(py)?, &setup)?;
    let name: String = policy().version.bind(py).call0()?.extract()?;
    let started = CPython::with(&EvaluatorOptions::default(), name);
    let started =
        started.map_err(|error: StartError| PyRuntimeError::new_err(error.to_string()))?;
    *lock(&EVALUATOR) = Some(started.clone());
    Ok(started)
}

/// The end of the program, on its main thread: code of clients' that still runs is interrupted and waited for.
/// Says whether none is left; the interpreter must not end by itself otherwise.
pub fn stop_embedded(py: Python<'_>, seconds: f64) -> bool {
    let end = Instant::now() + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let is_empty = || {
        while attach::is_anybody_inside() {
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(Duration::from_millis(1)); // nothing tells that the last one has left
        }
        true
    };
    attach::rest(py, is_empty);
    attach::stop();
    // Who came between.
    attach::rest(py, is_empty)
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Embedded").field(&self.hosted).finish()
    }
}
