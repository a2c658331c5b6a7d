//! `_native.Server`: a server inside a program that runs in this Python.

use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpyc_core::transport::PeerAddr;
use rpyc_cpython::{Callable, Embedded, rest};

use crate::{
    Address, Authenticated, Authenticator, ListenError, Listener, Mode, RawStream, Rejection,
    Running, Server as RustServer,
};

/// A server: bound to its address by its constructor, serving from `start` to `close`.
#[pyclass(frozen, module = "rpyc_rs._native")]
pub(super) struct Server {
    state: Mutex<State>,
    addresses: Vec<Address>,
    embedded: Arc<Embedded>,
}

enum State {
    Bound(RustServer),
    Serving(Running),
    Closed,
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (service, config, mode, workers, *, host, port, path, authenticator, dispatch))]
    #[allow(clippy::too_many_arguments)] // by keyword, from Python
    fn new(
        py: Python<'_>,
        service: &Bound<'_, PyAny>,
        config: &Bound<'_, PyDict>,
        mode: &str,
        workers: usize,
        host: Vec<String>,
        port: u16,
        path: Option<PathBuf>,
        authenticator: Option<Bound<'_, PyAny>>,
        dispatch: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Server> {
        let mode = match mode {
            "threaded" => Mode::Threaded,
            "oneshot" => Mode::OneShot,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            "pool" => Mode::Pool { workers },
            mode => {
                let what = format!("{mode}, {workers} workers: there is no such mode here");
                return Err(PyValueError::new_err(what));
            }
        };
        let embedded = Arc::new(Embedded::new(py, service, config, dispatch)?);
        let mut builder = RustServer::builder(embedded.hosted().clone().factory())
            .mode(mode)
            .grace(GRACE);
        if let Some(callable) = authenticator {
            builder = builder.authenticator(PythonAuthenticator {
                embedded: embedded.clone(),
                callable: Callable::new(callable),
            });
        }
        let server = rest(py, || {
            let listener = match path {
                Some(path) => Listener::unix(path),
                None => {
                    let addresses: Result<Vec<_>, _> =
                        host.iter().map(|host| host.parse()).collect();
                    let addresses: Vec<std::net::IpAddr> = addresses.unwrap_or_default();
                    let addresses = addresses.into_iter().map(|ip| (ip, port).into());
                    Listener::tcp(&addresses.collect::<Vec<std::net::SocketAddr>>()[..])
                }
            };
            builder.serve_on([listener?])
        });
        let server = server.map_err(|error| not_bound(&error))?;
        Ok(Server {
            addresses: server.addresses().to_vec(),
            state: Mutex::new(State::Bound(server)),
            embedded,
        })
    }

    /// The host and the port, or the path of the Unix socket and None.
    #[getter]
    fn address(&self) -> (String, Option<u16>) {
        match self.addresses.first() {
            Some(Address::Tcp(address)) => (address.ip().to_string(), Some(address.port())),
            Some(Address::Unix(Some(path))) => (path.display().to_string(), None),
            _ => (String::new(), None),
        }
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.embedded.hosted().names().to_vec()
    }

    #[getter]
    fn clients(&self) -> usize {
        match &*self.state() {
            State::Serving(running) => running.clients(),
            State::Bound(_) | State::Closed => 0,
        }
    }

    /// Whether it serves; one for a single client ends by itself.
    fn is_serving(&self) -> bool {
        matches!(&*self.state(), State::Serving(running) if !running.is_over())
    }

    fn start(&self) -> PyResult<()> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Closed) {
            State::Bound(server) => {
                *state = State::Serving(server.start()?);
                Ok(())
            }
            other => {
                *state = other;
                Err(PyRuntimeError::new_err(
                    "the server has been started already",
                ))
            }
        }
    }

    fn close(&self, py: Python<'_>) {
        self.embedded.close();
        let state = std::mem::replace(&mut *self.state(), State::Closed);
        // It waits until the clients' requests have ended, which need the interpreter.
        rest(py, || drop(state));
    }
}

impl Server {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_bound(error: &ListenError) -> PyErr {
    PyOSError::new_err(crate::causes::with_causes(error))
}

/// A callable of Python's that gets the descriptor of a client's socket, and gives the descriptor to go on
/// with and the credentials.
struct PythonAuthenticator {
    embedded: Arc<Embedded>,
    callable: Callable,
}

impl Authenticator for PythonAuthenticator {
    fn authenticate(&self, stream: RawStream, _: &PeerAddr) -> Result<Authenticated, Rejection> {
        let socket = match stream {
            RawStream::Tcp(stream) => OwnedFd::from(stream),
            RawStream::Unix(stream) => OwnedFd::from(stream),
        };
        let authenticated = self.embedded.authenticate(&self.callable, socket);
        let (socket, credentials) =
            authenticated.map_err(|raised| Rejection::new(raised.to_string()))?;
        let stream = stream_of(socket)?.into_stream();
        Ok(Authenticated::new(stream).credentials(credentials))
    }
}

fn stream_of(socket: OwnedFd) -> io::Result<RawStream> {
    let socket = socket2::Socket::from(socket);
    socket.set_nonblocking(false)?;
    Ok(match socket.local_addr()?.is_unix() {
        true => RawStream::Unix(UnixStream::from(OwnedFd::from(socket))),
        false => RawStream::Tcp(TcpStream::from(OwnedFd::from(socket))),
    })
}

/// How long requests that run may take to end when the server is closed.
const GRACE: Duration = Duration::from_secs(2);
