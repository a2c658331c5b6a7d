//! `_native.Server`: a server inside a program that runs in this Python.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpyc_core::Connection;
use rpyc_core::transport::PeerAddr;
use rpyc_cpython::{Callable, Embedded, rest};
use socket2::SockRef;

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
    #[pyo3(signature = (service, config, mode, workers, *, listener, path, backlog, authenticator, dispatch))]
    #[allow(clippy::too_many_arguments)] // by keyword, from Python
    fn new(
        py: Python<'_>,
        service: &Bound<'_, PyAny>,
        config: &Bound<'_, PyDict>,
        mode: &str,
        workers: usize,
        listener: Option<RawFd>,
        path: Option<PathBuf>,
        backlog: i32,
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
            let broken = |source| ListenError::Inherited { source };
            let listener = match (path, listener) {
                (Some(path), _) => Listener::unix(path).and_then(|listener| {
                    let set = SockRef::from(&listener).listen(backlog);
                    set.map(|()| listener).map_err(broken)
                }),
                (None, Some(socket)) => rpyc_cpython::duplicate(socket)
                    .map_err(broken)
                    .and_then(Listener::from_fd),
                (None, None) => Err(ListenError::Nothing),
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

    /// The host and the port that it listens at, if it is TCP's.
    #[getter]
    fn address(&self) -> Option<(String, u16)> {
        let address = self.addresses.first().and_then(Address::tcp)?;
        Some((address.ip().to_string(), address.port()))
    }

    #[getter]
    fn names(&self) -> Vec<String> {
        self.embedded.hosted().names().to_vec()
    }

    #[getter]
    fn client_count(&self) -> usize {
        match &*self.state.lock() {
            State::Serving(running) => running.clients(),
            State::Bound(_) | State::Closed => 0,
        }
    }

    /// The clients that are served: a number of each, and where it is, as a socket tells it.
    fn clients<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        let connections = rest(py, || self.connections());
        let client = |connection: &Connection| {
            let peer = match connection.peer().address {
                Some(PeerAddr::Tcp(SocketAddr::V4(peer))) => {
                    (peer.ip().to_string(), peer.port()).into_bound_py_any(py)?
                }
                Some(PeerAddr::Tcp(SocketAddr::V6(peer))) => {
                    let parts = (
                        peer.ip().to_string(),
                        peer.port(),
                        peer.flowinfo(),
                        peer.scope_id(),
                    );
                    parts.into_bound_py_any(py)?
                }
                _ => "".into_bound_py_any(py)?,
            };
            Ok((connection.number(), peer))
        };
        let clients = connections.iter().map(client).collect();
        // The last handle of a connection may do work.
        rest(py, || drop(connections));
        clients
    }

    /// Ends the connection of that client, if it is there, without waiting for its requests.
    fn close_client(&self, py: Python<'_>, number: u64) {
        rest(py, || {
            let mut connections = self.connections().into_iter();
            if let Some(connection) = connections.find(|connection| connection.number() == number) {
                connection.shut_down(Duration::ZERO);
            }
        });
    }

    /// Whether it serves; one for a single client ends by itself.
    fn is_serving(&self) -> bool {
        matches!(&*self.state.lock(), State::Serving(running) if !running.is_over())
    }

    fn start(&self) -> PyResult<()> {
        let mut state = self.state.lock();
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
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed);
        // It waits until the clients' requests have ended, which need the interpreter.
        rest(py, || drop(state));
    }
}

impl Server {
    fn connections(&self) -> Vec<Connection> {
        match &*self.state.lock() {
            State::Serving(running) => running.connections(),
            State::Bound(_) | State::Closed => Vec::new(),
        }
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
        let authenticated = self.embedded.authenticate(&self.callable, stream.into());
        let (socket, credentials) =
            authenticated.map_err(|raised| Rejection::new(raised.to_string()))?;
        let stream = RawStream::from_fd(socket)?;
        stream.set_nonblocking(false)?;
        Ok(Authenticated::new(stream.into_stream()).credentials(credentials))
    }
}

/// How long requests that run may take to end when the server is closed.
const GRACE: Duration = Duration::from_secs(2);
