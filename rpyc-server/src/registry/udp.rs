//! A registry on a UDP socket.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::thread::{self, Scope};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use log::debug;
use rpyc_registry::message::MAX_DATAGRAM;

use super::answers::{Answers, Taken};
use super::datagrams::{Datagrams, QueueSlot};
use super::desk::{Desk, PAUSE, PRUNE};
use super::listening::{Transport, wait};
use super::store::{AT_A_TIME, Question, TOO_MANY};

/// Answers until `wake` is readable.
///
/// # Errors
/// When nothing can be waited for any more. A datagram is never the cause.
pub(super) fn run(socket: &UdpSocket, wake: &impl AsFd, answers: Answers) -> io::Result<()> {
    let desk = Desk::new(answers);
    let shared = Shared { socket, desk };
    thread::scope(|scope| shared.run(scope, wake))
}

struct Shared<'s> {
    socket: &'s UdpSocket,
    desk: Desk,
}

/// A question for the store, and who waits for the answer.
type Waiting = (Question, SocketAddr, Option<QueueSlot>);
/// A thread that asks the store: its queue, from both ends.
type Worker = (Sender<Waiting>, Receiver<Waiting>);

impl Shared<'_> {
    fn run<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        wake: &impl AsFd,
    ) -> io::Result<()> {
        let mut workers: Vec<Option<Worker>> = (0..WORKERS).map(|_| None).collect();
        let ended = self.answer(scope, wake, &mut workers);
        // Nobody waits for what is still queued.
        for (_, questions) in workers.iter().flatten() {
            while questions.try_recv().is_ok() {}
        }
        ended
    }

    fn answer<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        wake: &impl AsFd,
        workers: &mut [Option<Worker>],
    ) -> io::Result<()> {
        // One more, which tells a longer datagram from one that fits.
        let mut buffer = [0; MAX_DATAGRAM + 1];
        let mut datagrams = Datagrams::new(self.socket);
        let hasher = RandomState::new();
        loop {
            if wait(Some(self.socket), wake, Some(PRUNE))? {
                self.desk.close();
                return Ok(());
            }
            let now = Instant::now();
            match datagrams.receive(&mut buffer) {
                Ok((length, source, place)) => {
                    let ip = source.ip();
                    let bytes = buffer.get(..length).unwrap_or(&[]);
                    let taken = self.desk.ask(|answers| {
                        let hears = answers.hears(ip, now);
                        hears.then(|| answers.answer(bytes, ip, Transport::Udp, now))
                    });
                    match taken {
                        None | Some(Taken::Answered(None)) => {}
                        Some(Taken::Answered(Some(answer))) => {
                            send(&datagrams, &answer, source, place);
                        }
                        Some(Taken::Asks(question)) => {
                            // What one source asks is done in the order in which it asks.
                            let own = hasher.hash_one(question.source) as usize % WORKERS;
                            if let Some(own) = workers.get_mut(own) {
                                self.hand_over(scope, own, (question, source, place));
                            }
                        }
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => self.desk.prune(),
                    _ => {
                        self.desk
                            .lacks(&format!("can't receive for a moment: {error}"));
                        if wait(None::<&UdpSocket>, wake, Some(PAUSE))? {
                            return Ok(());
                        }
                    }
                },
            }
        }
    }

    fn hand_over<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        worker: &mut Option<Worker>,
        waiting: Waiting,
    ) {
        if worker.is_none() {
            match self.start(scope) {
                Ok(started) => *worker = Some(started),
                Err(error) => {
                    return self
                        .desk
                        .lacks(&format!("no thread to ask the store: {error}"));
                }
            }
        }
        if let Some((queue, _)) = worker
            && queue.try_send(waiting).is_err()
        {
            // Who asks will ask again, or another copy.
            self.desk.lacks(TOO_MANY);
        }
    }

    /// Starts a thread that asks the store, which may take its time.
    fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> io::Result<Worker> {
        let (queue, questions) = bounded::<Waiting>(QUEUE);
        let taken = questions.clone();
        thread::Builder::new()
            .name("rpyc-registry".to_owned())
            .spawn_scoped(scope, move || {
                let datagrams = Datagrams::new(self.socket);
                for (question, source, place) in taken {
                    let outcome = question.ask();
                    let answer = self
                        .desk
                        .ask(|answers| answers.told(outcome, Instant::now()));
                    if let Some(answer) = answer {
                        send(&datagrams, &answer, source, place);
                    }
                }
            })?;
        Ok((queue, questions))
    }
}

fn send(datagrams: &Datagrams<'_>, answer: &[u8], source: SocketAddr, place: Option<QueueSlot>) {
    if let Err(error) = datagrams.answer(answer, source, place) {
        debug!("{source}: the answer can't be sent: {error}");
    }
}

/// Threads that ask the store.
const WORKERS: usize = AT_A_TIME;
/// Questions that wait for each of them. Stops a flood while the store is slow.
const QUEUE: usize = 32;
