//! The `registry` command: a registry until a signal stops it.

use std::time::Duration;

use crate::registry::{Registry, Transport};
use log::info;
use rpyc_registry::DEFAULT_PORT;

use crate::program::cli::RegistryOptions;
use crate::program::failure::Failure;
use crate::program::{check, logging, plan, signals};

/// Runs a registry until a signal stops it, or says whether it could.
pub(crate) fn run(options: &RegistryOptions) -> Result<(), Failure> {
    plan::check_logging(&options.logging)?;
    let addresses = plan::resolve("--host", options.host(), options.port)?;
    let store = match (options.store_is_etcd, &options.etcd_host) {
        (false, None) => None,
        (true, None) => {
            return Err(Failure::usage("--store etcd needs --etcd-host")
                .hint("Name the members: --etcd-host a:2379,b:2379,c:2379."));
        }
        (false, Some(_)) => {
            return Err(
                Failure::usage("--etcd-host: the registry keeps everything in memory")
                    .hint("--store etcd has it use etcd."),
            );
        }
        (true, Some(members)) => {
            let (etcd, port) = (&options.etcd, DEFAULT_PORT);
            let store = etcd.directory("--etcd-host", members, port, PATIENCE, options.timeout)?;
            Some(store.stateless(options.max_entries))
        }
    };
    if options.check {
        check::addresses("--host, --port", &addresses)?;
        return crate::program::print::print(b"configuration OK\n");
    }
    let log = logging::start(&options.logging)?;
    let broken = |error| Failure::new("the registry can't go on").because(error);
    let signals = signals::catch(log, Vec::new()).map_err(broken)?;
    let mut builder = Registry::builder()
        .transport(options.transport)
        .listing(options.listing)
        .lifetime(options.timeout)
        .allow(options.allow.iter().copied())
        .foreign_hosts(options.foreign_hosts)
        .rate(options.rate)
        .max_entries(options.max_entries);
    if let Some(store) = store {
        builder = builder.store(move |server, log| {
            let store = store.clone().advertise(server);
            Box::new(store.on_warning(move |text| log.warn(text.to_owned())))
        });
    }
    let registry = builder.listen(&addresses[..]).map_err(|error| {
        Failure::new(format!("--port {} can't be had", options.port))
            .because(error)
            .hint("Take another port with --port, or a free one with --port 0.")
    })?;
    let transport = match options.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    info!(
        "registry over {transport} listening on {}",
        registry.local_addr()
    );
    let stopper = registry.stopper();
    let stopped = signals.stop_with(move || stopper.stop(), || ());
    stopped.map_err(broken)?;
    registry.run().map_err(broken)?;
    info!("stopped");
    Ok(())
}

/// How long etcd may take: Python's clients wait for 2 s.
const PATIENCE: Duration = Duration::from_millis(1_500);
