//! `shell`: a Python prompt at the server.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::rc::Rc;

use clap::{ArgMatches, Command, value_parser};
use rpyc_classic::{Outcome, Stdio};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use super::code;
use super::completion::Remote;
use super::connect::ConnectOptions;
use super::interrupt::INTERRUPTED;
use super::session::{Ended, Session, say, show};
use crate::printable::on_one_line;
use crate::program::cli::arg;
use crate::program::failure::Failure;

pub(super) fn command() -> Command {
    Command::new("shell")
        .about("A Python prompt at a server: history, completion, several lines")
        .after_help("Keys:\n  Tab     completes names, as the server knows them\n  Ctrl-C  drops the line; interrupts code that runs, a second time closes its connection\n  Ctrl-D  ends\n\nExamples:\n  rpyc-server shell --connect host:18812\n  rpyc-server shell < script.py\n      runs it as `exec -` does")
        .arg(
            arg::option("history", "FILE", "Where the lines are kept. Default: rpyc/history in $XDG_STATE_HOME or ~/.local/state")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            arg::switch("no-history", "Keep no lines").conflicts_with("history"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> Result<u8, Failure> {
    let connect_options = ConnectOptions::from_matches(matches)?;
    if !io::stdin().is_terminal() {
        let program = code::read_stdin();
        let program = program
            .map_err(|error| Failure::new("the standard input can't be read").because(error))?;
        return code::run_program(&Session::open(&connect_options)?, &program, "<stdin>");
    }
    let session = Rc::new(RefCell::new(Session::open(&connect_options)?));
    let mut editor = editor(&session).map_err(no_terminal)?;
    let history = match matches.get_flag("no-history") {
        true => None,
        false => matches
            .get_one::<PathBuf>("history")
            .cloned()
            .or_else(history_file),
    };
    if let Some(file) = &history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    greet(&session.borrow());
    let code = prompt(&session, &mut editor);
    if let Some(file) = &history
        && let Err(error) = save(&mut editor, file)
    {
        say(&format!(
            "--history {}: not written: {error}",
            file.display()
        ));
    }
    code
}

type LineEditor = Editor<Remote, DefaultHistory>;

fn editor(session: &Rc<RefCell<Session>>) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .max_history_size(10_000)?
        .history_ignore_dups(true)?
        .auto_add_history(true)
        .completion_type(CompletionType::List)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Remote(session.clone())));
    Ok(editor)
}

/// Reads and runs until the user has enough.
fn prompt(session: &Rc<RefCell<Session>>, editor: &mut LineEditor) -> Result<u8, Failure> {
    loop {
        let code = match editor.readline(">>> ") {
            Ok(code) => code,
            Err(ReadlineError::Interrupted) => {
                say("KeyboardInterrupt");
                continue;
            }
            Err(ReadlineError::Eof) => return Ok(0),
            Err(error) => return Err(no_terminal(error)),
        };
        if code.trim().is_empty() {
            continue;
        }
        let ended = session
            .borrow()
            .run(|prompt| prompt.push(&code, Stdio::inherit()));
        let lost = match ended {
            Ok(Ended::Outcome(Outcome::Exited { code, message })) => {
                return Ok(show(&Ended::Outcome(Outcome::Exited { code, message })));
            }
            Ok(ended) => show(&ended) == INTERRUPTED,
            // What runs there would be in the way of what comes next.
            Err(error) if error.is_closed() || error.is_timeout() => {
                say(&error.to_string());
                true
            }
            Err(error) => {
                say(&error.to_string());
                false
            }
        };
        if lost {
            session.borrow_mut().reopen()?;
            say("connected anew: the names of before are gone");
        }
    }
}

fn greet(session: &Session) {
    let version = session
        .connection()
        .module("sys")
        .and_then(|sys| sys.attr("version"));
    let version = version
        .ok()
        .and_then(|version| version.as_str().map(str::to_owned));
    // CPython's has a line break in it.
    let version = version.unwrap_or_default().replace('\n', " ");
    say(&format!("Python {}", on_one_line(&version)));
    say(&format!(
        "at {}; Tab completes, Ctrl-D ends",
        session.connect_options().target
    ));
}

fn history_file() -> Option<PathBuf> {
    let state = match env::var_os("XDG_STATE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => PathBuf::from(env::var_os("HOME")?).join(".local/state"),
    };
    Some(state.join("rpyc").join("history"))
}

fn save(editor: &mut LineEditor, file: &PathBuf) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    editor.save_history(file)
}

fn no_terminal(error: ReadlineError) -> Failure {
    Failure::new("the terminal can't be used").because(error)
}
