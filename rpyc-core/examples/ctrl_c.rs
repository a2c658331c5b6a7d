//! Ctrl-C ends a call that takes long: the connection is closed, and the call fails.
#![allow(clippy::print_stdout)]

use std::error;
use std::thread;
use std::time::Duration;

use rpyc_core::object::callback;
use rpyc_core::{Any, Config, Connector, Context, Error, args, service};
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

struct WatchService;

#[service]
impl WatchService {
    /// Watches until the client has gone, and calls it every now and then.
    #[exposed]
    fn watch(&self, cx: &Context<'_>, tell: Any) {
        for turn in 0_u64.. {
            if tell.call_in(cx, args![turn]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100)); // it is slow work
        }
    }
}

/// Calls until a signal comes; `tell` is called meanwhile.
pub(crate) fn run(
    mut signals: Signals,
    tell: impl Fn(u64) + Send + Sync + 'static,
) -> Result<(), Box<dyn error::Error>> {
    let connection = Connector::new().connect_thread(WatchService, Config::default())?;
    let (handle, closing) = (signals.handle(), connection.clone());
    let waiting = thread::spawn(move || {
        if signals.forever().next().is_some() {
            closing.shut_down(Duration::from_secs(1));
        }
    });

    let root = connection
        .root()?
        .netref()?
        .timed(Duration::from_secs(3600));
    let outcome = root.call_method("watch", args![callback(tell)]);
    handle.close();
    waiting
        .join()
        .map_err(|_| "the thread for Ctrl-C panicked")?;
    match outcome {
        Err(Error::Closed(reason)) => println!("ended: {reason}"),
        outcome => return Err(format!("it ended by itself: {outcome:?}").into()),
    }
    Ok(())
}

#[allow(dead_code)] // the tests call `run`
fn main() -> Result<(), Box<dyn error::Error>> {
    run(Signals::new([SIGINT])?, |turn| {
        println!("turn {turn}; Ctrl-C ends it");
    })
}
