//! [`ConnectByService`]: connecting to a server whose service has a name in a directory.

use std::sync::Arc;
use std::time::Instant;

use rpyc_core::Connection;
use rpyc_core::Connector;

use super::directory::Directory;
use super::error::RegistryError;

/// What a [`Connector`] can with a [`Directory`].
pub trait ConnectByService {
    /// Connects over TCP to a server of this service: to the first one that the directory knows and that
    /// can be connected to. The connector's time-out counts from when the servers are known, for all of
    /// them together: each has its share of what is left, a quarter at least.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), rpyc_core::Error> {
    /// use rpyc_core::Connector;
    /// use rpyc_registry::{ConnectByService, RegistryClient};
    /// let registry = RegistryClient::udp("registry.example");
    /// let conn = Connector::new().connect_by_service(&registry, "calculator")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Directory::discover`]; [`RegistryError::AllDown`] when none of the servers can be connected
    /// to.
    fn connect_by_service(
        &self,
        directory: &dyn Directory,
        name: &str,
    ) -> Result<Connection, RegistryError>;
}

impl ConnectByService for Connector {
    fn connect_by_service(
        &self,
        directory: &dyn Directory,
        name: &str,
    ) -> Result<Connection, RegistryError> {
        let servers = directory.discover(name)?;
        let began = Instant::now();
        let mut last = None;
        for (tried, server) in servers.iter().enumerate() {
            let share = self.time_limit().map(|limit| {
                let others = (servers.len() - tried).clamp(1, 4) as u32;
                limit.saturating_sub(began.elapsed()) / others
            });
            let connector = self.clone().timeout(share);
            let address = &server.address;
            match connector.connect((&*address.host, address.port)) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        let name = name.to_uppercase();
        Err(match last {
            None => RegistryError::NoServer { name },
            Some(error) => RegistryError::AllDown {
                name,
                servers: servers.len(),
                source: Arc::new(error),
            },
        })
    }
}
