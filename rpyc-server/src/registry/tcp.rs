//! A registry on a TCP socket: a question for each connection, on a thread of its own, so that
//! nobody waits for who connects and says nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::debug;
use rpyc_registry::message::{Command, MAX_DATAGRAM};

use super::answers::{Answers, Taken};
use super::desk::{Desk, PAUSE, PRUNE};
use super::listening::{Transport, wait};
use crate::places::Caps;
use crate::threads;
use crate::visitors::{Visit, Visitors};

/// Answers until `wake` is readable. Connections that are open then end within twice
/// [`LIMIT`] and the time of the store.
///
/// # Errors
/// When nothing can be waited for any more. Who connects is never the cause.
pub(super) fn run(listener: &TcpListener, wake: &impl AsFd, answers: Answers) -> io::Result<()> {
    let shared = Arc::new(Shared {
        desk: Desk::new(answers),
        visitors: Visitors::new(CAPS),
    });
    loop {
        if wait(Some(listener), wake, Some(PRUNE))? {
            shared.desk.close();
            return Ok(());
        }
        match listener.accept() {
            Ok((stream, source)) => admit(&shared, stream, source.ip().to_canonical()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted => shared.desk.prune(),
                _ => {
                    shared
                        .desk
                        .lacks(&format!("can't accept for a moment: {error}"));
                    if wait(None::<&TcpListener>, wake, Some(PAUSE))? {
                        return Ok(());
                    }
                }
            },
        }
    }
}

struct Shared {
    desk: Desk,
    visitors: Visitors,
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, source: IpAddr) {
    if !shared
        .desk
        .ask(|answers| answers.hears(source, Instant::now()))
    {
        return;
    }
    let blocking = stream.set_nonblocking(false);
    let visit = match blocking.and_then(|()| shared.visitors.admit(stream, LIMIT)) {
        Ok(Some(visit)) => visit,
        Ok(None) => return debug!("{source}: too many connections are open"),
        Err(error) => return debug!("{source}: its question can't be heard: {error}"),
    };
    let hands = shared.clone();
    let started = threads::start("rpyc-registry", move || {
        if let Err(error) = converse(visit, source, &hands) {
            debug!("{source}: no answer: {error}");
        }
    });
    if let Err(error) = started {
        shared
            .desk
            .lacks(&format!("{source}: no thread for its question: {error}"));
    }
}

fn converse(mut visit: Visit, source: IpAddr, shared: &Shared) -> io::Result<()> {
    let mut question = Vec::new();
    let mut buffer = [0; MAX_DATAGRAM];
    while Command::is_incomplete(&question) {
        match visit.read(&mut buffer)? {
            0 => break,
            length => question.extend_from_slice(buffer.get(..length).unwrap_or(&[])),
        }
    }
    visit.asked();
    let taken = shared.desk.ask(|answers| {
        let now = Instant::now();
        answers.answer(&question, source, Transport::Tcp, now)
    });
    let answer = match taken {
        Taken::Answered(answer) => answer,
        Taken::Asks(question) => {
            let outcome = question.ask();
            shared
                .desk
                .ask(|answers| answers.told(outcome, Instant::now()))
        }
    };
    visit.answers();
    if let Some(answer) = answer {
        visit.write_all(&answer)?;
    }
    visit.finish()
}

/// How long a connection may take to ask, and then to take its answer. Stops who connects and says
/// nothing; how long the store takes is the store's own limit.
const LIMIT: Duration = Duration::from_secs(3);
/// Connections that may be open at the same time: stops who connects without end. And those of one
/// source, which stops one that takes all places.
const CAPS: Caps = Caps {
    all: 256,
    per_source: 32,
};
