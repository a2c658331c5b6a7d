//! [`Servers`]: which servers there are, which of them the next call goes to, and which is tried
//! again when. Pure: no clock, no threads, no sockets; time and chance are parameters.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpyc_core::Error;

use super::status::ServerStatus;
use crate::ServerAddress;

/// The servers of a service; `C` is a connection to one.
#[derive(Debug)]
pub(super) struct Servers<C> {
    policy: Policy,
    members: BTreeMap<u64, Member<C>>,
    next_id: u64,
    turn: u64,
    discarded: Vec<Discarded<C>>,
}

/// What bounds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// How many servers are taken of those that the directory names.
    pub(super) max_servers: usize,
    /// How many connections are being made at a time.
    pub(super) max_connecting: usize,
    /// The pause after a server's first failure.
    pub(super) first_pause: Duration,
    /// The pause after many failures.
    pub(super) longest_pause: Duration,
    /// How long a server may be idle until it is asked whether it is still there.
    pub(super) check_interval: Duration,
}

/// A connection to a server, as far as this is concerned: the server's number, and which one it is of
/// those that there have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket {
    id: u64,
    generation: u64,
}

#[derive(Debug)]
struct Member<C> {
    address: ServerAddress,
    // The directory names it.
    is_listed: bool,
    stage: Stage<C>,
    generation: u64,
    // In a row.
    failures: u32,
    last_error: Option<Arc<Error>>,
    unanswered: usize,
    last_turn: u64,
}

#[derive(Debug)]
enum Stage<C> {
    Waiting {
        until: Instant,
    },
    Connecting,
    Connected {
        connection: C,
        since: Instant,
        // When it last showed that it is there.
        seen: Instant,
        is_checked: bool,
    },
}

