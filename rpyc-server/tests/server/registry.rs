//! A registry that answers from a store, which takes its time.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use rpyc_registry::{
    Directory, Offer, RegistryClient, RegistryError, ServerAddress, ServerEntry, Watch,
};
use rpyc_server::registry::{Registry, Transport};

use crate::DEADLINE;

/// Knows one server, and takes so long to say so.
#[derive(Debug)]
struct Slow(Duration);

impl Directory for Slow {
    fn discover(&self, _: &str) -> Result<Vec<ServerEntry>, RegistryError> {
        thread::sleep(self.0);
        Ok(vec![ServerEntry::new(ServerAddress::new("10.0.0.1", 1))])
    }

    fn list(&self, _: Option<&str>) -> Result<Vec<String>, RegistryError> {
        Err(RegistryError::Misuse("nobody lists"))
    }

    fn register(&self, _: &Offer) -> Result<Duration, RegistryError> {
        Err(RegistryError::Misuse("nobody registers"))
    }

    fn unregister(&self, _: u16) -> Result<(), RegistryError> {
        Err(RegistryError::Misuse("nobody registers"))
    }

    fn watch(&self, _: &str) -> Result<Box<dyn Watch>, RegistryError> {
        Err(RegistryError::Misuse("nobody watches"))
    }
}

#[test]
fn over_tcp_the_time_of_the_store_isnt_that_of_who_asks() {
    // Longer than a connection may take to ask.
    let slow = |_: IpAddr, _| Box::new(Slow(Duration::from_millis(3_200))) as Box<dyn Directory>;
    let registry = Registry::builder().transport(Transport::Tcp).store(slow);
    let registry = registry.listen("127.0.0.1:0").unwrap().start().unwrap();
    let client = RegistryClient::tcp("127.0.0.1").port(registry.local_addr().port());
    let found = client.timeout(DEADLINE).discover("files");
    assert_eq!(found.expect("it is answered").len(), 1);
}
