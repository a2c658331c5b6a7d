//! [`Guard`]: no process that a test has started outlives it, one that was killed included.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// A shell that knows the process groups of a test process, and kills them when that has ended, which
/// closes its input.
#[derive(Debug)]
pub(crate) struct Guard {
    input: Mutex<Option<ChildStdin>>,
    shell: Mutex<Option<Child>>,
}

/// The one of this process.
pub(crate) static GUARD: LazyLock<Guard> =
    LazyLock::new(|| Guard::start().unwrap_or_else(|e| panic!("no shell to guard the tests: {e}")));

impl Guard {
    fn start() -> io::Result<Guard> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Guard {
            input: Mutex::new(shell.stdin.take()),
            shell: Mutex::new(Some(shell)),
        })
    }

    /// A group is there.
    pub(crate) fn add(&self, group: u32) {
        self.tell('+', group);
    }

    /// A group is about to be reaped.
    pub(crate) fn remove(&self, group: u32) {
        self.tell('-', group);
    }

    fn tell(&self, what: char, group: u32) {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = input.as_mut() {
            // One that was killed guards nothing, which is no fault of the test's.
            let _ = input.write_all(format!("{what} {group}\n").as_bytes());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.input.lock().map(|mut input| input.take()));
        let shell = self.shell.lock().map(|mut shell| shell.take());
        if let Ok(Some(mut shell)) = shell {
            let _ = shell.wait();
        }
    }
}

const SCRIPT: &str = r#"
trap '' HUP INT TERM
groups=
while read -r what group; do
    rest=
    for one in $groups; do
        [ "$one" = "$group" ] || rest="$rest $one"
    done
    groups=$rest
    [ "$what" = + ] && groups="$groups $group"
done
for one in $groups; do
    kill -s KILL -- "-$one"
done
"#;

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("1000").process_group(0);
        command.spawn().expect("sleep is there")
    }

    #[test]
    fn the_groups_that_are_left_are_killed_when_the_test_process_has_ended_and_no_others() {
        let guard = Guard::start().expect("a shell");
        let (mut left, mut removed) = (sleeper(), sleeper());
        guard.add(removed.id());
        guard.add(left.id());
        guard.remove(removed.id());
        // As the end of this process would.
        drop(guard);
        let status = left.wait().expect("a child");
        assert_eq!(status.signal(), Some(9));
        assert!(matches!(removed.try_wait(), Ok(None)));
        removed.kill().expect("it is there");
        removed.wait().expect("a child");
    }
}
