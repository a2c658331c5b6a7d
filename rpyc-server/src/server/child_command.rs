//! [`ChildCommand`]: how the process of a client is started.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::child::NAME;
use super::process_tree::SERVER;
use super::raw::RawStream;
use crate::causes::none_left;

/// The program that serves a client in [`Mode::Process`](super::Mode::Process). It is started
/// with the client's socket as its standard input, takes it over with
/// [`InheritedClient`](super::InheritedClient), and ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCommand {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Option<Vec<(OsString, OsString)>>,
    pub(super) adopts_orphans: bool,
    user: Option<(u32, u32)>,
}

impl ChildCommand {
    /// The exit code by which it says that it hasn't let its client in: the server counts that as a
    /// refusal. (`EX_NOPERM` of sysexits.h.)
    pub const REFUSED: u8 = 77;

    /// A program of any kind, without arguments.
    pub fn new(program: impl Into<OsString>) -> ChildCommand {
        ChildCommand {
            program: program.into(),
            arguments: Vec::new(),
            environment: None,
            adopts_orphans: false,
            user: None,
        }
    }

    /// This very program; the arguments have to tell it that it is to serve a client.
    ///
    /// # Errors
    /// When the system doesn't tell its path.
    pub fn this_program() -> io::Result<ChildCommand> {
        std::env::current_exe().map(ChildCommand::new)
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> ChildCommand {
        self.arguments.push(argument.into());
        self
    }

    /// With these variables in its environment instead of the server's.
    #[must_use]
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> ChildCommand {
        self.environment = Some(variables.into_iter().collect());
        self
    }

    /// What a client's process leaves behind, in whatever session and process group, is killed when
    /// that process has ended. On Linux this process becomes the parent of such orphans for it (a
    /// child subreaper). It is for programs whose first thread starts no processes: those are taken
    /// for orphans.
    #[must_use]
    pub fn adopt_orphans(mut self) -> ChildCommand {
        self.adopts_orphans = true;
        self
    }

    /// Has the processes run as this user and group, and in no other groups: a client's code can't
    /// signal the server then, or look into it. The server must be root, or no process can be
    /// started.
    #[must_use]
    pub fn user(mut self, user: u32, group: u32) -> ChildCommand {
        self.user = Some((user, group));
        self
    }

    /// How its processes are started: the program, as that user.
    #[cfg(feature = "program")]
    pub(crate) fn program(&self) -> (Command, &Path) {
        (self.command(), Path::new(&self.program))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment.iter().cloned());
        }
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    pub(super) fn spawn(&self, stream: RawStream, name: &str) -> io::Result<Child> {
        let mut command = self.command();
        command.env(NAME, name);
        command.env(SERVER, std::process::id().to_string());
        // What it starts is in its group, unless it wants to be elsewhere.
        command.process_group(0);
        command.stdin(Stdio::from(OwnedFd::from(stream)));
        let called = |error: io::Error| {
            let program = Path::new(&self.program).display();
            io::Error::new(error.kind(), format!("{program}: {error}"))
        };
        let spawned = command.spawn().map_err(none_left("processes"));
        spawned.map_err(called)
    }
}
