//! The registry under test, and Python's own, each as a process on a port that the system chooses.

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use rpyc_registry::{Directory, Offer};

use crate::deadline::PATIENCE;
use crate::process::Process;
use crate::python::{self, Running, Script};
use crate::server::{self, Signal};

/// `rpyc-server registry`. Dropping it kills it.
#[derive(Debug)]
pub struct Registry {
    process: Process,
    address: SocketAddr,
}

impl Registry {
    /// Starts it with these options, and port 0.
    ///
    /// # Panics
    /// When it can't be built or does not come up.
    #[must_use]
    pub fn start(options: &[&str]) -> Self {
        let mut command = Command::new(server::binary());
        command.args(["registry", "--port", "0"]).args(options);
        python::clear_environment(&mut command)
            .env_remove("RUST_LOG")
            .current_dir(env::temp_dir());
        let process = Process::spawn(&mut command);
        let address = process.wait_for_line(PATIENCE, |line| {
            let (_, address) = line.split_once("listening on ")?;
            address.parse().ok()
        });
        match address {
            Some(address) => Self { process, address },
            None => panic!(
                "the registry did not say where it listens:\n{}",
                process.stderr_lines().join("\n")
            ),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A script that finds its port as `REGISTRY`.
    #[must_use]
    pub fn script(&self, code: &str) -> Script {
        script(self.address.port(), code)
    }

    /// Runs such a script and returns its standard output.
    ///
    /// # Panics
    /// When it fails or hangs, with its output and the registry's log.
    #[track_caller]
    pub fn check(&self, code: &str) -> String {
        match self.script(code).outcome() {
            Ok(stdout) => stdout,
            Err(reason) => panic!("{reason}\n--- the registry's log ---\n{}", self.log()),
        }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr_lines().join("\n")
    }

    /// Waits for a line of the log with this text.
    ///
    /// # Panics
    /// When none comes in time, with the log.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let found = self
            .process
            .wait_for_line(PATIENCE, |line| line.contains(text).then_some(()));
        assert!(found.is_some(), "never logged: {text}\n{}", self.log());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Tells it to stop; gives its exit code.
    ///
    /// # Panics
    /// When it doesn't end.
    #[track_caller]
    pub fn stop(mut self) -> Option<i32> {
        self.process.signal(Signal::TERM);
        match self.process.wait(PATIENCE) {
            Some(status) => status.code(),
            None => panic!("the registry still runs\n{}", self.log()),
        }
    }
}

/// Python's registry server, listening on 127.0.0.1, with listing on.
#[derive(Debug)]
pub struct PythonRegistry {
    port: u16,
    _process: Running,
}

impl PythonRegistry {
    /// Starts one of `UDP` or `TCP`.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(transport: &str) -> Self {
        let process = Script::new(
            "from rpyc.utils import registry\n\
             kind = getattr(registry, sys.argv[1] + 'RegistryServer')\n\
             server = kind(host='127.0.0.1', port=0, allow_listing=True)\n\
             say(f'port {server.port}')\n\
             server.start()",
        )
        .argument(transport)
        .serving()
        .spawn();
        let port = process.told("port ").parse();
        Self {
            port: port.unwrap_or_else(|e| panic!("not a port: {e}")),
            _process: process,
        }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A script that finds its port as `REGISTRY`.
    #[must_use]
    pub fn script(&self, code: &str) -> Script {
        script(self.port, code)
    }
}

/// Registers a server of this service.
///
/// # Panics
/// When the directory refuses.
#[track_caller]
pub fn register(directory: &dyn Directory, name: &str, port: u16) {
    let offer = Offer::new([name], port).expect("a good offer");
    directory.register(&offer).expect("registered");
}

fn script(port: u16, code: &str) -> Script {
    Script::new(&format!(
        "from rpyc.utils.registry import UDPRegistryClient, TCPRegistryClient\n\
         REGISTRY = int(os.environ['REGISTRY_PORT'])\n{}",
        python::dedent(code)
    ))
    .variable("REGISTRY_PORT", port.to_string())
}
