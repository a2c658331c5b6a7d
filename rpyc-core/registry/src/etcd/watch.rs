//! [`EtcdWatch`]: a service's servers as etcd tells of them.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use super::EtcdDirectory;
use super::gateway::{Failed, Lines};
use super::keys::end_of;
use super::left_out::LeftOut;
use super::messages::{Blob, Long, Pair, Streamed, WatchCreate, WatchRequest, Watched, encode};
use super::reading::MAX_SERVERS;
use crate::directory::{LONGEST, ServerEntry, Watch};
use crate::error::RegistryError;

/// Asks once for all servers, and is told of changes from then on.
#[derive(Debug)]
pub(super) struct EtcdWatch {
    directory: EtcdDirectory,
    name: String,
    pub(super) view: Option<View>,
    last: Option<Vec<ServerEntry>>,
    /// Before that, nobody is asked again.
    not_before: Instant,
}

/// The servers, as long as they can be followed.
#[derive(Debug)]
pub(super) struct View {
    servers: Servers,
    /// Whether they may be others than when they were last looked at.
    is_news: bool,
    lines: Box<dyn Lines>,
    /// What is left out of the changes, and when that is told next: once a minute.
    left_out: LeftOut,
    tell_at: Instant,
    /// Since when nothing has come.
    quiet_since: Instant,
    /// Messages since the last one that told something.
    empty: u32,
}

/// By their keys, with the revision that they have been there since.
#[derive(Debug, Default)]
pub(super) struct Servers(BTreeMap<Vec<u8>, (i64, ServerEntry)>);

impl EtcdWatch {
    pub(super) fn new(directory: EtcdDirectory, name: &str) -> EtcdWatch {
        EtcdWatch {
            directory,
            name: name.to_owned(),
            view: None,
            last: None,
            not_before: Instant::now(),
        }
    }

    fn open(&self) -> Result<View, Failed> {
        let deadline = self.directory.deadline();
        let front = self.directory.keys.service(&self.name);
        let mut servers = Servers::default();
        let directory = &self.directory;
        let revision = directory.each_pair(&front, deadline, |pair, left_out| {
            servers.put(directory, &front, pair, left_out);
        })?;
        let request = encode(&WatchRequest {
            create_request: WatchCreate {
                key: Blob::of(&front),
                range_end: end_of(&front),
                start_revision: Long(revision.saturating_add(1)),
            },
        });
        let lines = directory.rpc.stream("/v3/watch", &request, deadline)?;
        Ok(View::new(&front, servers, lines))
    }

    /// Waits for changes, and for those that come close behind them.
    pub(super) fn follow(&mut self, end: Instant) -> Result<(), Failed> {
        let Some(view) = &mut self.view else {
            return Ok(());
        };
        let front = self.directory.keys.service(&self.name);
        let mut until = end.min(view.quiet_since + RESYNC);
        let mut burst_ends = None;
        while let Some(line) = view.lines.next(until)? {
            let now = Instant::now();
            view.quiet_since = now;
            let streamed: Streamed<Watched> = self.directory.read(&line)?;
            let watched = match (streamed.result, streamed.error) {
                (Some(watched), None) if !watched.canceled => watched,
                (_, error) => {
                    let why = error.map_or_else(String::new, |error| error.message);
                    return Err(self.directory.strange(&format!("a watch ended: {why}")));
                }
            };
            if watched.events.0.is_empty() {
                view.empty += 1;
                if view.empty > MOST_EMPTY {
                    return Err(self
                        .directory
                        .strange("a watch that tells nothing, at length"));
                }
                continue;
            }
            view.empty = 0;
            view.is_news = true;
            for event in watched.events.0 {
                match event.is_delete() {
                    true => drop(view.servers.0.remove(&event.kv.key.0)),
                    false => {
                        let left_out = &mut view.left_out;
                        view.servers
                            .put(&self.directory, &front, event.kv, left_out);
                    }
                }
            }
            let burst_ends = *burst_ends.get_or_insert(now + LONGEST_BURST);
            until = (now + BURST_PAUSE).min(burst_ends);
        }
        let now = Instant::now();
        if !view.left_out.is_empty() && now >= view.tell_at {
            self.directory.tell_left_out(&view.left_out);
            view.left_out = LeftOut::below(&front);
            view.tell_at = now + RESYNC;
        }
        if now >= view.quiet_since + RESYNC {
            // It may be a member that has stopped, which nothing else would tell.
            self.view = None;
        }
        Ok(())
    }
}

impl View {
    pub(super) fn new(front: &str, servers: Servers, lines: Box<dyn Lines>) -> View {
        View {
            servers,
            is_news: true,
            lines,
            left_out: LeftOut::below(front),
            tell_at: Instant::now(),
            quiet_since: Instant::now(),
            empty: 0,
        }
    }
}

impl Servers {
    fn put(&mut self, directory: &EtcdDirectory, front: &str, pair: Pair, left_out: &mut LeftOut) {
        let is_known = self.0.contains_key(&pair.key.0);
        if !is_known && self.0.len() >= MAX_SERVERS {
            left_out.limit = Some(MAX_SERVERS);
            return;
        }
        match directory.entry(front, &pair, left_out) {
            Some(entry) => {
                let created = pair.create_revision.0;
                self.0.insert(pair.key.0, (created, entry));
            }
            None => drop(self.0.remove(&pair.key.0)),
        }
    }

    /// Those that registered longest ago first.
    fn in_order(&self) -> Vec<ServerEntry> {
        let mut servers: Vec<_> = self.0.values().collect();
        servers.sort_by_key(|(created, _)| *created);
        servers
            .into_iter()
            .map(|(_, entry)| entry.clone())
            .collect()
    }
}

impl Watch for EtcdWatch {
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<ServerEntry>>, RegistryError> {
        let end = Instant::now() + limit.min(LONGEST);
        loop {
            if self.view.is_none() {
                let now = Instant::now();
                let due = self.not_before.min(end);
                thread::sleep(due.saturating_duration_since(now)); // refused: it isn't asked again at once
                if self.not_before > end {
                    return Ok(None);
                }
                let opened = self.open();
                // Also where it works: it may end at once, each time.
                self.not_before = Instant::now() + PAUSE;
                if opened.is_err() {
                    // That it is over is told by giving all of them.
                    self.last = None;
                }
                self.view = Some(opened?);
            } else if self.follow(end).is_err() {
                // What has become of the servers meanwhile, the next member knows.
                self.view = None;
                continue;
            }
            let news = self.view.as_mut().filter(|view| view.is_news);
            let servers = news.map(|view| {
                view.is_news = false;
                view.servers.in_order()
            });
            if let Some(servers) = servers
                && self.last.as_ref() != Some(&servers)
            {
                self.last = Some(servers.clone());
                return Ok(Some(servers));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }
}

/// How long nothing may come before everything is asked for anew.
const RESYNC: Duration = Duration::from_secs(60);
/// Between two beginnings.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes that come as close together as that are given together, up to so long.
const BURST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_BURST: Duration = Duration::from_millis(250);
/// Messages without an event: etcd sends one, at the beginning.
const MOST_EMPTY: u32 = 100;
