//! SIGINT and SIGTERM: the first one stops the server, the second one ends the program. SIGHUP has
//! it read the files of TLS anew, and write to a new log file, as it has the processes of clients.
//!
//! Who tells all processes of a service (systemd, `timeout`, Ctrl-C) tells some more than once, as
//! the server itself tells the processes of its clients: a SIGTERM within a second of the first signal
//! is the same order.

use std::io::{self, IsTerminal};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::auth::Tls;
use log::{error, info};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::program::failure::Failure;
use crate::program::logging::LogFile;
use crate::threads;

/// From here on the signals are caught; they wait until [`Caught::stop_with`].
pub(crate) fn catch(log: LogFile, tls: Vec<Tls>) -> io::Result<Caught> {
    Ok(Caught {
        signals: Signals::new([SIGHUP, SIGINT, SIGTERM])?,
        terminals: terminals(),
        log,
        tls,
    })
}

/// Caught signals.
#[derive(Debug)]
pub(crate) struct Caught {
    signals: Signals,
    /// Which of the standard streams were terminals at the start.
    terminals: [bool; 3],
    log: LogFile,
    /// Of each server that has it.
    tls: Vec<Tls>,
}

impl Caught {
    /// Calls `stop` at the first signal, and `reloaded` when the files were read anew.
    pub(crate) fn stop_with(
        mut self,
        stop: impl Fn() + Send + 'static,
        reloaded: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let (log, tls) = (self.log.clone(), self.tls.clone());
        let (hang_up, hung_up) = mpsc::channel();
        // On a thread of its own: a file may keep its reader waiting (a network's, a pipe), and the
        // other signals must not wait with it.
        threads::start("rpyc-reload", move || {
            while hung_up.recv().is_ok() {
                reload(&log, &tls);
                reloaded();
            }
        })?;
        let watch = move || {
            let mut stopping: Option<Instant> = None;
            for signal in self.signals.forever() {
                if signal == SIGHUP && self.terminals == terminals() {
                    // Somebody receives for as long as this thread has the sender.
                    let _ = hang_up.send(());
                    continue;
                }
                match stopping {
                    Some(since) if signal == SIGTERM && since.elapsed() < ONE_ORDER => continue,
                    // Not exit(): whoever asks twice doesn't want to wait for destructors.
                    Some(_) => {
                        let _ = low_level::emulate_default_handler(signal);
                    }
                    None => {}
                }
                stopping = Some(Instant::now());
                let name = low_level::signal_name(signal).unwrap_or("a signal");
                info!("{name}: stopping; once more ends the program at once");
                stop();
            }
        };
        threads::start("rpyc-signals", watch).map(drop)
    }
}

const ONE_ORDER: Duration = Duration::from_secs(1);

/// Which of the standard streams are terminals. One that was closed isn't one any more: then
/// SIGHUP is its end, not an operator's wish.
fn terminals() -> [bool; 3] {
    [
        io::stdin().is_terminal(),
        io::stdout().is_terminal(),
        io::stderr().is_terminal(),
    ]
}

fn reload(log: &LogFile, tls: &[Tls]) {
    match log.reopen() {
        Ok(true) => info!("SIGHUP: the log file is opened anew"),
        Ok(false) if tls.is_empty() => {
            info!("SIGHUP: neither TLS nor a log file is in use, nothing is read anew");
        }
        Ok(false) => {}
        Err(error) => error!("SIGHUP: the log goes on as it was: {}", error.with_causes()),
    }
    for tls in tls {
        match tls.reload() {
            Ok(()) => info!("SIGHUP: the files of TLS are read anew"),
            Err(error) => {
                let error = Failure::new("the files of TLS stay as they were").because(error);
                error!("SIGHUP: {}", error.with_causes());
            }
        }
    }
}
