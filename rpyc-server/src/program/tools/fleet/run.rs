//! The tool at work on its servers, so many at a time, until all have ended or Ctrl-C ends them.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use parking_lot::{Condvar, Mutex};
use rpyc_classic::{ClassicConnection, Interrupter};
use rpyc_core::Connection;

use super::ending::{Done, Ending, Event, Kind};
use super::output::{Allowance, Lines};
use super::screen::{Screen, Stream};
use super::{Fleet, members};
use crate::program::failure::Failure;
use crate::program::tools::connect::ConnectOptions;
use crate::program::tools::interrupt::{INTERRUPTED, on_interrupt};
use crate::program::tools::session::ask_to_interrupt;

/// A server of a fleet, for the tool at work on it.
#[derive(Debug)]
pub(in crate::program::tools) struct Member {
    pub(in crate::program::tools) connect_options: ConnectOptions,
    number: usize,
    folder: String,
    screen: Arc<Screen>,
    allowance: Arc<Allowance>,
    running: Mutex<Option<Running>>,
    stop: Arc<Stop>,
}

/// That all are to end.
#[derive(Debug, Default)]
struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.is_set.lock() = true;
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.is_set.lock()
    }

    fn is_set_within(&self, time: Duration) -> bool {
        let mut is_set = self.is_set.lock();
        let is_unset = |is_set: &mut bool| !*is_set;
        self.changed.wait_while_for(&mut is_set, is_unset, time);
        *is_set
    }
}

/// What runs at a server at the moment.
#[derive(Clone, Debug)]
struct Running {
    connection: Connection,
    code: Option<Interrupter>,
}

impl Member {
    /// The name of a folder that is this server's alone.
    pub(in crate::program::tools) fn folder(&self) -> &str {
        &self.folder
    }

    /// The server's name, as the user sees it.
    pub(in crate::program::tools) fn name(&self) -> &str {
        self.screen.name(self.number)
    }

    /// A writer for what the server prints.
    pub(in crate::program::tools) fn lines(&self, stream: Stream) -> impl Write + Send + use<> {
        Lines::new(self.screen.clone(), self.allowance.clone(), stream)
    }

    /// Shows a line of the tool's own about the server.
    pub(in crate::program::tools) fn say(&self, stream: Stream, text: &str) {
        self.screen.line(self.number, stream, text.as_bytes());
    }

    /// Shows that this server is being worked on; its message says how.
    pub(in crate::program::tools) fn bar(&self, message: &'static str) -> ProgressBar {
        let bar = self.screen.bar(self.number);
        bar.set_message(message);
        bar
    }

    /// Ctrl-C closes this connection from now on.
    pub(in crate::program::tools) fn runs_on(
        &self,
        connection: &Connection,
    ) -> Result<(), Failure> {
        self.set_running(connection, None)
    }

    /// Ctrl-C interrupts the code that this connection runs.
    pub(in crate::program::tools) fn runs_code_on(
        &self,
        connection: &ClassicConnection,
        code: Interrupter,
    ) -> Result<(), Failure> {
        self.set_running(connection.connection(), Some(code))
    }

    fn set_running(
        &self,
        connection: &Connection,
        code: Option<Interrupter>,
    ) -> Result<(), Failure> {
        let mut running = self.running.lock();
        // Whoever stops all looks at what runs when it has said so.
        if self.stop.is_set() {
            return Err(Failure::new("Ctrl-C"));
        }
        *running = Some(Running {
            connection: connection.clone(),
            code,
        });
        Ok(())
    }

    /// Waits; says whether Ctrl-C came meanwhile.
    pub(in crate::program::tools) fn stops_within(&self, time: Duration) -> bool {
        self.stop.is_set_within(time)
    }

    /// What became of it.
    fn ending(&self, outcome: Result<Done, Failure>, began: Instant, max_output: u64) -> Ending {
        if self.allowance.is_exceeded() {
            let text = format!("it printed more than {max_output} bytes (--max-output)");
            return Ending::new(Kind::Failed, &text, began);
        }
        let is_stopping = self.stop.is_set();
        match outcome {
            Ok(done) => {
                let kind = match (done.failed, is_stopping) {
                    (false, _) => Kind::Ok,
                    (true, true) => Kind::Interrupted,
                    (true, false) => Kind::Failed,
                };
                let mut ending = Ending::new(kind, &done.text, began);
                ending.details = done.details;
                ending
            }
            Err(_) if is_stopping => Ending::new(Kind::Interrupted, "", began),
            Err(failure) => Ending::new(Kind::Failed, &failure.with_causes(), began),
        }
    }

