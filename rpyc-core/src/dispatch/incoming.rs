//! What has arrived is put where it belongs: requests into the queue, replies to who waits for them.

use super::calls::Effects;
use super::dispatcher::{Arrival, Core, Dispatcher, Locked, Protocol, Refusal};
use super::reading::{Arrivals, Server};
use super::slot::Reply;
use crate::error::CloseReason;
use crate::wire::Seq;

impl<P: Protocol> Dispatcher<P> {
    /// Puts what arrived where it belongs, and ends the connection where the input ended. A `server` is told what
    /// it is to run at once.
    pub(super) fn deliver<'a>(
        &'a self,
        mut core: Locked<'a, P>,
        mut arrivals: Arrivals<P>,
        server: Option<Server<'_, P>>,
    ) -> Locked<'a, P> {
        let mut refused: Vec<P::Request> = Vec::new();
        let count = arrivals.items.len();
        // They come in order. One that is alone is quicker taken from the end.
        if count == 1 {
            let arrival = match (arrivals.items.pop(), server) {
                (Some(Arrival::Request { request, bytes }), Some(server))
                    if core.lifecycle.takes_requests() && arrivals.end.is_none() =>
                {
                    match core.scheduler.arrive_at(server.waiter, request, bytes) {
                        Ok(here) => {
                            *server.started = Some(here);
                            None
                        }
                        Err(request) => Some(Arrival::Request { request, bytes }),
                    }
                }
                (arrival, _) => arrival,
            };
            if let Some(arrival) = arrival {
                self.deliver_one(&mut core, arrival, &mut refused);
            }
        } else {
            for arrival in arrivals.items.drain(..) {
                self.deliver_one(&mut core, arrival, &mut refused);
            }
        }
        core.reading.delivered(count, arrivals.items);
        if let Some(limit) = arrivals.idle {
            let is_unused = core.is_unused() && core.calls.len() == 0;
            arrivals.end = arrivals.end.or_else(|| {
                let what = "was idle";
                is_unused.then_some(CloseReason::TooSlow { what, limit })
            });
        }
        match arrivals.end {
            None => {}
            // The requests ahead of the CLOSE run all the same.
            Some(CloseReason::Eof) if core.lifecycle.half_close() => core.end_input(),
            Some(reason) => self.fail(&mut core, reason),
        }
        if !core.garbage.is_empty() {
            // A thread that only waits drops nothing.
            self.wake_watchdog();
        }
        if refused.is_empty() && !core.lifecycle.is_shutdown_pending() {
            return core;
        }
        drop(core);
        for request in refused {
            self.refuse(request, &Refusal::QueueFull);
        }
        self.cut_off();
        self.core.lock()
    }

    fn deliver_one(&self, core: &mut Core<P>, arrival: Arrival<P>, refused: &mut Vec<P::Request>) {
        match arrival {
            Arrival::Request { request, bytes } => {
                refused.extend(Self::deliver_request(core, request, bytes));
            }
            Arrival::Close(to) => core.lifecycle.request_close(to),
            Arrival::Reply { seq, reply, bytes } => self.deliver_reply(core, &seq, reply, bytes),
            Arrival::Garbage(payload) => core.garbage.drop_later([payload]),
        }
    }

    /// Answers a request that isn't executed; what it holds is dropped later.
    pub(super) fn refuse(&self, request: P::Request, why: &Refusal) {
        P::refuse(self, &request, why);
        let mut foreign = P::foreign_parts(request).peekable();
        if foreign.peek().is_some() {
            self.core.lock().garbage.drop_later(foreign);
        }
    }

    /// Queues a request; gives it back where it is refused.
    fn deliver_request(
        core: &mut Core<P>,
        request: P::Request,
        bytes: usize,
    ) -> Option<P::Request> {
        if !core.lifecycle.takes_requests() {
            // Nothing behind a CLOSE is executed.
            core.garbage.drop_later(P::foreign_parts(request));
            return None;
        }
        core.scheduler.arrive(request, bytes).err()
    }

    fn deliver_reply(&self, core: &mut Core<P>, seq: &Seq, reply: Reply<P::Payload>, bytes: usize) {
        self.uncount_request();
        let answered = match seq.as_u64() {
            Some(seq) => core.calls.answer(seq, reply, bytes).map(|more| (seq, more)),
            None => Err(reply),
        };
        match answered {
            Ok((seq, answered)) => {
                let tell = |core: &mut Core<P>, waiter| {
                    core.scheduler.answered(waiter);
                    core.wake(waiter);
                };
                if let Some(waiter) = answered.waiter {
                    tell(core, waiter);
                }
                if let Some(effects) = answered.more {
                    let Effects {
                        waiters,
                        calls,
                        late,
                    } = *effects;
                    core.garbage.call_later(calls);
                    core.garbage.drop_later(late.and_then(Result::ok));
                    waiters.into_iter().for_each(|waiter| tell(core, waiter));
                }
                if let Some(reason) = core.lifecycle.left_by_answer(seq) {
                    self.fail(core, reason);
                }
                core.settle_probe(seq);
            }
            // Late, or a release's, or nobody asked: there is nothing to be told.
            Err(Ok(result)) if !P::is_plain(&result) => core.garbage.drop_later([result]),
            Err(_) => {}
        }
    }
}
