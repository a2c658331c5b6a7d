//! Ctrl-C at a tool.

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use crate::program::failure::Failure;
use crate::threads;

/// Has each Ctrl-C call this, and do nothing else.
pub(super) fn on_interrupt(mut act: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    let caught = Signals::new([SIGINT]).and_then(|mut signals| {
        threads::start("rpyc-signals", move || {
            signals.forever().for_each(|_| act())
        })
    });
    let failed = |error| Failure::new("Ctrl-C can't be caught").because(error);
    caught.map(drop).map_err(failed)
}

/// Ended by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;
