//! A pair of pipes as one stream: child processes, stdin and stdout.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::stream::{Stream, Timeouts, within_timeouts};
use crate::sync::Mutex;

/// Two pipes, or anything else that has descriptors: one is read, one is written.
///
/// Pipes can't be shut down as sockets can. So every read and write waits together for the pipe and
/// for a wake-up pipe, whose other end is closed at the end of the stream.
pub struct PipeStream {
    input: Mutex<Option<Arc<OwnedFd>>>,
    output: Mutex<Option<Arc<OwnedFd>>>,
    // The descriptor is non-blocking: a write of any size takes what fits and returns.
    nonblocking: bool,
    wake: io::PipeReader,
    waker: Mutex<Option<io::PipeWriter>>,
    timeouts: Timeouts,
    label: String,
}

impl PipeStream {
    /// A stream of what is read from `input` and written to `output`.
    ///
    /// # Errors
    /// When the system has no more descriptors.
    pub fn new(input: impl Into<OwnedFd>, output: impl Into<OwnedFd>) -> io::Result<PipeStream> {
        let (wake, waker) = io::pipe()?;
        Ok(PipeStream {
            input: Mutex::new(Some(Arc::new(input.into()))),
            output: Mutex::new(Some(Arc::new(output.into()))),
            nonblocking: false,
            wake,
            waker: Mutex::new(Some(waker)),
            timeouts: Timeouts::default(),
            label: "a pipe".to_owned(),
        })
    }

    /// The same over pipes that no other process shares this end of: they are written faster.
    pub(crate) fn exclusive(
        input: impl Into<OwnedFd>,
        output: impl Into<OwnedFd>,
        label: String,
    ) -> io::Result<PipeStream> {
        let output = output.into();
        fcntl_setfl(&output, fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
        let mut stream = PipeStream::new(input, output)?;
        stream.nonblocking = true;
        stream.label = label;
        Ok(stream)
    }

    /// This process's stdin and stdout. From now on they are the stream's alone: reading stdin
    /// gives nothing, and what is printed goes to stderr.
    ///
    /// # Errors
    /// What the system says.
    pub fn stdio() -> io::Result<PipeStream> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        let mut stream = PipeStream::new(input, output)?;
        stream.label = "stdio".to_owned();
        Ok(stream)
    }

    fn read_within(&self, buffer: &mut [u8], timeout: Option<Duration>) -> io::Result<usize> {
        let Some(input) = self.input.lock().clone() else {
            return Ok(0);
        };
        if !self.wait(&input, PollFlags::IN, timeout)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(rustix::io::read(&*input, buffer)?)
    }

    fn write_within(&self, slices: &[IoSlice<'_>], timeout: Option<Duration>) -> io::Result<usize> {
        let output = self.output.lock().clone().ok_or_else(ended)?;
        loop {
            // Waiting fails where the pipe has no reader any more. Writing would raise a SIGPIPE.
            if !self.wait(&output, PollFlags::OUT, timeout)? {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let written = if self.nonblocking {
                rustix::io::writev(&*output, slices)
            } else {
                // A pipe that is ready takes this much without blocking.
                let first = slices.iter().find(|slice| !slice.is_empty());
                let first: &[u8] = first.map_or(&[], |slice| slice);
                rustix::io::write(&*output, &first[..first.len().min(SAFE_WRITE)])
            };
            match written {
                Err(rustix::io::Errno::AGAIN) => {}
                written => return Ok(written?),
            }
        }
    }

    /// Waits until the descriptor is ready; says whether it is, within the time.
    fn wait(&self, fd: &OwnedFd, ready: PollFlags, timeout: Option<Duration>) -> io::Result<bool> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [
            PollFd::new(fd, ready),
            PollFd::new(&self.wake, PollFlags::IN),
        ];
        if poll(&mut fds, timeout.as_ref())? == 0 {
            return Ok(false);
        }
        let unread = ready == PollFlags::OUT && fds[0].revents().contains(PollFlags::ERR);
        if unread || !fds[1].revents().is_empty() {
            return Err(ended());
        }
        Ok(true)
    }
}

fn ended() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

impl Stream for PipeStream {
    within_timeouts!();

    fn shutdown(&self) {
        // This wakes the waiting threads. The last of them to return closes the descriptors.
        drop(self.waker.lock().take());
        drop(self.input.lock().take());
        drop(self.output.lock().take());
    }

    fn raw_fd(&self) -> Option<RawFd> {
        self.input.lock().as_ref().map(|input| input.as_raw_fd())
    }

    fn peer_label(&self) -> String {
        self.label.clone()
    }
}

impl fmt::Debug for PipeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeStream")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// POSIX's least PIPE_BUF is 512; every system that has `poll` for pipes takes a page.
const SAFE_WRITE: usize = 4096;
