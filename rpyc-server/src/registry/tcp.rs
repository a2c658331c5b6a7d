//! A registry on a TCP socket: a question for each connection, on a thread of its own, so that
//! nobody waits for who connects and says nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::debug;
use rpyc_registry::message::{Command, MAX_DATAGRAM};

use super::answers::{Answers, Taken};
use super::listening::{TARGET, Transport, wait};
use crate::log_limiter;
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
        answers: Mutex::new(answers),
        visitors: Visitors::new(CAPS),
    });
    loop {
        if wait(Some(listener), wake, Some(PRUNE))? {
            let lines = shared.answers().last_lines();
            log_limiter::write(TARGET, lines);
            return Ok(());
        }
        match listener.accept() {
            Ok((stream, source)) => admit(&shared, stream, source.ip().to_canonical()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted => {
                    shared.ask(|answers| answers.prune(Instant::now()));
                }
                _ => {
                    shared.lacks(&format!("can't accept for a moment: {error}"));
                    if wait(None::<&TcpListener>, wake, Some(PAUSE))? {
                        return Ok(());
                    }
                }
            },
        }
    }
}

struct Shared {
    answers: Mutex<Answers>,
    visitors: Visitors,
}

impl Shared {
    /// Asks, and then writes the log lines that there are.
    fn ask<T>(&self, question: impl FnOnce(&mut Answers) -> T) -> T {
        let mut answers = self.answers();
        let answer = question(&mut answers);
        let lines = answers.take_lines();
        drop(answers);
        log_limiter::write(TARGET, lines);
        answer
    }

    fn lacks(&self, text: &str) {
        self.ask(|answers| answers.lacks(text, Instant::now()));
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, source: IpAddr) {
    if !shared.ask(|answers| answers.hears(source, Instant::now())) {
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
        shared.lacks(&format!("{source}: no thread for its question: {error}"));
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
    let taken = shared.ask(|answers| {
        let now = Instant::now();
        answers.answer(&question, source, Transport::Tcp, now)
    });
    let answer = match taken {
        Taken::Answered(answer) => answer,
        Taken::Asks(question) => {
            let outcome = question.ask();
            shared.ask(|answers| answers.told(outcome, Instant::now()))
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
/// How often somebody looks for servers that have been silent for too long.
const PRUNE: Duration = Duration::from_secs(1);
/// A pause when something is short: descriptors, memory.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that may be open at the same time: stops who connects without end. And those of one
/// source, which stops one that takes all places.
const CAPS: Caps = Caps {
    all: 256,
    per_source: 32,
};
