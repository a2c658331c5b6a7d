//! What a process that serves one client may use up.

use std::io;
use std::thread;
use std::time::Duration;

use super::process_tree::kill_descendants;
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

/// Limits on this process, for one that serves a single client
/// ([`Mode::Process`](super::Mode::Process)). Whoever runs into one of them ends the process, and its
/// client with it; the server's log says by which signal.
///
/// ```no_run
/// use std::time::Duration;
///
/// let mut limits = rpyc_server::ProcessLimits::default();
/// limits.memory = Some(512 << 20);
/// limits.cpu_time = Some(Duration::from_secs(600));
/// limits.apply()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessLimits {
    /// Bytes of memory that the process may allocate beyond what it has now; it stops clients
    /// that fill the machine's memory. Stacks count in full, also as far as they aren't used.
    /// An allocation beyond it fails, which most programs end on (SIGABRT). It is the system's
    /// RLIMIT_DATA. Default: no limit.
    pub memory: Option<u64>,
    /// Time on processors, of all threads together, in whole seconds; it stops clients that
    /// compute without end. Then the process gets SIGXCPU, and SIGKILL two seconds later. It is the
    /// system's RLIMIT_CPU. Default: no limit.
    pub cpu_time: Option<Duration>,
    /// Time by the clock from now on, whatever the client does; it stops clients that stay for
    /// ever. Then what it has started is killed, and the process gets SIGALRM. Default: no limit.
    pub lifetime: Option<Duration>,
}

impl ProcessLimits {
    /// Puts this process under the limits.
    ///
    /// # Errors
    /// When the system refuses a limit, or a thread.
    pub fn apply(&self) -> io::Result<()> {
        if let Some(memory) = self.memory {
            let now = data_size()?;
            limit(Resource::Data, now.saturating_add(memory), 0)?;
        }
        if let Some(time) = self.cpu_time {
            // A limit of zero would be none at all on some systems.
            limit(Resource::Cpu, time.as_secs().max(1), LAST_SECONDS)?;
        }
        if let Some(time) = self.lifetime {
            thread::Builder::new()
                .name("rpyc-lifetime".to_owned())
                .stack_size(STACK)
                .spawn(move || {
                    thread::sleep(time); // the lifetime itself
                    kill_descendants();
                    // Nothing handles it, so that it ends the process whatever runs.
                    let _ = kill_process(getpid(), Signal::ALARM);
                })?;
        }
        Ok(())
    }
}

fn limit(resource: Resource, soft: u64, beyond: u64) -> io::Result<()> {
    let before = rustix::process::getrlimit(resource);
    let hard = soft.saturating_add(beyond);
    // A stricter limit of the administrator's stays.
    let at_most = |limit: u64| before.maximum.map_or(limit, |maximum| limit.min(maximum));
    let limit = Rlimit {
        current: Some(at_most(soft)),
        maximum: Some(at_most(hard)),
    };
    setrlimit(resource, limit).map_err(io::Error::from)
}

/// Bytes that RLIMIT_DATA counts now.
#[cfg(target_os = "linux")]
fn data_size() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes << 10)
        .ok_or_else(|| io::Error::other("/proc/self/status has no VmData"))
}

/// Elsewhere the heap alone counts, which is small at the start.
#[cfg(not(target_os = "linux"))]
fn data_size() -> io::Result<u64> {
    Ok(64 << 20)
}

/// What a program has to react to SIGXCPU, before it is killed.
const LAST_SECONDS: u64 = 2;

/// For a thread that sleeps.
const STACK: usize = 128 << 10;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_memory_grows_with_what_is_allocated() {
        let before = data_size().expect("a number");
        // Far more than what other tests give back meanwhile; nothing touches it.
        let block = std::hint::black_box(vec![0_u8; 1 << 30]);
        let after = data_size().expect("a number");
        assert!(after >= before + (512 << 20), "{before} {after}");
        drop(block);
    }
}