/// What is to be dropped where no lock is held.
#[derive(Debug)]
pub(super) enum Discarded<C> {
    Connection(C),
    Error(#[expect(dead_code, reason = "it is dropped")] Arc<Error>),
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job<C> {
    /// Answered by [`Servers::connected`] or [`Servers::failed`].
    Connect(Ticket, ServerAddress),
    /// Whether it is still there; answered by [`Servers::seen`] or [`Servers::failed`].
    Check(Ticket, C),
}

impl<C: Clone> Servers<C> {
    pub(super) fn new(policy: Policy) -> Servers<C> {
        Servers {
            policy,
            members: BTreeMap::new(),
            next_id: 0,
            turn: 0,
            discarded: Vec::new(),
        }
    }

    /// The directory names these servers, and no others.
    ///
    /// One that it doesn't name any more is used on while it is connected and there is no better one: the
    /// directory may have lost its memory, and the server hasn't.
    pub(super) fn list(&mut self, addresses: Vec<ServerAddress>, now: Instant) {
        // Where there are too many, those that are known stay.
        let mut listed = 0;
        let mut unknown: HashSet<&ServerAddress> = addresses.iter().collect();
        for member in self.members.values_mut() {
            let is_named = unknown.remove(&member.address);
            member.is_listed = is_named && listed < self.policy.max_servers;
            listed += usize::from(member.is_listed);
        }
        self.forget();
        for address in &addresses {
            if listed >= self.policy.max_servers || !unknown.remove(address) {
                continue;
            }
            listed += 1;
            let member = Member {
                address: address.clone(),
                is_listed: true,
                stage: Stage::Waiting { until: now },
                generation: 0,
                failures: 0,
                last_error: None,
                unanswered: 0,
                last_turn: 0,
            };
            self.members.insert(self.next_id, member);
            self.next_id += 1;
        }
    }

    /// The server that the next call goes to, which has one more that is unanswered from now on, until
    /// [`answered`](Self::answered) or another end of it is told.
    pub(super) fn choose(&mut self) -> Option<(Ticket, C)> {
        let order = |member: &Member<C>| {
            // It may take calls and answer none: it gets them one by one until it has answered.
            let is_doubted = member.failures > 0 && member.unanswered > 0;
            (
                !member.is_listed,
                is_doubted,
                member.unanswered,
                member.last_turn,
            )
        };
        let connected = |member: &Member<C>| matches!(member.stage, Stage::Connected { .. });
        let members = self.members.iter_mut();
        let (&id, member) = members
            .filter(|(_, member)| connected(member))
            .min_by_key(|(_, member)| order(member))?;
        let Stage::Connected { connection, .. } = &member.stage else {
            return None;
        };
        self.turn += 1;
        member.last_turn = self.turn;
        member.unanswered += 1;
        let generation = member.generation;
        Some((Ticket { id, generation }, connection.clone()))
    }

    /// A call is over, of which nothing is known but that.
    pub(super) fn ended(&mut self, ticket: Ticket) {
        if let Some(member) = self.members.get_mut(&ticket.id) {
            member.unanswered = member.unanswered.saturating_sub(1);
        }
        self.forget();
    }

    /// The server has answered, if only that it doesn't do what it was asked.
    pub(super) fn answered(&mut self, ticket: Ticket, now: Instant) {
        if let Some(member) = self.current(ticket) {
            member.failures = 0;
            self.discard_error(ticket.id);
        }
        self.seen(ticket, now);
    }

    /// The server is there.
    pub(super) fn seen(&mut self, ticket: Ticket, now: Instant) {
        if let Some(member) = self.current(ticket)
            && let Stage::Connected {
                seen, is_checked, ..
            } = &mut member.stage
        {
            (*seen, *is_checked) = (now, false);
        }
    }

    /// The connection is made.
    pub(super) fn connected(&mut self, ticket: Ticket, connection: C, now: Instant) {
        // A server that the directory has stopped naming meanwhile is of use only without any other.
        let connected = |member: &Member<C>| matches!(member.stage, Stage::Connected { .. });
        let has_others = self.members.values().any(connected);
        let member = self.current(ticket);
        match member.filter(|member| matches!(member.stage, Stage::Connecting)) {
            Some(member) if !member.is_listed && has_others => {
                member.stage = Stage::Waiting { until: now };
                self.discarded.push(Discarded::Connection(connection));
            }
            Some(member) => {
                member.stage = Stage::Connected {
                    connection,
                    since: now,
                    seen: now,
                    is_checked: false,
                };
            }
            None => self.discarded.push(Discarded::Connection(connection)),
        }
        self.forget();
    }

    /// The connection can't be made, or was lost, or a call over it wasn't answered in time: the
    /// server is left out until a new connection to it is made. What is said of a connection of before
    /// changes nothing. `chance` is any number.
    pub(super) fn failed(&mut self, ticket: Ticket, error: Arc<Error>, now: Instant, chance: u64) {
        let policy = self.policy;
        let Some(member) = self.current(ticket) else {
            return self.discarded.push(Discarded::Error(error));
        };
        if let Stage::Connected { since, .. } = member.stage
            && now.saturating_duration_since(since) >= policy.longest_pause
        {
            // It has been all right for long.
            member.failures = 0;
        }
        member.failures = member.failures.saturating_add(1);
        member.generation += 1;
        let until = now + policy.pause(member.failures, chance);
        let before = std::mem::replace(&mut member.stage, Stage::Waiting { until });
        let last = member.last_error.replace(error);
        self.discard_stage(before);
        self.discarded.extend(last.map(Discarded::Error));
        self.forget();
    }

    /// What is to be done now; it is under way from now on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Job<C>> {
        let mut places = self.free_places();
        let mut jobs = Vec::new();
        for (&id, member) in &mut self.members {
            let ticket = Ticket {
                id,
                generation: member.generation,
            };
            match &mut member.stage {
                Stage::Waiting { until } if *until <= now && places > 0 => {
                    places -= 1;
                    jobs.push(Job::Connect(ticket, member.address.clone()));
                    member.stage = Stage::Connecting;
                }
                Stage::Connected {
                    connection,
                    seen,
                    is_checked,
                    ..
                } if !*is_checked
                    && member.unanswered == 0
                    && *seen + self.policy.check_interval <= now =>
                {
                    *is_checked = true;
                    jobs.push(Job::Check(ticket, connection.clone()));
                }
                _ => {}
            }
        }
        jobs
    }

    /// When there is something to be done next, unless something is told before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let has_place = self.free_places() > 0;
        let due = |member: &Member<C>| match member.stage {
            Stage::Waiting { until } => has_place.then_some(until),
            Stage::Connected {
                seen,
                is_checked: false,
                ..
            } if member.unanswered == 0 => Some(seen + self.policy.check_interval),
            _ => None,
        };
        self.members.values().filter_map(due).min()
    }

