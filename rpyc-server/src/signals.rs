//! SIGINT and SIGTERM: the first one stops the server, the second one ends the program.

use std::io;
use std::thread;

use log::info;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// From here on the signals are caught; they wait until [`Caught::stop_with`].
pub(crate) fn catch() -> io::Result<Caught> {
    Ok(Caught(Signals::new([SIGINT, SIGTERM])?))
}

/// Caught signals.
#[derive(Debug)]
pub(crate) struct Caught(Signals);

impl Caught {
    /// Calls `stop` at the first signal.
    pub(crate) fn stop_with(mut self, stop: impl Fn() + Send + 'static) -> io::Result<()> {
        let watch = move || {
            let mut stopping = false;
            for signal in self.0.forever() {
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
