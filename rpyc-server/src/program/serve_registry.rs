//! The `registry` command: a registry until a signal stops it.

use crate::registry::{Registry, Transport};
use log::info;

use crate::program::cli::RegistryOptions;
use crate::program::failure::Failure;
use crate::program::{check, logging, plan, signals};

/// Runs a registry until a signal stops it, or says whether it could.
pub(crate) fn run(options: &RegistryOptions) -> Result<(), Failure> {
    plan::check_logging(&options.logging)?;
    let addresses = plan::resolve("--host", &options.host, options.port)?;
    if options.check {
        check::addresses("--host, --port", &addresses)?;
        return crate::program::print(b"configuration OK\n");
    }
    let log = logging::start(&options.logging)?;
    let broken = |error| Failure::new("the registry can't go on").because(error);
    let signals = signals::catch(log, Vec::new()).map_err(broken)?;
    let registry = Registry::builder()
        .transport(options.transport)
        .listing(options.listing)
        .lifetime(options.timeout)
        .allow(options.allow.iter().copied())
        .foreign_hosts(options.foreign_hosts)
        .rate(options.rate)
        .max_entries(options.max_entries)
        .listen(&addresses[..])
        .map_err(|error| {
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
