//! Code that runs at the server as at a terminal of this program's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rpyc_core::object::{Args, Netref};
use rpyc_core::{Any, Error, Exposed, args, expose};

use super::{ClassicConnection, Stdio};

/// Runs code piece by piece at the server, with standard streams of this program's: what a prompt
/// is made of. Made by [`ClassicConnection::prompt`].
///
/// The code works in the connection's namespace. An exception of its is an [`Outcome`], not an
/// error.
#[derive(Debug)]
pub struct Prompt {
    connection: ClassicConnection,
    prompt: Netref,
    running: Arc<Running>,
    time_limit: Option<Duration>,
}

/// How a piece of code ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// At its end.
    Done,
    /// By a SystemExit.
    Exited {
        /// The code that a process would have exited with.
        code: u8,
        /// What it had to say.
        message: Option<String>,
    },
    /// By an exception.
    Raised {
        /// Python's traceback, with the exception as its last line.
        traceback: String,
    },
}

/// Interrupts what a [`Prompt`] runs, from another thread, over a connection of its own.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<Running>);

/// What runs, for those who want to interrupt it.
#[derive(Debug, Default)]
struct Running {
    thread: AtomicI64,
    number: AtomicU64,
}

/// What the server tells when it starts a piece of code.
struct Control(Arc<Running>);

#[expose(module = "rpyc_classic")]
impl Control {
    /// Takes the thread's id, gives a number for what it runs.
    #[exposed]
    fn started(&self, thread: i64) -> u64 {
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        self.0.thread.store(thread, Ordering::Relaxed);
        self.0.number.store(number, Ordering::Relaxed);
        number
    }
}

impl Prompt {
    /// Waits so long for the end of what it runs from now on; `None`, as in the beginning, waits however
    /// long it takes. Code that takes longer isn't ended by that: it runs on at the server, until the
    /// connection closes.
    pub fn set_time_limit(&mut self, limit: Option<Duration>) {
        self.time_limit = limit;
    }

    /// Runs statements, or an expression whose value is printed.
    ///
    /// # Errors
    /// [`Error::Timeout`] where it takes longer than the [limit](Prompt::set_time_limit); every other
    /// kind of [`Error`] but for what the code raises.
    pub fn push(&self, code: &str, stdio: Stdio) -> Result<Outcome, Error> {
        self.run(code, None, stdio)
    }

    /// Runs a program: statements in a module `__main__`, with `name` as its file.
    ///
    /// # Errors
    /// As [`push`](Prompt::push).
    pub fn run_program(&self, code: &str, name: &str, stdio: Stdio) -> Result<Outcome, Error> {
        self.run(code, Some(name), stdio)
    }

    fn run(&self, code: &str, name: Option<&str>, stdio: Stdio) -> Result<Outcome, Error> {
        let given = stdio.hand_over(&self.connection)?;
        let control = Exposed::new(Control(self.running.clone())).object();
        let args = args![
            code,
            name.unwrap_or_default(),
            name.is_some(),
            Any::from(control),
            Any::from(given.redirection.clone()),
        ];
        let running = self.prompt.async_call_method("run", args)?;
        if self.time_limit.is_some() {
            running.set_expiry(self.time_limit);
        }
        let outcome = running.value();
        drop(given);
        outcome_of(outcome?)
    }

    /// Whether the code can be run as it is; if not, it goes on in another line.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn is_complete(&self, code: &str) -> Result<bool, Error> {
        self.prompt
            .call_method("is_complete", args![code])?
            .extract()
    }

    /// The names that the last word of the line may become: `os.pa` may become `os.path` and
    /// others. The server's code may run to find out.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn complete(&self, line: &str) -> Result<Vec<String>, Error> {
        self.prompt.call_method("complete", args![line])?.extract()
    }

    /// A handle to interrupt what this prompt runs.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(self.running.clone())
    }
}

impl Interrupter {
    /// Raises KeyboardInterrupt in the running code, over another connection to the same
    /// server: the prompt's own is busy. Says whether the server's Python can do that; CPython can, code
    /// that waits in a system call ends its wait first.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn interrupt(&self, over: &ClassicConnection) -> Result<bool, Error> {
        let thread = self.0.thread.load(Ordering::Relaxed);
        let number = self.0.number.load(Ordering::Relaxed);
        over.helper("interrupt")?
            .call(args![thread, number])?
            .extract()
    }
}

impl ClassicConnection {
    /// A prompt in the connection's namespace.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn prompt(&self) -> Result<Prompt, Error> {
        let namespace = self.root().attr("namespace")?;
        let prompt = self.helper("Prompt")?.call(Args::new().arg(namespace))?;
        Ok(Prompt {
            connection: self.clone(),
            prompt: prompt.netref()?.clone(),
            running: Arc::default(),
            time_limit: None,
        })
    }

    /// Python's own prompt, of its module `code`, in the connection's namespace, until the
    /// input ends; `exit()` ends it, too.
    ///
    /// # Errors
    /// As [`Netref::call`].
    pub fn interact(&self, stdio: Stdio) -> Result<(), Error> {
        let namespace = self.root().attr("namespace")?;
        self.with_terminal("interact", namespace, stdio)
    }

    /// Python's debugger, on the traceback of the last exception that a request of this connection
    /// raised.
    ///
    /// # Errors
    /// [`Error::Remote`] with a ValueError where there was none; as [`Netref::call`].
    pub fn post_mortem(&self, stdio: Stdio) -> Result<(), Error> {
        let there = self.root().call_method("getconn", args![])?;
        let traceback = there.attr("_last_traceback")?;
        self.with_terminal("post_mortem", traceback, stdio)
    }

    fn with_terminal(&self, function: &str, subject: Any, stdio: Stdio) -> Result<(), Error> {
        let given = stdio.hand_over(self)?;
        let args = args![subject, Any::from(given.redirection.clone())];
        // However long it takes.
        let running = self.helper(function)?.async_call(args)?;
        running.value().map(drop)
    }
}

fn outcome_of(answer: Any) -> Result<Outcome, Error> {
    let parts = answer.into_items().unwrap_or_default();
    let text = |place: usize| parts.get(place).and_then(Any::as_str).map(str::to_owned);
    match parts.first().and_then(Any::as_str) {
        Some("done") => Ok(Outcome::Done),
        Some("exit") => {
            let code = parts
                .get(1)
                .and_then(Any::as_value)
                .and_then(|code| code.as_u64());
            Ok(Outcome::Exited {
                code: code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
                message: text(2),
            })
        }
        Some("raised") => Ok(Outcome::Raised {
            traceback: text(1).unwrap_or_default(),
        }),
        _ => Err(Error::Protocol(
            "the client's own code at the server answered with something else".to_owned(),
        )),
    }
}

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);