    /// Has what runs there end by itself; where the server can't do that, closes the connection.
    fn interrupt(&self) {
        let Some(running) = self.running.lock().clone() else {
            return;
        };
        let connect_options = self.connect_options.clone();
        // It takes a connection of its own, and the others don't wait for it.
        apart(move || {
            let asked = running.code.as_ref();
            let asked = asked.is_some_and(|code| ask_to_interrupt(&connect_options, code));
            if !asked {
                running.connection.shut_down(Duration::ZERO);
            }
        });
    }

    fn close(&self) {
        if let Some(running) = self.running.lock().clone() {
            apart(move || running.connection.shut_down(Duration::ZERO));
        }
    }
}

/// On a thread of its own. Where there is none to be had, the process's end does it.
fn apart(work: impl FnOnce() + Send + 'static) {
    let _ = thread::Builder::new()
        .name("rpyc-interrupt".to_owned())
        .spawn(work);
}

impl Fleet {
    /// Does the work on each server; gives the exit code.
    pub(in crate::program::tools) fn run(
        self,
        work: impl Fn(&Member) -> Result<Done, Failure> + Send + Sync + 'static,
    ) -> Result<u8, Failure> {
        let (sender, events) = channel();
        let interrupts = sender.clone();
        on_interrupt(move || {
            // Nobody listens any more once the fleet has ended.
            let _ = interrupts.send(Event::Interrupt);
        })?;
        let stop = Arc::new(Stop::default());
        let targets: Vec<String> = self
            .servers
            .iter()
            .map(|server| server.target.to_string())
            .collect();
        let names = targets.iter().map(|target| members::label(target));
        let screen = Arc::new(Screen::new(names.collect(), self.style, sender.clone()));
        let member =
            |(number, (connect_options, folder)): (usize, (ConnectOptions, String))| Member {
                connect_options,
                number,
                folder,
                screen: screen.clone(),
                allowance: Arc::new(Allowance::new(number, self.max_output, sender.clone())),
                running: Mutex::new(None),
                stop: stop.clone(),
            };
        let folders = members::folders(&targets);
        let members = self
            .servers
            .into_iter()
            .zip(folders)
            .enumerate()
            .map(member);
        let members: Arc<[Member]> = members.collect();
        let crew = Arc::new(Crew {
            members: members.clone(),
            next: AtomicUsize::new(0),
            max_output: self.max_output,
            work,
        });
        for started in 0..self.jobs.min(members.len()) {
            let (crew, sender) = (crew.clone(), sender.clone());
            let spawned = thread::Builder::new()
                .name("rpyc-fleet".to_owned())
                .spawn(move || crew.work_on(&sender));
            match spawned {
                Ok(_) => {}
                Err(error) if started == 0 => {
                    return Err(Failure::new("no thread can be had").because(error));
                }
                // Those that there are do it all.
                Err(_) => break,
            }
        }
        let (endings, is_interrupted) = wait(&events, &members, &stop);
        if let Some(error) = screen.failure() {
            return Err(Failure::stdout(error));
        }
        let all_is_well = endings.iter().all(|ending| ending.kind == Kind::Ok);
        match is_interrupted {
            false => screen.summary(&endings),
            true => {
                // What waits for a reader of the standard output waits for ever, and so would this.
                let (shown, is_shown) = channel();
                let screen = screen.clone();
                apart(move || {
                    screen.summary(&endings);
                    // It took too long.
                    let _ = shown.send(());
                });
                // Whoever wanted all to end does without it then.
                let _ = is_shown.recv_timeout(CLOSED);
            }
        }
        if let Some(error) = screen.failure() {
            return Err(Failure::stdout(error));
        }
        Ok(match (all_is_well, is_interrupted) {
            (true, _) => 0,
            (false, true) => INTERRUPTED,
            (false, false) => 1,
        })
    }
}

/// Those who do the work.
struct Crew<F> {
    members: Arc<[Member]>,
    next: AtomicUsize,
    max_output: u64,
    work: F,
}

