//! A connection on which code runs that Ctrl-C interrupts.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rpyc_classic::{ClassicConnection, Interrupter, Outcome, Prompt};
use rpyc_core::Error;

use super::colour;
use super::connect::ConnectOptions;
use super::interrupt::{INTERRUPTED, on_interrupt};
use crate::printable::printable;
use crate::program::failure::Failure;
use crate::threads;

/// A prompt at the server.
pub(super) struct Session {
    connect_options: ConnectOptions,
    connection: ClassicConnection,
    prompt: Prompt,
    running: Arc<Mutex<Running>>,
    // The server hasn't answered in time.
    is_late: Cell<bool>,
}

/// What Ctrl-C is for at the moment.
#[derive(Default)]
struct Running {
    code: Option<(Interrupter, ClassicConnection)>,
    presses: u32,
    is_left: bool,
}

impl Drop for Session {
    /// In order: an end in the middle of a release is a broken stream in the server's log.
    fn drop(&mut self) {
        close(&self.connection, self.is_late.get());
    }
}

/// How a piece of code ended.
pub(super) enum Ended {
    /// By itself.
    Outcome(Outcome),
    /// Ctrl-C closed the connection.
    Left,
}

impl Session {
    /// Connects. From here on Ctrl-C interrupts what runs and doesn't end this program.
    pub(super) fn open(connect_options: &ConnectOptions) -> Result<Session, Failure> {
        let (connection, prompt) = connect(connect_options)?;
        let session = Session {
            connect_options: connect_options.clone(),
            connection,
            prompt,
            running: Arc::default(),
            is_late: Cell::new(false),
        };
        let (running, connect_options) = (session.running.clone(), connect_options.clone());
        on_interrupt(move || interrupt(&running, &connect_options))?;
        Ok(session)
    }

    /// Connects anew: with an empty namespace.
    pub(super) fn reopen(&mut self) -> Result<(), Failure> {
        close(&self.connection, self.is_late.take());
        (self.connection, self.prompt) = connect(&self.connect_options)?;
        Ok(())
    }

    pub(super) fn connection(&self) -> &ClassicConnection {
        &self.connection
    }

    pub(super) fn prompt(&self) -> &Prompt {
        &self.prompt
    }

    pub(super) fn connect_options(&self) -> &ConnectOptions {
        &self.connect_options
    }

    /// Runs code by `work`, interrupted by Ctrl-C; a second one closes the connection.
    pub(super) fn run(
        &self,
        work: impl FnOnce(&Prompt) -> Result<Outcome, Error>,
    ) -> Result<Ended, Error> {
        *self.running.lock() = Running {
            code: Some((self.prompt.interrupter(), self.connection.clone())),
            ..Running::default()
        };
        let outcome = work(&self.prompt);
        let is_late = outcome.as_ref().is_err_and(Error::is_timeout);
        self.is_late.set(is_late);
        let left = std::mem::take(&mut *self.running.lock()).is_left;
        match outcome {
            Err(error) if error.is_closed() && left => Ok(Ended::Left),
            outcome => outcome.map(Ended::Outcome),
        }
    }
}

/// Connects, and makes a prompt.
pub(super) fn connect(
    connect_options: &ConnectOptions,
) -> Result<(ClassicConnection, Prompt), Failure> {
    let connection = connect_options.connect_classic()?;
    let mut prompt = connection.prompt().map_err(|error| {
        close(&connection, error.is_timeout());
        connect_options.failed(error)
    })?;
    prompt.set_time_limit(connect_options.run_limit());
    Ok((connection, prompt))
}

/// Closes the connection; a server that is late isn't asked whether it agrees.
pub(super) fn close(connection: &ClassicConnection, is_late: bool) {
    if is_late {
        connection.connection().shut_down(Duration::ZERO);
    } else {
        // What was to be done is done, or isn't.
        let _ = connection.close();
    }
}

fn interrupt(running: &Arc<Mutex<Running>>, connect_options: &ConnectOptions) {
    let mut now = running.lock();
    let Some((interrupter, connection)) = now.code.clone() else {
        return;
    };
    now.presses += 1;
    if now.presses > 1 {
        now.is_left = true;
        drop(now);
        connection.connection().shut_down(Duration::ZERO);
        return;
    }
    drop(now);
    // It takes a connection of its own, which must not keep a second Ctrl-C from being heard.
    let connect_options = connect_options.clone();
    let asked = threads::start("rpyc-interrupt", move || {
        if !ask_to_interrupt(&connect_options, &interrupter) {
            say("this server can't be asked to interrupt; Ctrl-C again closes the connection");
        }
    });
    if asked.is_err() {
        say("no thread to interrupt with; Ctrl-C again closes the connection");
    }
}

/// Interrupts code, over a connection of its own; says whether the server can do that.
pub(super) fn ask_to_interrupt(connect_options: &ConnectOptions, code: &Interrupter) -> bool {
    let second = connect_options.connect_classic();
    second.is_ok_and(|second| code.interrupt(&second).unwrap_or(false))
}

/// Shows how code ended; gives the exit code that it stands for.
pub(super) fn show(ended: &Ended) -> u8 {
    match ended {
        Ended::Outcome(Outcome::Exited { code, message }) => {
            if let Some(message) = message {
                say(message);
            }
            *code
        }
        Ended::Outcome(Outcome::Raised { traceback }) => {
            let text = printable(traceback);
            let text = match colour::on_stderr() {
                true => colour::traceback(&text),
                false => text,
            };
            // Nothing is left to do when nobody listens.
            let _ = io::stderr().write_all(text.as_bytes());
            1
        }
        Ended::Outcome(_) => 0,
        Ended::Left => {
            say("the connection is closed");
            INTERRUPTED
        }
    }
}

/// A line for the user. The server has its say in some.
pub(super) fn say(text: &str) {
    // Nothing is left to do when nobody listens.
    let _ = writeln!(io::stderr(), "{}", printable(text));
}
