//! `_native.Registry`: asks a registry, and tells it.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use pyo3::exceptions::{PyConnectionError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use rpyc_cpython::rest;
use rpyc_registry::{Directory, Offer, RegistryClient, RegistryError};

use crate::causes::with_causes;

/// How to reach a registry; each call asks anew.
#[pyclass(frozen, module = "rpyc_rs._native")]
pub(super) struct Registry(RegistryClient);

#[pymethods]
impl Registry {
    #[new]
    fn new(transport: &str, host: String, port: u16, timeout: f64) -> PyResult<Registry> {
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|_| PyValueError::new_err("a timeout is a number of seconds, 0 or more"))?;
        let client = match transport {
            "tcp" => RegistryClient::tcp(host),
            _ => RegistryClient::udp(host),
        };
        Ok(Registry(client.port(port).timeout(timeout)))
    }

    fn discover(&self, py: Python<'_>, name: &str) -> PyResult<Vec<(String, u16)>> {
        match rest(py, || self.0.discover(name)) {
            Ok(servers) => {
                let addresses = servers.into_iter().map(|server| server.address);
                Ok(addresses
                    .map(|address| (address.host, address.port))
                    .collect())
            }
            Err(RegistryError::NoServer { .. }) => Ok(Vec::new()),
            Err(error) => Err(raised(&error)),
        }
    }

    fn list(&self, py: Python<'_>, host: Option<&str>) -> PyResult<Option<Vec<String>>> {
        match rest(py, || self.0.list(host)) {
            Ok(names) => Ok(Some(names)),
            Err(RegistryError::ListingOff { .. }) => Ok(None),
            Err(error) => Err(raised(&error)),
        }
    }

    fn register(
        &self,
        py: Python<'_>,
        names: Vec<String>,
        port: u16,
        source: Option<&str>,
    ) -> PyResult<()> {
        let client = self.asking_from(source)?;
        let offer = Offer::new(names.iter().map(String::as_str), port);
        let offer = offer.map_err(|error| raised(&error))?;
        let registered = rest(py, || client.register(&offer));
        registered.map(drop).map_err(|error| raised(&error))
    }

    fn unregister(&self, py: Python<'_>, port: u16, source: Option<&str>) -> PyResult<()> {
        let client = self.asking_from(source)?;
        rest(py, || client.unregister(port)).map_err(|error| raised(&error))
    }
}

impl Registry {
    /// Asking from that address, which is where a registry takes a server to be.
    fn asking_from(&self, source: Option<&str>) -> PyResult<RegistryClient> {
        let Some(source) = source else {
            return Ok(self.0.clone());
        };
        let parsed: Result<IpAddr, _> = source.parse();
        let address = parsed.map_err(|_| {
            PyValueError::new_err(format!(
                "interface: {source} is no IP address of this machine"
            ))
        })?;
        Ok(self.0.clone().source(address))
    }
}

/// The exception that stands for it in Python.
fn raised(error: &RegistryError) -> PyErr {
    let text = with_causes(error);
    match error {
        RegistryError::Io { source, .. } => io::Error::new(source.kind(), text).into(),
        RegistryError::NoAnswer { .. } => PyTimeoutError::new_err(text),
        RegistryError::Misuse(_) => PyValueError::new_err(text),
        _ => PyConnectionError::new_err(text),
    }
}
