//! `eval` and `exec`: code at the server, with this program's standard streams.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use parking_lot::Mutex;
use rpyc_classic::{Outcome, Prompt, Stdio};
use rpyc_core::Error;

use super::connect::ConnectOptions;
use super::fleet::{Done, Fleet, Member, Stream};
use super::session::{self, Session, show};
use crate::program::failure::Failure;

pub(super) fn eval_command() -> Command {
    Command::new("eval")
        .about("Evaluates a Python expression at a server and prints its value")
        .after_help("Examples:\n  rpyc-server eval 'sum(range(10))'\n  rpyc-server eval --connect host:18812 '__import__(\"os\").getcwd()'")
        .arg(Arg::new("expression").value_name("EXPR").required(true).allow_hyphen_values(true).help("The expression"))
}

pub(super) fn eval(matches: &ArgMatches) -> Result<u8, Failure> {
    let expression = matches
        .get_one::<String>("expression")
        .expect("is required");
    if let Some(fleet) = Fleet::from_matches(matches)? {
        let expression = expression.clone();
        return fleet
            .run(move |member| run_at(member, |prompt, stdio| prompt.push(&expression, stdio)));
    }
    let session = Session::open(&ConnectOptions::from_matches(matches)?)?;
    run(&session, |prompt, stdio| prompt.push(expression, stdio))
}

pub(super) fn exec_command() -> Command {
    Command::new("exec")
        .about("Runs a Python file at a server, with the standard streams here")
        .after_help("Examples:\n  rpyc-server exec script.py\n  echo 'print(1 + 1)' | rpyc-server exec -\n\nThe file is read here; the modules that it imports and the files that it opens are the server's.")
        .arg(Arg::new("file").value_name("FILE").required(true).help("The file; - is the standard input"))
}

pub(super) fn exec(matches: &ArgMatches) -> Result<u8, Failure> {
    let file = matches.get_one::<String>("file").expect("is required");
    let (code, name) = match file.as_str() {
        "-" => (read_stdin(), "<stdin>"),
        file => (fs::read_to_string(file), file),
    };
    let code =
        code.map_err(|error| Failure::new(format!("{name}: can't be read")).because(error))?;
    if let Some(fleet) = Fleet::from_matches(matches)? {
        let name = name.to_owned();
        return fleet.run(move |member| {
            run_at(member, |prompt, stdio| {
                prompt.run_program(&code, &name, stdio)
            })
        });
    }
    run_program(
        &Session::open(&ConnectOptions::from_matches(matches)?)?,
        &code,
        name,
    )
}

pub(super) fn read_stdin() -> io::Result<String> {
    let mut code = String::new();
    io::stdin().read_to_string(&mut code)?;
    Ok(code)
}

/// Runs code as a program of that name.
pub(super) fn run_program(session: &Session, code: &str, name: &str) -> Result<u8, Failure> {
    run(session, |prompt, stdio| {
        prompt.run_program(code, name, stdio)
    })
}

/// Runs code with this program's standard streams.
fn run(
    session: &Session,
    work: impl FnOnce(&Prompt, Stdio) -> Result<Outcome, Error>,
) -> Result<u8, Failure> {
    let output = Output::default();
    let stdio = Stdio::inherit()
        .stdout(output.clone())
        .block_buffered(!io::stdout().is_terminal());
    let ended = session.run(|prompt| work(prompt, stdio));
    if let Some(error) = output.0.lock().take() {
        return Err(Failure::stdout(error));
    }
    let ended = ended.map_err(|error| session.connect_options().failed(error))?;
    Ok(show(&ended))
}

/// Runs code at a server of a fleet, which shows what it prints. There is nothing that it could read.
fn run_at(
    member: &Member,
    work: impl FnOnce(&Prompt, Stdio) -> Result<Outcome, Error>,
) -> Result<Done, Failure> {
    let bar = member.bar("connecting");
    let (connection, prompt) = session::connect(&member.connect_options)?;
    if let Err(stopped) = member.runs_code_on(&connection, prompt.interrupter()) {
        session::close(&connection, true);
        return Err(stopped);
    }
    bar.set_message("running");
    let stdio = Stdio::new()
        .stdin(io::empty())
        .stdout(member.lines(Stream::Stdout))
        .stderr(member.lines(Stream::Stderr))
        .block_buffered(!io::stdout().is_terminal());
    let outcome = work(&prompt, stdio);
    session::close(&connection, outcome.as_ref().is_err_and(Error::is_timeout));
    let outcome = outcome.map_err(|error| member.connect_options.failed(error))?;
    Ok(shown(member, &outcome))
}

/// Shows how code ended at a server of a fleet.
fn shown(member: &Member, outcome: &Outcome) -> Done {
    let (code, last_words, text) = match outcome {
        Outcome::Exited { code, message } => {
            let text = match code {
                0 => String::new(),
                code => format!("exit code {code}"),
            };
            (*code, message.as_deref().unwrap_or_default(), text)
        }
        Outcome::Raised { traceback } => {
            let raised = traceback.lines().rfind(|line| !line.trim().is_empty());
            (1, &**traceback, raised.unwrap_or_default().to_owned())
        }
        _ => (0, "", String::new()),
    };
    // What is too much of it is the server's failure, which is told.
    let _ = member
        .lines(Stream::Stderr)
        .write_all(last_words.as_bytes());
    let mut done = Done {
        failed: code != 0,
        text,
        ..Done::default()
    };
    done.details.insert("exit_code".to_owned(), code.into());
    done
}

/// The standard output, and what went wrong with it first: it is told to the code that writes, but it
/// isn't its server's fault.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Option<io::Error>>>);

impl Output {
    fn noted<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome
            && error.kind() != io::ErrorKind::Interrupted
        {
            let same = match error.raw_os_error() {
                Some(number) => io::Error::from_raw_os_error(number),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            self.0.lock().get_or_insert(same);
        }
        outcome
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.noted(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.noted(io::stdout().flush())
    }
}