impl<F: Fn(&Member) -> Result<Done, Failure>> Crew<F> {
    /// Takes one server after the other, until there is none left.
    fn work_on(&self, events: &Sender<Event>) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(member) = self.members.get(number) else {
                return;
            };
            let began = Instant::now();
            let fault = || Err(Failure::new("a fault of this program, which it has told"));
            // A panic is one server's failure: those whose turn comes next have theirs.
            let outcome = catch_unwind(AssertUnwindSafe(|| match member.stop.is_set() {
                true => Err(Failure::new("Ctrl-C")),
                false => (self.work)(member),
            }));
            member.running.lock().take();
            let outcome = outcome.unwrap_or_else(|_| fault());
            let ending = member.ending(outcome, began, self.max_output);
            member.screen.ended(number, &ending);
            // Nobody listens any more once the fleet has ended.
            let _ = events.send(Event::Ended(number, ending));
        }
    }
}

/// How far the end has come that Ctrl-C asks for.
#[derive(Clone, Copy)]
enum Stopping {
    No,
    /// What runs was asked to end by then.
    Asked(Instant),
    /// Connections were closed; what hasn't ended by then is left.
    Closed(Instant),
}

/// Waits for all; says how each ended, and whether the user had enough.
fn wait(events: &Receiver<Event>, members: &[Member], stop: &Stop) -> (Vec<Ending>, bool) {
    let began = Instant::now();
    let mut endings: Vec<Option<Ending>> = members.iter().map(|_| None).collect();
    let mut left = members.len();
    let mut stopping = Stopping::No;
    while left > 0 {
        let event = match stopping {
            Stopping::No => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Stopping::Asked(until) | Stopping::Closed(until) => {
                events.recv_timeout(until.saturating_duration_since(Instant::now()))
            }
        };
        stopping = match (event, stopping) {
            (Ok(Event::Ended(number, ending)), _) => {
                if let Some(place) = endings.get_mut(number) {
                    left -= usize::from(place.is_none());
                    *place = Some(ending);
                }
                continue;
            }
            (Ok(Event::Exceeded(number)), _) => {
                if let Some(member) = members.get(number) {
                    member.close();
                }
                continue;
            }
            (Ok(Event::Interrupt), Stopping::No) => {
                stop.set();
                members.iter().for_each(Member::interrupt);
                Stopping::Asked(Instant::now() + ASKED)
            }
            (Ok(Event::Interrupt | Event::OutputLost), Stopping::No | Stopping::Asked(_))
            | (Err(RecvTimeoutError::Timeout), Stopping::Asked(_)) => {
                stop.set();
                members.iter().for_each(Member::close);
                Stopping::Closed(Instant::now() + CLOSED)
            }
            (Ok(Event::OutputLost), Stopping::Closed(_)) => continue,
            // There is nothing to wait for that has a limit.
            (Err(_), _) | (Ok(Event::Interrupt), Stopping::Closed(_)) => break,
        };
    }
    let fill = |ending: Option<Ending>| {
        ending.unwrap_or_else(|| Ending::new(Kind::Interrupted, "", began))
    };
    let endings = endings.into_iter().map(fill).collect();
    (endings, !matches!(stopping, Stopping::No))
}

/// How long code may take to end that was asked to, until its connection is closed.
const ASKED: Duration = Duration::from_secs(5);
/// How long the ends of closed connections are waited for.
const CLOSED: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    /// The servers whose turn came after the panic were never worked on, and the run never ended.
    #[test]
    fn a_panic_is_the_failure_of_one_server_and_the_others_have_their_turn() {
        let arguments = "eval --connect a:1 --connect b:1 --connect c:1 --jobs 1 1";
        let command = crate::program::cli::command();
        let arguments = ["rpyc-server"].into_iter().chain(arguments.split(' '));
        let matches = command
            .try_get_matches_from(arguments)
            .expect("it is right");
        let (_, matches) = matches.subcommand().expect("a tool");
        let fleet = Fleet::from_matches(matches).expect("no service is asked for");
        let fleet = fleet.expect("there are several");
        let (ended, code) = channel();
        thread::spawn(move || {
            let code = fleet.run(|member| match member.name() {
                "b:1" => Ok(Done::default()),
                name => panic!("at {name}"),
            });
            ended.send(code.ok()).expect("the test waits");
        });
        assert_eq!(code.recv_timeout(Duration::from_secs(60)), Ok(Some(1)));
    }
}
