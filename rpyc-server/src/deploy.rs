//! A server that is brought to where it is needed: copied through ssh, run there, gone afterwards.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::{Connection, Connector, Error};

/// Copies a program to a host through the system's `ssh`, runs it there with these arguments,
/// and connects over its stdin and stdout. The copy, which only this user can read, is removed
/// when the program ends, and the program is told to end (the end of its stdin) when the
/// connection closes. It is what Python's `zerodeploy` does, with a program instead of a Python
/// and its packages.
///
/// `host` is what ssh takes: a name, or `user@name`; it has to have a POSIX shell, and to run
/// what this program was built for. Copying may take ten minutes, connecting as long as
/// the connector's [`timeout`](Connector::timeout) says.
///
/// ```no_run
/// # fn main() -> Result<(), rpyc_core::Error> {
/// use rpyc_core::Connector;
/// use rpyc_server::connect_deployed;
///
/// let conn = connect_deployed(
///     &Connector::new(),
///     "user@host",
///     "target/x86_64-unknown-linux-musl/release/rpyc-server",
///     ["--classic", "--mode", "stdio"],
/// )?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Io`] when the program can't be read, or ssh ends without having copied it; what it
/// has to say it says on stderr. As [`Connector::connect_subprocess`].
pub fn connect_deployed<'a>(
    connector: &Connector,
    host: &str,
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Connection, Error> {
    let program = File::open(program).map_err(io_error("reading the program to be copied"))?;
    let copy = copy(connector, host, program).map_err(io_error("copying the program with ssh"))?;
    let mut command = format!("exec sh -c {} {}", quoted(RUN), quoted(&copy));
    for argument in arguments {
        command.push(' ');
        command.push_str(&quoted(argument));
    }
    connector.connect_subprocess(connector.ssh_command(host).arg(command))
}

/// Copies the program to a new file on the host; gives that file's path.
fn copy(connector: &Connector, host: &str, program: File) -> io::Result<String> {
    let mut ssh = connector.ssh_command(host);
    ssh.arg(format!("exec sh -c {}", quoted(COPY)));
    let mut child = ssh.stdin(program).stdout(Stdio::piped()).spawn()?;
    let status = wait(&mut child, PATIENCE)?;
    let mut path = String::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LONGEST_PATH).read_to_string(&mut path)?;
    }
    // What the host's shell prints at every login may stand before it.
    let path = path.trim_end().rsplit('\n').next().unwrap_or_default();
    if !status.success() || !path.starts_with('/') {
        return Err(io::Error::other(format!("{status}")));
    }
    Ok(path.to_owned())
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io {
        doing: doing.into(),
        error: Arc::new(source),
    }
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<std::process::ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if deadline <= Instant::now() {
            child.kill()?;
            child.wait()?;
            let what = format!("ssh didn't end within {limit:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        thread::sleep(LOOK); // std has no wait for a child with a limit
    }
}

/// A word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Its stdin into a new file that can be run; prints the path.
const COPY: &str = r#"umask 077; f=$(mktemp) && cat >"$f" && chmod 700 "$f" && echo "$f""#;
/// Runs a file, and removes it when it has ended, or ssh has.
const RUN: &str = r#"trap 'rm -f "$0"' EXIT HUP INT TERM; "$0" "$@""#;
/// How long copying may take.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(10);
const LONGEST_PATH: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_to_a_shell() {
        for word in ["plain", "", "it's", "a b\nc", "$(id) `id` \\ \"!\"", "''"] {
            let script = format!("printf %s {}", quoted(word));
            let output = Command::new("sh").args(["-c", &script]).output();
            let output = output.expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
