//! A pair of pipes as one stream: child processes, stdin and stdout.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::stream::{Stream, Timeouts, within_timeouts};
use crate::sync::Mutex;

/// Two pipes, or anything else that has descriptors: one is read, one is written.
///
/// Pipes can't be shut down as sockets can. So every read and write waits together for the pipe and
/// for a wake-up pipe, whose other end is closed at the end of the stream.
#[derive(Debug)]
pub struct PipeStream {
    input: Mutex<Option<Arc<OwnedFd>>>,
    output: Mutex<Option<Arc<OwnedFd>>>,
    // The descriptor is non-blocking: a write of any size takes what fits and returns.
    nonblocking: bool,
    wake: io::PipeReader,
    waker: Mutex<Option<io::PipeWriter>>,
    timeouts: Timeouts,
    label: String,
    // The program that the pipes lead to, if this stream has started it.
    child: Mutex<Option<Child>>,
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
            child: Mutex::new(None),
        })
    }

    /// Starts a program: a stream of its stdin and stdout. When the stream ends, the program sees the end of its
    /// stdin; one that hasn't ended 5 s later is killed.
    pub(crate) fn to_program(command: &mut Command) -> io::Result<PipeStream> {
        let name = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = spawned?;
        let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        // No other process shares this end.
        fcntl_setfl(&stdin, fcntl_getfl(&stdin)? | OFlags::NONBLOCK)?;
        let mut stream = PipeStream::new(stdout, stdin)?;
        stream.nonblocking = true;
        stream.label = format!("{name} (process {})", child.id());
        stream.child = Mutex::new(Some(child));
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
        let Some(child) = self.child.lock().take() else {
            return;
        };
        let reaper = thread::Builder::new().name("rpyc-reaper".to_owned());
        if let Err(error) = reaper.spawn(move || see_off(child)) {
            log::warn!(target: "rpyc", "no thread to wait for a child process on: {error}");
        }
    }

    fn raw_fd(&self) -> Option<RawFd> {
        self.input.lock().as_ref().map(|input| input.as_raw_fd())
    }

    fn peer_label(&self) -> String {
        self.label.clone()
    }
}

impl Drop for PipeStream {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Waits for the end of a child whose stdin has been closed, and kills it when it takes too long.
fn see_off(mut child: Child) {
    let deadline = Instant::now() + GRACE;
    while let Ok(None) = child.try_wait() {
        if deadline <= Instant::now() {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(LOOK); // std has no wait for a child with a limit
    }
}

/// POSIX's least PIPE_BUF is 512; every system that has `poll` for pipes takes a page.
const SAFE_WRITE: usize = 4096;

/// How long a program may take to end once its stdin has ended, and how often it is looked at meanwhile.
const GRACE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(10);
