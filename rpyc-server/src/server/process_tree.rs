//! What a client's process has started ends with it: on Linux, where a process can adopt what its
//! children leave behind (it is then a child subreaper), and be told of its parent's end. Elsewhere a
//! process group is all that there is.

use std::io;

use rustix::process::{Pid, getpid, getppid};

/// The server's number, for the process of a client.
pub(super) const SERVER: &str = "RPYC_SERVER_PID";

/// Has this process, and all that it starts from now on, end with the server that has started it for
/// a client, whatever ends the server.
///
/// # Errors
/// When the server has ended already, or the system refuses.
pub(super) fn end_with_server() -> io::Result<()> {
    let server = std::env::var(SERVER).ok();
    let Some(server) = server.and_then(|number| Pid::from_raw(number.parse().ok()?)) else {
        return Ok(()); // somebody else has started it
    };
    let watched = system::watch(server);
    // One that ended before it was watched isn't the parent any more.
    if getppid() != Some(server) {
        return Err(io::Error::other("the server has ended"));
    }
    watched
}

/// Has what this process's children leave behind become its own children.
pub(super) fn adopt_orphans() -> io::Result<()> {
    system::adopt_orphans()
}

/// Kills all that descends from this process.
pub(super) fn kill_descendants() {
    // What they start meanwhile is met by the next round; one that only starts others without end
    // is stopped by the limits of the system on processes.
    for _ in 0..ROUNDS {
        if !system::kill_all(&system::descendants(getpid())) {
            return;
        }
    }
}

/// Kills what this process has adopted: its children that its first thread, which starts none, has,
/// but for those that are known.
pub(super) fn kill_orphans(is_known: impl Fn(Pid) -> bool) {
    for _ in 0..ROUNDS {
        let mut orphans = system::children_of_first_thread();
        orphans.retain(|pid| !is_known(*pid));
        if !system::kill_all(&orphans) {
            return;
        }
        for pid in orphans {
            system::reap(pid);
        }
    }
}

const ROUNDS: usize = 100;

#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashMap;
    use std::fs;
    use std::io;
    use std::thread;

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use rustix::process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open,
        set_child_subreaper, set_parent_process_death_signal, waitpid,
    };

    pub(super) fn adopt_orphans() -> io::Result<()> {
        Ok(set_child_subreaper(Some(getpid()))?)
    }

    pub(super) fn watch(server: Pid) -> io::Result<()> {
        adopt_orphans()?;
        let Ok(server) = pidfd_open(server, PidfdFlags::empty()) else {
            // A system of before Linux 5.3: its descendants aren't looked for.
            return Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
        };
        // One that was stopped goes on, to its end.
        set_parent_process_death_signal(Some(Signal::CONT))?;
        thread::Builder::new()
            .name("rpyc-server-end".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                while let Err(Errno::INTR) = poll(&mut [PollFd::new(&server, PollFlags::IN)], None)
                {
                }
                super::kill_descendants();
                let _ = kill_process(getpid(), Signal::KILL);
            })?;
        Ok(())
    }

    /// Says whether there was one to kill.
    pub(super) fn kill_all(processes: &[Pid]) -> bool {
        for pid in processes {
            // It fails when it has ended, or belongs to somebody else by now.
            let _ = kill_process(*pid, Signal::KILL);
        }
        !processes.is_empty()
    }

    pub(super) fn reap(pid: Pid) {
        while let Err(Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
    }

    /// Those that run.
    pub(super) fn descendants(of: Pid) -> Vec<Pid> {
        let mut children: HashMap<Pid, Vec<(Pid, bool)>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(number) else {
                continue;
            };
            // It may end meanwhile.
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            if let Some((parent, has_ended)) = parent_in(&stat) {
                children.entry(parent).or_default().push((pid, has_ended));
            }
        }
        let mut found = Vec::new();
        let mut parents = vec![of];
        while let Some(parent) = parents.pop() {
            for (pid, has_ended) in children.remove(&parent).into_iter().flatten() {
                parents.push(pid);
                if !has_ended {
                    found.push(pid);
                }
            }
        }
        found
    }

    pub(super) fn children_of_first_thread() -> Vec<Pid> {
        let path = format!("/proc/self/task/{}/children", getpid().as_raw_nonzero());
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().filter_map(number).collect()
    }

    /// The parent that proc_pid_stat(5) has, and whether the process is a zombie. The name of the
    /// program, in parentheses, may have anything in it.
    pub(super) fn parent_in(stat: &str) -> Option<(Pid, bool)> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        Some((number(fields.next()?)?, matches!(state, "Z" | "X")))
    }

    fn number(text: &str) -> Option<Pid> {
        Pid::from_raw(text.parse().ok()?)
    }

    /// For a thread that waits.
    const STACK: usize = 128 << 10;
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use rustix::process::Pid;

    pub(super) fn adopt_orphans() -> io::Result<()> {
        Ok(())
    }

    pub(super) fn watch(_: Pid) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn kill_all(_: &[Pid]) -> bool {
        false
    }

    pub(super) fn reap(_: Pid) {}

    pub(super) fn descendants(_: Pid) -> Vec<Pid> {
        Vec::new()
    }

    pub(super) fn children_of_first_thread() -> Vec<Pid> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_doesnt_hide_its_parent() {
        for (stat, expected) in [
            ("7 (sh) S 5 7 7 0", Some((5, false))),
            ("7 (a) Z 9 (b)) Z 5 7 7 0", Some((5, true))),
            ("7 (sh) S 0 7 7 0", None),
            ("", None),
        ] {
            let found = system::parent_in(stat);
            let found = found.map(|(pid, ended)| (pid.as_raw_nonzero().get(), ended));
            assert_eq!(found, expected, "{stat}");
        }
    }
}
