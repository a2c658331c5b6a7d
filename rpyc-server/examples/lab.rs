//! An instrument on the network: state, callbacks, exceptions of its own, and two ports.
//!
//!     cargo run --release -p rpyc-server --no-default-features --example lab -- 127.0.0.1:18861 127.0.0.1:18862
//!
//! In Python: `rpyc.connect("127.0.0.1", 18861).root.sweep([1, 2], print)`. Ctrl-C ends it.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rpyc_core::object::Dict;
use rpyc_core::{Config, Exception, Exposed, Netref, PythonException, args, dict, service};
use rpyc_server::{Running, Server};

/// In Python `lab.OutOfRange`, with the attributes `channel` and `volts`.
#[derive(Debug, PartialEq, thiserror::Error, PythonException)]
#[error("{volts} V are out of range on channel {channel}")]
#[exception(module = "lab")]
pub(crate) struct OutOfRange {
    pub(crate) channel: u32,
    pub(crate) volts: f64,
}

#[derive(Default)]
pub(crate) struct Lab {
    volts: Mutex<BTreeMap<u32, f64>>,
}

/// A source of voltages.
#[service(module = "lab")]
impl Lab {
    /// Sets a channel; gives what it was set to before.
    #[exposed]
    fn set(&self, channel: u32, volts: f64) -> Result<Option<f64>, OutOfRange> {
        if !(0.0..=24.0).contains(&volts) {
            return Err(OutOfRange { channel, volts });
        }
        Ok(self.volts().insert(channel, volts))
    }

    #[exposed]
    fn measure(&self, channel: u32, #[default = 1.0] gain: f64) -> Result<f64, Exception> {
        let found = self.volts().get(&channel).map(|volts| volts * gain);
        found.ok_or_else(|| Exception::key_error(channel))
    }

    /// Measures the channels one after the other, and calls `progress(done, total)` after each.
    #[exposed]
    fn sweep(
        &self,
        channels: Vec<u32>,
        #[default] progress: Option<Netref>,
    ) -> Result<Dict, Exception> {
        let measured = Dict::new();
        for (done, channel) in channels.iter().enumerate() {
            measured.insert(channel, self.measure(*channel, 1.0)?)?;
            if let Some(progress) = &progress {
                progress.call(args![done + 1, channels.len()])?;
            }
        }
        Ok(measured)
    }
}

impl Lab {
    fn volts(&self) -> MutexGuard<'_, BTreeMap<u32, f64>> {
        self.volts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same instrument as its keepers see it.
struct Keeper(Exposed<Lab>);

#[service(module = "lab")]
impl Keeper {
    #[exposed]
    fn status(&self) -> Result<Dict, Exception> {
        dict! { "channels" => self.0.volts().len(), "highest" => self.0.volts().values().copied().reduce(f64::max) }
    }

    #[exposed]
    fn reset(&self) {
        self.0.volts().clear();
    }
}

/// One instrument for all clients; four requests of one client may run at once.
pub(crate) fn serve(public: &str, keepers: &str) -> Result<[Running; 2], Box<dyn Error>> {
    let lab = Exposed::new(Lab::default());
    let keeper = Server::builder(Keeper(lab.clone())).listen(keepers)?;
    let config = Config::new().concurrency(4);
    let public = Server::builder(lab)
        .connection_config(config)
        .listen(public)?;
    Ok([public.start()?, keeper.start()?])
}

#[allow(dead_code)] // a test calls `serve` itself
fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses = std::env::args().skip(1);
    let mut address = || addresses.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let servers = serve(&address(), &address())?;
    for server in &servers {
        println!("{:?}", server.addresses());
    }
    // Ctrl-C, or what a service manager sends: clients' requests may end, then the servers do.
    let mut signals = signal_hook::iterator::Signals::new([2, 15])?;
    signals.forever().next();
    servers.into_iter().for_each(Running::stop);
    Ok(())
}