    /// The connections that there are.
    pub(super) fn connections(&self) -> Vec<(Ticket, C)> {
        let connection = |(&id, member): (&u64, &Member<C>)| match &member.stage {
            Stage::Connected { connection, .. } => {
                let generation = member.generation;
                Some((Ticket { id, generation }, connection.clone()))
            }
            _ => None,
        };
        self.members.iter().filter_map(connection).collect()
    }

    /// What the servers failed with last, and how many there are.
    pub(super) fn failure(&self) -> (Option<Arc<Error>>, usize) {
        let mut members = self.members.values().rev();
        let error = members.find_map(|member| member.last_error.clone());
        (error, self.members.len())
    }

    pub(super) fn statuses(&self, now: Instant) -> Vec<ServerStatus> {
        let status = |member: &Member<C>| ServerStatus {
            address: member.address.clone(),
            is_listed: member.is_listed,
            is_connected: matches!(member.stage, Stage::Connected { .. }),
            unanswered: member.unanswered,
            failures: member.failures,
            next_try: match member.stage {
                Stage::Waiting { until } => Some(until.saturating_duration_since(now)),
                _ => None,
            },
            last_error: member.last_error.clone(),
        };
        self.members.values().map(status).collect()
    }

    /// Everything that is over; dropped where no lock is held.
    pub(super) fn take_discarded(&mut self) -> Vec<Discarded<C>> {
        std::mem::take(&mut self.discarded)
    }

    /// Forgets all servers.
    pub(super) fn clear(&mut self) {
        for (_, member) in std::mem::take(&mut self.members) {
            self.discard(member);
        }
    }

    /// The server, if that connection to it is the one that counts.
    fn current(&mut self, ticket: Ticket) -> Option<&mut Member<C>> {
        let member = self.members.get_mut(&ticket.id)?;
        (member.generation == ticket.generation).then_some(member)
    }

    /// Drops those that the directory doesn't name any more and that are of no use. One to which a
    /// connection is being made keeps its place until that has ended: so long there is a thread for it.
    fn forget(&mut self) {
        let gone =
            |member: &Member<C>| !member.is_listed && matches!(member.stage, Stage::Waiting { .. });
        let gone = self.members.iter().filter(|(_, member)| gone(member));
        let mut gone: Vec<u64> = gone.map(|(&id, _)| id).collect();
        // Others are there in their place.
        let connected = |member: &Member<C>| matches!(member.stage, Stage::Connected { .. });
        let mut members = self.members.values();
        if members.any(|member| member.is_listed && connected(member)) {
            let idle = |member: &Member<C>| {
                !member.is_listed && connected(member) && member.unanswered == 0
            };
            let idle = self.members.iter().filter(|(_, member)| idle(member));
            gone.extend(idle.map(|(&id, _)| id));
        }
        for id in gone {
            if let Some(member) = self.members.remove(&id) {
                self.discard(member);
            }
        }
    }

    fn free_places(&self) -> usize {
        let connecting = |member: &&Member<C>| matches!(member.stage, Stage::Connecting);
        let taken = self.members.values().filter(connecting).count();
        self.policy.max_connecting.saturating_sub(taken)
    }

    fn discard(&mut self, member: Member<C>) {
        self.discard_stage(member.stage);
        self.discarded
            .extend(member.last_error.map(Discarded::Error));
    }

    fn discard_stage(&mut self, stage: Stage<C>) {
        if let Stage::Connected { connection, .. } = stage {
            self.discarded.push(Discarded::Connection(connection));
        }
    }

    fn discard_error(&mut self, id: u64) {
        let member = self.members.get_mut(&id);
        let error = member.and_then(|member| member.last_error.take());
        self.discarded.extend(error.map(Discarded::Error));
    }
}

impl Policy {
    /// Twice as long with each failure, up to the longest; of that a part between a half and all, so that
    /// the clients of a server that comes back don't come at one time.
    pub(super) fn pause(&self, failures: u32, chance: u64) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1).min(31));
        let pause = self.first_pause.saturating_mul(doubled.unwrap_or(u32::MAX));
        let pause = pause.min(self.longest_pause);
        let part = (chance >> 32) as f64 / f64::from(u32::MAX);
        pause.mul_f64(0.5 + part.min(1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests;
