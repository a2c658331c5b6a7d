//! A gateway: clients reach the lab behind it, and what it lets through.
//!
//!     cargo run --release -p rpyc-server --no-default-features --example gateway -- 127.0.0.1:18861 127.0.0.1:18871
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use rpyc_core::object::Dict;
use rpyc_core::{Any, Args, Connection, Exception, args, connect, dict, service};
use rpyc_server::{Running, Server};

struct Gateway {
    // Held by the service, so that it stays open as long as there is one.
    lab: Connection,
    calls: AtomicU64,
}

/// The lab, for everybody, without its ways to change anything.
#[service(aliases("lab"))]
impl Gateway {
    #[exposed]
    fn measure(&self, channel: u32, #[default = 1.0] gain: f64) -> rpyc_core::Result<Any> {
        self.forward("measure", args![channel, gain])
    }

    /// The client's callback is called by the lab itself, through here; so is the lab's dict used.
    #[exposed]
    fn sweep(&self, channels: Any, #[default = Any::NONE] progress: Any) -> rpyc_core::Result<Any> {
        self.forward("sweep", args![channels, progress])
    }

    #[exposed]
    fn set(&self, _channel: u32, _volts: f64) -> Result<(), Exception> {
        Err(Exception::builtin("PermissionError").with_arg("this way the lab is read only"))
    }

    #[exposed]
    fn statistics(&self) -> Result<Dict, Exception> {
        dict! { "calls" => self.calls.load(Ordering::Relaxed), "lab" => self.lab.peer_label() }
    }
}

impl Gateway {
    /// What the lab raises, or that it is gone, goes on to the client as it is.
    fn forward(&self, method: &str, args: Args) -> rpyc_core::Result<Any> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.lab.root()?.call_method(method, args)
    }
}

pub(crate) fn serve(lab: &str, address: &str) -> Result<Running, Box<dyn Error>> {
    let gateway = Gateway {
        lab: connect(lab)?,
        calls: AtomicU64::new(0),
    };
    Ok(Server::builder(gateway).listen(address)?.start()?)
}

#[allow(dead_code)] // a test calls `serve` itself
fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses = std::env::args().skip(1);
    let lab = addresses
        .next()
        .unwrap_or_else(|| "127.0.0.1:18861".to_owned());
    let server = serve(&lab, addresses.next().as_deref().unwrap_or("127.0.0.1:0"))?;
    println!("{:?}", server.addresses());
    // Until it is killed.
    std::thread::park();
    server.stop();
    Ok(())
}
