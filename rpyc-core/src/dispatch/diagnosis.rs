//! What people are told of a connection that doesn't get on.

use std::time::Duration;

use super::dispatcher::{Core, Dispatcher, Protocol};
use super::reading::Reader;
use super::scheduler::WaiterId;
use crate::error::Timeout;
use crate::wire::Handler;

impl<P: Protocol> Dispatcher<P> {
    /// What a wait ran out of time for, and what else was going on.
    pub(crate) fn timeout(&self, what: String, after: Duration) -> Timeout {
        let core = self.core.lock();
        let reader = match core.reading.reader() {
            None => "nobody".to_owned(),
            Some(Reader::Helper) => "a helper".to_owned(),
            Some(Reader::Waiter(waiter)) => core.who(waiter),
        };
        let ran = names(core.scheduler.running());
        let queued = names(core.scheduler.waiting());
        let detail = format!(
            " ({}: {reader} was reading, {ran} of the peer ran here, {queued} were queued, unanswered of ours: {}{})",
            self.session.name(),
            core.calls.len(),
            match core.calls.oldest() {
                Some((seq, asked, since)) => {
                    format!(", {} for {:.1?}", asked.at(seq), since.elapsed())
                }
                None => String::new(),
            }
        );
        Timeout {
            what,
            after,
            detail,
        }
    }
}

impl<P: Protocol> Core<P> {
    /// Which waiter it is, for people to read.
    pub(super) fn who(&self, waiter: WaiterId) -> String {
        match self.calls.awaited_at(waiter) {
            Some((seq, asked)) => format!("the thread that waits for {}", asked.at(seq)),
            None => "a serving thread".to_owned(),
        }
    }
}

/// How many requests there are, and what the first of them ask for.
fn names(handlers: impl IntoIterator<Item = Handler>) -> String {
    let mut handlers = handlers.into_iter();
    let named: Vec<String> = handlers
        .by_ref()
        .take(3)
        .map(|one| one.to_string())
        .collect();
    let count = named.len() + handlers.count();
    match named.as_slice() {
        [] => "no requests".to_owned(),
        named => format!(
            "{count} requests ({}{})",
            named.join(", "),
            if count > named.len() { ", ..." } else { "" }
        ),
    }
}
