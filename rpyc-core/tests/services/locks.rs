//! No code of others runs under a lock of this crate's: it may wait for a lock of its own, for an
//! interpreter, for a peer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::executor::{Executor, Job, ThreadPool, is_unlocked};
use rpyc_core::object::{
    Any, Args, Context, Dict, Function, IdParts, MethodInfo, Object, ObjectRef, ObjectResult, Set,
};
use rpyc_core::service::PeerInfo;
use rpyc_core::wire::{Handler, Str};
use rpyc_core::{Config, Connection, Exception, Netref, Service};

use crate::support::session;

/// How often code of others ran, of which kind, and how often under a lock.
#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    drops: AtomicUsize,
    jobs: AtomicUsize,
    locked: AtomicUsize,
}

impl Seen {
    fn look(&self, kind: &AtomicUsize) {
        kind.fetch_add(1, Ordering::Relaxed);
        if !is_unlocked() {
            self.locked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An object, every part of which looks.
struct Looks(Arc<Seen>);

impl Looks {
    fn called(&self) {
        self.0.look(&self.0.calls);
    }
}

impl Drop for Looks {
    fn drop(&mut self) {
        self.0.look(&self.0.drops);
    }
}

impl Object for Looks {
    fn id_parts(&self) -> IdParts {
        self.called();
        IdParts::instance("tests.Looks", self)
    }

    fn has_attr(&self, _: &Context<'_>, _: &str) -> bool {
        self.called();
        true
    }

    fn attr(&self, _: &Context<'_>, _: &str) -> ObjectResult {
        self.called();
        Ok(Any::object(Looks(self.0.clone())))
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        self.called();
        Ok(Arc::new([(Str::from_static("__call__"), None)]))
    }

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        self.called();
        // A function of the client's is called, what else there is comes back.
        match args.positional.into_iter().next() {
            Some(Any::Netref(callback)) => {
                let given = Args::new().arg(Any::object(Looks(self.0.clone())));
                callback.call(given).map_err(Exception::from)
            }
            Some(Any::Value(_)) => Err(Exception::runtime_error("on purpose")),
            _ => self.attr(cx, ""),
        }
    }

    fn call_method(&self, cx: &Context<'_>, _: &str, args: Args) -> ObjectResult {
        self.call(cx, args)
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        self.called();
        Ok(Str::from_static("looks"))
    }

    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        self.called();
        Ok(None)
    }
}

struct LooksService(Arc<Seen>);

impl Drop for LooksService {
    fn drop(&mut self) {
        self.0.look(&self.0.drops);
    }
}

impl Service for LooksService {
    fn root(&self) -> ObjectRef {
        self.0.look(&self.0.calls);
        Arc::new(Looks(self.0.clone()))
    }

    fn configure(&self, _: &mut Config, _: &mut PeerInfo) {
        self.0.look(&self.0.calls);
    }

    fn on_connect(&self, _: &Context<'_>) -> Result<(), Exception> {
        self.0.look(&self.0.calls);
        Ok(())
    }

    fn on_disconnect(&self, _: &Connection) {
        self.0.look(&self.0.calls);
    }
}

/// Threads that look before and after each job.
struct LooksAtJobs(ThreadPool, Arc<Seen>);

impl Executor for LooksAtJobs {
    fn execute(&self, job: Job) -> std::io::Result<()> {
        self.1.look(&self.1.jobs);
        let seen = self.1.clone();
        self.0.execute(Box::new(move || {
            seen.look(&seen.jobs);
            job();
            seen.look(&seen.jobs);
        }))
    }
}

fn object(answer: ObjectResult) -> Netref {
    match answer {
        Ok(Any::Netref(netref)) => netref,
        other => panic!("no object: {other:?}"),
    }
}

#[test]
fn foreign_code_runs_under_no_lock() {
    let seen = Arc::new(Seen::default());
    let pool = ThreadPool::new("looks", 1 << 20, 16);
    let threads = Arc::new(LooksAtJobs(pool, seen.clone()));
    let config = Config::default().allow_all_attrs(true).executor(threads);
    let session = session(LooksService(seen.clone()), config);
    let fetch = |args| session.root.call(args).map_err(Exception::from);
    let held: Vec<_> = (0..10).map(|_| object(fetch(Args::new()))).collect();
    for netref in &held {
        assert!(netref.attr("x").is_ok());
        assert!(netref.request(Handler::Repr, []).is_ok());
        assert!(netref.inspect().is_ok());
        assert!(netref.call_method("m", Args::new()).is_ok());
        // An object of theirs as an argument; an exception.
        assert!(
            netref
                .call(Args::new().arg(Any::Netref(held[0].clone())))
                .is_ok()
        );
        assert!(fetch(Args::new().arg(Any::from(1))).is_err());
    }
    // A callback that is given an object, and drops it; one that fails; the answer's own callbacks.
    let ours = seen.clone();
    let callback = Function::new("callback", move |_, _| {
        ours.look(&ours.calls);
        Ok(Any::NONE)
    });
    let callback = Any::object(callback);
    for _ in 0..10 {
        assert!(fetch(Args::new().arg(callback.clone())).is_ok());
        let later = session.root.async_request(Handler::Repr, []).expect("sent");
        let ours = seen.clone();
        later.add_callback(move |_| ours.look(&ours.calls));
        let _ = later.value();
    }
    drop(held);
    drop(callback);
    drop(session);
    let count = |kind: &AtomicUsize| kind.load(Ordering::Relaxed);
    let end = Instant::now() + Duration::from_secs(60);
    // What has been released may be dropped elsewhere.
    while count(&seen.calls) <= 100 || count(&seen.drops) <= 30 {
        assert!(Instant::now() < end, "code of others hardly ran");
        thread::yield_now();
    }
    assert_eq!(count(&seen.locked), 0);
}

/// Each handle of it is the same object, and looks at the collections as it dies.
struct Element(Arc<(Set, Dict)>);

impl Object for Element {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("tests.Element", &*self.0)
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        let (set, dict) = &*self.0;
        let _ = (set.len(), dict.len());
    }
}

/// The second handle was dropped under the collection's lock, and waited for it for ever.
#[test]
fn an_element_may_use_its_collection_while_it_is_dropped() -> Result<(), Exception> {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let both = Arc::new((Set::new(), Dict::new()));
        let (set, dict) = &*both;
        let element = || Any::object(Element(both.clone()));
        let work = || -> ObjectResult<_> {
            let added = [set.insert(element())?, set.insert(element())?];
            let removed = set.remove(element())?;
            dict.insert(element(), element())?;
            dict.insert(element(), element())?;
            let entry = dict.remove(element())?;
            Ok((added, removed, entry.is_some(), set.len(), dict.len()))
        };
        let _ = done.send(work());
    });
    let outcome = ended.recv_timeout(Duration::from_secs(20));
    let outcome = outcome.expect("nothing waits for ever")?;
    assert_eq!(outcome, ([true, false], true, true, 0, 0));
    Ok(())
}
