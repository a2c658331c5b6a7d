//! Threads: each has a name, and most of them somebody who waits for their end.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use crate::causes::none_left;

/// Starts a thread.
pub(crate) fn start(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(none_left("threads"))
}

/// The same for who waits no longer than it likes: the channel is disconnected when the thread has ended.
pub(crate) fn start_watched(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<Receiver<()>> {
    let (running, ended) = mpsc::channel();
    let work = move || {
        let _running = running;
        work();
    };
    start(name, work).map(|_| ended)
}

/// A thread whose end is waited for when this is dropped.
#[derive(Debug)]
pub(crate) struct Joined(Option<JoinHandle<()>>);

impl Joined {
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Joined> {
        start(name, work).map(|thread| Joined(Some(thread)))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.join();
    }
}
