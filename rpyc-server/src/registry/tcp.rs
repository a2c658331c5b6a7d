//! A registry on a TCP socket: a question for each connection, on a thread of its own, so that
//! nobody waits for who connects and says nothing.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{debug, warn};
use rpyc_core::registry::message::{Command, MAX_DATAGRAM};

use super::Transport;
use super::answers::Answers;
use super::waiting::wait;

/// Answers until `wake` is readable. Connections that are open then end within [`LIMIT`].
///
/// # Errors
/// When nothing can be waited for any more. Who connects is never the cause.
pub(super) fn run(listener: &TcpListener, wake: &impl AsFd, answers: Answers) -> io::Result<()> {
    let shared = Arc::new(Shared {
        answers: Mutex::new(answers),
        open: Mutex::new(HashMap::new()),
    });
    loop {
        if wait(Some(listener), wake, Some(PRUNE))? {
            return Ok(());
        }
        match listener.accept() {
            Ok((stream, source)) => admit(&shared, stream, source.ip().to_canonical()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted => shared.answers().prune(Instant::now()),
                _ => {
                    warn!("can't accept for a moment: {error}");
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
    /// How many connections of each source are open.
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place; dropped, it is free again.
struct Place {
    shared: Arc<Shared>,
    source: IpAddr,
}

impl Place {
    fn take(shared: &Arc<Shared>, source: IpAddr) -> Option<Place> {
        let mut open = shared.open();
        let of_source = open.get(&source).copied().unwrap_or(0);
        if of_source >= PLACES_OF_SOURCE || open.values().sum::<usize>() >= PLACES {
            return None;
        }
        open.insert(source, of_source + 1);
        Some(Place {
            shared: shared.clone(),
            source,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.open();
        if let Some(count) = open.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, source: IpAddr) {
    if !shared.answers().hears(source, Instant::now()) {
        return;
    }
    let Some(place) = Place::take(shared, source) else {
        debug!("{source}: too many connections are open");
        return;
    };
    let started = thread::Builder::new()
        .name("rpyc-registry".to_owned())
        .spawn(move || {
            if let Err(error) = converse(stream, &place) {
                debug!("{source}: no answer: {error}");
            }
        });
    if let Err(error) = started {
        warn!("{source}: no thread for its question: {error}");
    }
}

fn converse(mut stream: TcpStream, place: &Place) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let deadline = Instant::now() + LIMIT;
    let mut question = Vec::new();
    let mut buffer = [0; MAX_DATAGRAM];
    while Command::is_incomplete(&question) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => break,
            length => question.extend_from_slice(buffer.get(..length).unwrap_or(&[])),
        }
    }
    let answer =
        place
            .shared
            .answers()
            .answer(&question, place.source, Transport::Tcp, Instant::now());
    if let Some(answer) = answer {
        stream.set_write_timeout(Some(LIMIT))?;
        stream.write_all(&answer)?;
    }
    stream.shutdown(Shutdown::Write)
}

/// How long a connection may take. Stops who connects and says nothing.
const LIMIT: Duration = Duration::from_secs(3);
/// How often somebody looks for servers that have been silent for too long.
const PRUNE: Duration = Duration::from_secs(1);
/// A pause when something is short: descriptors, memory.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that may be open at the same time. Stops who connects without end.
const PLACES: usize = 256;
/// Those of one source. Stops one source that takes all places.
const PLACES_OF_SOURCE: usize = 32;
