//! SIGINT and SIGTERM: the first one stops the server, the second one ends the program. SIGHUP has
//! a server that speaks TLS read its files anew.

use std::io;
use std::thread;

use log::{error, info};
use rpyc_server::auth::Tls;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::failure::Failure;

/// From here on the signals are caught; they wait until [`Caught::stop_with`]. Without TLS, SIGHUP
/// does what it does to any program: it comes when the terminal is closed.
pub(crate) fn catch(tls: Option<Tls>) -> io::Result<Caught> {
    let signals = Signals::new([SIGINT, SIGTERM])?;
    if tls.is_some() {
        signals.add_signal(SIGHUP)?;
    }
    Ok(Caught { signals, tls })
}

/// Caught signals.
#[derive(Debug)]
pub(crate) struct Caught {
    signals: Signals,
    tls: Option<Tls>,
}

impl Caught {
    /// Calls `stop` at the first signal.
    pub(crate) fn stop_with(mut self, stop: impl Fn() + Send + 'static) -> io::Result<()> {
        let watch = move || {
            let mut stopping = false;
            for signal in self.signals.forever() {
                if signal == SIGHUP {
                    reload(self.tls.as_ref());
                    continue;
                }
                if stopping {
                    // Not exit(): whoever asks twice doesn't want to wait for destructors.
                    let _ = low_level::emulate_default_handler(signal);
                }
                stopping = true;
                let name = low_level::signal_name(signal).unwrap_or("a signal");
                info!("{name}: stopping; once more ends the program at once");
                stop();
            }
        };
        thread::Builder::new()
            .name("rpyc-signals".to_owned())
            .spawn(watch)?;
        Ok(())
    }
}

fn reload(tls: Option<&Tls>) {
    match tls.map(Tls::reload) {
        Some(Ok(())) => info!("SIGHUP: the files of TLS are read anew"),
        Some(Err(error)) => {
            let error = Failure::new("the files of TLS stay as they were").because(error);
            error!("SIGHUP: {}", error.with_causes());
        }
        None => {}
    }
}
