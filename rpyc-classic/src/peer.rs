//! [`Peer`]: what a session of any evaluator knows of its connection, and [`Current`]: whose code a thread
//! runs. For those who make an evaluator.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::LocalKey;

use rpyc_core::Connection;
use rpyc_core::object::ObjectRef;
use rpyc_core::session::WeakConnection;

use crate::connections::Connections;
use crate::getconn::Keeper;
use crate::threads::lock;

/// The connection of a session, from its beginning to its end.
pub struct Peer {
    known: Mutex<Option<Known>>,
    is_over: AtomicBool,
    // Whether the peer may run code here.
    runs_code: bool,
    // Of a connection that Python code has made.
    keeper: Weak<Keeper>,
}

#[derive(Clone)]
struct Known {
    number: u64,
    connection: WeakConnection,
    this: ObjectRef,
}

impl Peer {
    /// One that isn't connected yet, and that may run code here or not. `keeper` is to keep a connection that
    /// Python code makes.
    #[must_use]
    pub fn new(runs_code: bool, keeper: Weak<Keeper>) -> Peer {
        Peer {
            known: Mutex::new(None),
            is_over: false.into(),
            runs_code,
            keeper,
        }
    }

    /// The connection works: `this` is the object by which Python code knows it.
    pub fn connected(&self, connections: &Connections, connection: &Connection, this: ObjectRef) {
        let number = connection.number();
        connections.add(number, this.clone(), self.runs_code, self.keeper.clone());
        self.belongs_to(connection, this);
    }

    /// The same for a connection that Python code doesn't know.
    pub fn belongs_to(&self, connection: &Connection, this: ObjectRef) {
        *lock(&self.known) = Some(Known {
            number: connection.number(),
            connection: connection.downgrade(),
            this,
        });
    }

    /// The connection, as long as there is one, and the object that stands for it.
    #[must_use]
    pub fn connection(&self) -> Option<(Connection, ObjectRef)> {
        let known = lock(&self.known).clone()?;
        Some((known.connection.upgrade()?, known.this))
    }

    /// The connection in whose name objects of this process are asked: also one that is closed, if Python
    /// code has made it.
    #[must_use]
    pub fn asking(&self) -> Option<Connection> {
        match self.connection() {
            Some((connection, _)) => Some(connection),
            None => self.keeper.upgrade()?.connection(),
        }
    }

    /// Whether exceptions of the peer's become instances of their own classes, and whether their modules
    /// are imported for that. Where a client's code runs its classes are here, and nothing is imported
    /// unasked.
    #[must_use]
    pub fn custom_exceptions(&self) -> (bool, bool) {
        if self.runs_code && self.keeper.strong_count() == 0 {
            return (true, false);
        }
        self.connection().map_or((false, false), |(connection, _)| {
            let config = connection.config();
            let import = config.import_custom_exceptions;
            (config.instantiate_custom_exceptions, import)
        })
    }

    /// Whether it has gone, and nothing is to be kept for it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// It has gone; the result is what it is called in the log.
    pub fn disconnected(&self, connections: &Connections) -> String {
        self.is_over.store(true, Ordering::Release);
        // A statement of its own: nothing is let go of under the lock.
        let known = lock(&self.known).take();
        let Some(known) = known else {
            return String::new();
        };
        connections.remove(known.number);
        let connection = known.connection.upgrade();
        connection.map_or_else(String::new, |connection| connection.connid().to_owned())
    }
}

opaque!(Peer);

/// The sessions whose code a thread runs, the innermost one last: one for each thread.
#[derive(Debug)]
pub struct Current<S: 'static>(RefCell<Vec<Arc<S>>>);

impl<S> Current<S> {
    /// Of a thread that runs none.
    #[must_use]
    #[allow(clippy::new_without_default)] // it is for statics
    pub const fn new() -> Current<S> {
        Current(RefCell::new(Vec::new()))
    }

    /// While the result lives, this thread runs code of that session.
    #[must_use]
    pub fn enter(current: &'static LocalKey<Current<S>>, session: &Arc<S>) -> SessionGuard<S> {
        current.with(|current| current.0.borrow_mut().push(session.clone()));
        SessionGuard(current)
    }

    /// Whether it is the innermost session.
    #[must_use]
    pub fn is_innermost(current: &'static LocalKey<Current<S>>, session: &Arc<S>) -> bool {
        current.with(|current| {
            let sessions = current.0.borrow();
            let innermost = sessions.last();
            innermost.is_some_and(|innermost| Arc::ptr_eq(innermost, session))
        })
    }

    /// The innermost session that is such a one.
    pub fn find(
        current: &'static LocalKey<Current<S>>,
        is_such: impl Fn(&Arc<S>) -> bool,
    ) -> Option<Arc<S>> {
        current.with(|current| {
            let sessions = current.0.borrow();
            let mut sessions = sessions.iter().rev();
            sessions.find(|session| is_such(session)).cloned()
        })
    }

    /// The innermost session.
    #[must_use]
    pub fn innermost(current: &'static LocalKey<Current<S>>) -> Option<Arc<S>> {
        Current::find(current, |_| true)
    }
}

/// A thread runs code of a session.
#[derive(Debug)]
pub struct SessionGuard<S: 'static>(&'static LocalKey<Current<S>>);

impl<S> Drop for SessionGuard<S> {
    fn drop(&mut self) {
        // Not let go of within the borrow: it may be the last of its session.
        let left = self.0.with(|current| current.0.borrow_mut().pop());
        drop(left);
    }
}
