//! In the model there is no watchdog thread: a scenario that needs one has a thread that looks.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::executor::{Executor, Job};

/// What the watchdog looks at.
pub(crate) trait Watched: Send + Sync {
    /// Looks once; says whether to come back.
    #[allow(dead_code)] // scenarios look by themselves
    fn look(self: Arc<Self>) -> bool;
}

/// Starts a thread of the model for each job.
#[derive(Debug)]
pub(crate) struct ModelThreads;

impl Executor for ModelThreads {
    fn execute(&self, job: Job) -> io::Result<()> {
        shuttle::thread::spawn(job);
        Ok(())
    }
}

pub(crate) fn helpers() -> &'static ModelThreads {
    &ModelThreads
}

pub(crate) struct NoWatchdog {
    pub(crate) untold: Option<io::Error>,
}

#[expect(clippy::unnecessary_wraps, reason = "as the other one")]
pub(crate) fn look_after(_: Weak<dyn Watched>) -> Result<(), NoWatchdog> {
    Ok(())
}

pub(crate) const TICK: Duration = Duration::from_millis(10);
