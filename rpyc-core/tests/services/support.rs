//! A connection whose other end is served on a thread.

use std::sync::Arc;
use std::thread::JoinHandle;

use rpyc_core::error::CloseReason;
use rpyc_core::{Any, Args, Config, Connection, Error, Exception, Netref, Service, VoidService};

/// A client's end; the server's end is served until this is dropped.
pub(crate) struct Session {
    pub(crate) client: Connection,
    pub(crate) root: Netref,
    server: Option<JoinHandle<CloseReason>>,
}

/// Connects to a service, with the server's config.
pub(crate) fn session(service: impl Service, config: Config) -> Session {
    let (client, server) = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        Arc::new(service),
        config,
    )
    .expect("neither end refuses");
    let server = std::thread::spawn(move || server.serve_all());
    let root = match client.root() {
        Ok(Any::Netref(root)) => root,
        other => panic!("the root is no reference: {other:?}"),
    };
    Session {
        client,
        root,
        server: Some(server),
    }
}

impl Session {
    /// Calls a method of the root.
    pub(crate) fn call(&self, name: &str, args: Args) -> Result<Any, Error> {
        self.root.call_method(name, args)
    }

    /// Calls a method of the root that must return a plain value.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, args: Args) -> rpyc_core::Value {
        match self.call(name, args) {
            Ok(Any::Value(value)) => value,
            other => panic!("{name} gave {other:?}"),
        }
    }

    /// Calls a method of the root that must return an object.
    #[track_caller]
    pub(crate) fn object(&self, name: &str, args: Args) -> Netref {
        match self.call(name, args) {
            Ok(Any::Netref(netref)) => netref,
            other => panic!("{name} gave {other:?}"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.client.close();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// What the peer raised, as one line.
#[track_caller]
pub(crate) fn raised(outcome: Result<Any, Error>) -> Exception {
    match outcome {
        Err(Error::Remote(exception)) => exception,
        other => panic!("nothing was raised: {other:?}"),
    }
}
