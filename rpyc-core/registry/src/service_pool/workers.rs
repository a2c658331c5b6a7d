//! The threads of a pool: one follows the directory, one looks after the connections.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rpyc_core::Connection;
use rpyc_core::error::{CloseReason, Error};
use rpyc_core::executor;

use super::servers::Job;
use super::shared::Shared;
use crate::Watch;

/// Starts both.
pub(super) fn follow(shared: &Arc<Shared>, mut watch: Box<dyn Watch>) -> Result<(), Error> {
    let followed = move |shared: Arc<Shared>| {
        while !shared.has_ended() {
            match watch.next(LOOK) {
                Ok(Some(servers)) => {
                    let addresses = servers.into_iter().map(|server| server.address);
                    shared.list(Ok(addresses.collect()));
                }
                Ok(None) => {}
                Err(error) => shared.list(Err(error)),
            }
        }
    };
    spawn(shared, followed)?;
    look_after(shared)
}

/// Starts the second one.
pub(super) fn look_after(shared: &Arc<Shared>) -> Result<(), Error> {
    spawn(shared, |shared| serve(&shared))
}

fn spawn(
    shared: &Arc<Shared>,
    work: impl FnOnce(Arc<Shared>) + Send + 'static,
) -> Result<(), Error> {
    let shared = shared.clone();
    let spawned = executor::spawn("pool", move || work(shared));
    spawned.map(drop).map_err(|error| Error::Io {
        doing: "starting a thread of a pool's".into(),
        error: Arc::new(error),
    })
}

/// Has connections made and checked, and sees which have ended, until the pool ends.
fn serve(shared: &Arc<Shared>) {
    while let Some(jobs) = shared.jobs(LOOK) {
        for job in jobs {
            start_job(shared, job);
        }
        for (ticket, connection) in shared.connections() {
            if connection.is_closed() {
                shared.checked(ticket, Err(Error::Closed(CloseReason::Eof)));
            }
        }
    }
}

fn start_job(shared: &Arc<Shared>, job: Job<Connection>) {
    let (ticket, spawned) = match job {
        Job::Connect(ticket, address) => (
            ticket,
            spawn(shared, move |shared| {
                let connect = AssertUnwindSafe(|| (shared.connect)(&address));
                let panicked = |_| {
                    let what = "what connects for the pool panicked".to_owned();
                    Err(Error::Misuse(what))
                };
                let outcome = catch_unwind(connect).unwrap_or_else(panicked);
                if let Ok(connection) = &outcome {
                    bound_calls(connection, shared.timing.call_timeout);
                }
                shared.connected(ticket, outcome);
            }),
        ),
        Job::Check(ticket, connection) => (
            ticket,
            spawn(shared, move |shared| {
                let answered = connection.ping_with("rpyc pool", Some(CHECK_TIMEOUT));
                shared.checked(ticket, answered);
            }),
        ),
    };
    if let Err(error) = spawned {
        shared.checked(ticket, Err(error));
    }
}

/// No call waits for ever, whatever the connection's own config says.
fn bound_calls(connection: &Connection, call_timeout: Duration) {
    connection.update_config(|config| {
        let own = config.sync_request_timeout;
        config.sync_request_timeout = Some(own.map_or(call_timeout, |own| own.min(LONGEST_CALL)));
    });
}

/// How often connections are looked at, and how long the threads outlast the pool.
const LOOK: Duration = Duration::from_secs(1);
/// An answer that may take longer never comes.
const LONGEST_CALL: Duration = Duration::from_secs(24 * 3600);
/// How long a server has to show that it is there.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
