//! Classic mode: the evaluator's life, and its service.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use log::warn;
use rpyc_classic::rustpython::{Engine, Options, StartError};
use rpyc_classic::{SlaveOptions, SlaveService};
use rpyc_core::service::ServiceFactory;

use crate::cli::ServeOptions;

/// The evaluator behind classic mode.
pub(crate) struct Evaluator(Arc<Engine>);

impl Evaluator {
    pub(crate) fn start(options: &ServeOptions) -> Result<Evaluator, StartError> {
        let mut engine = Options::default();
        engine.request_time_limit = options.limits.request_time_limit;
        Engine::start(engine).map(Evaluator)
    }

    pub(crate) fn factory(&self, options: &ServeOptions) -> Arc<dyn ServiceFactory> {
        let mut slave = SlaveOptions::default();
        slave.allow_pickle = !options.serving.no_pickle;
        SlaveService::factory(self.0.clone(), slave)
    }

    /// Runs Python's own clean-up, unless client code that doesn't end is in its way.
    pub(crate) fn stop(self) {
        let (done, wait) = mpsc::channel();
        let stop = move || {
            self.0.stop();
            // Nobody waits any more when it took too long.
            let _ = done.send(());
        };
        let started = thread::Builder::new()
            .name("rpyc-stop".to_owned())
            .spawn(stop);
        if started.is_ok() && wait.recv_timeout(CLEAN_UP).is_err() {
            warn!("Python code is still running; its clean-up is skipped");
        }
    }
}

/// How long Python's clean-up may take.
const CLEAN_UP: Duration = Duration::from_secs(2);
