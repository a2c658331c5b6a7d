//! [`BackgroundServing`]: serving while the program does something else.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::session::Link;
use crate::dispatch::GRACE;
use crate::dispatch::background_state::BackgroundState;
use crate::dispatch::waits::ForDismissal;
use crate::error::Error;
use crate::executor::spawn;

/// A thread that serves a connection: callbacks run while the program does something else. Made by
/// [`Connection::serve_in_background`](crate::Connection::serve_in_background); it stops when this is dropped.
#[derive(Debug)]
pub struct BackgroundServing {
    state: Arc<BackgroundState>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundServing {
    pub(super) fn start(link: Arc<Link>) -> Result<BackgroundServing, Error> {
        let state = Arc::new(BackgroundState::default());
        let name = format!("{}-background", link.session.connid);
        let dismissed = state.clone();
        let serve = move || {
            while !dismissed.is_over() {
                // A read can't be interrupted, but it can be short.
                let deadline = Instant::now() + LOOK_UP;
                if link.wait_for(ForDismissal(&dismissed), Some(deadline)) {
                    return link.finish_within(GRACE);
                }
            }
        };
        let spawned = spawn(&name, serve);
        let thread = spawned.map_err(|error| Error::Io {
            doing: "starting a background thread".into(),
            error: Arc::new(error),
        })?;
        Ok(BackgroundServing {
            state,
            thread: Some(thread),
        })
    }

    /// Stops serving and waits until the thread has ended: half a second, or as long as the request
    /// takes that it runs.
    pub fn stop(mut self) {
        self.state.dismiss();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for BackgroundServing {
    fn drop(&mut self) {
        self.state.dismiss();
    }
}

/// How often a background thread looks whether it should stop; a little over a power of two of
/// milliseconds, because reads are bounded by those.
const LOOK_UP: Duration = Duration::from_millis(513);
