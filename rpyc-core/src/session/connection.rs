//! [`Connection`]: what a program holds of one, and [`Context`], by which an object has it.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::async_result::AsyncResult;
use super::keep_alive;
use super::session::{Link, bounds};
use crate::config::Config;
use crate::dispatch::GRACE;
use crate::error::{CloseReason, Error};
use crate::object::Any;
use crate::service::{IntoService, PeerInfo};
use crate::transport::{Stream, memory_pair};
use crate::wire::{Dialect, Handler, Value};

/// A connection to a peer: cheap to clone, usable from any number of threads.
///
/// Requests of the peer are served while a thread waits for an answer of its, and by
/// [`serve`](Connection::serve), [`serve_all`](Connection::serve_all) and
/// [`poll`](Connection::poll). While requests run or asynchronous results are outstanding, threads of the config's
/// executor serve them, too, unless it says [`Nesting::Waiting`](crate::config::Nesting::Waiting).
///
/// When the last clone that a program holds is dropped, the connection closes: requests that were sent
/// before take effect, and asynchronous results get their answers, if the peer gets to it within 5 s; nobody
/// waits for that. Every later call fails with [`CloseReason::Dropped`]. Netrefs don't keep a
/// connection open, so that in `let root = connect(addr)?.root()?` the root is of no use. Those that
/// were handed on to a peer of another connection do, for as long as that peer holds them, and that
/// connection stays open; connections that only hold each other's netrefs close, too. A program
/// that ends right away calls [`close`](Connection::close), which waits.
///
/// ```
/// use rpyc_core::{Connection, Config, VoidService};
///
/// # fn main() -> Result<(), rpyc_core::Error> {
/// let (here, there) = Connection::pair(
///     VoidService, Config::default(),
///     VoidService, Config::default(),
/// )?;
/// let server = std::thread::spawn(move || there.serve_all());
/// here.ping()?;
/// here.close()?;
/// assert!(server.join().is_ok_and(|reason| reason.is_normal()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connection {
    pub(crate) link: Arc<Link>,
    // Held by the program's own handles; those that the connection makes for handlers have none.
    guard: Option<Arc<Guard>>,
}

/// The request that is being served: which connection it came from.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    connection: &'a Connection,
}

impl<'a> Context<'a> {
    /// A request that came over `connection`.
    pub fn new(connection: &'a Connection) -> Context<'a> {
        Context { connection }
    }

    /// The connection, to call back into the peer or to read its config and who the peer is.
    pub fn connection(&self) -> &'a Connection {
        self.connection
    }
}

/// A handle that keeps a connection neither open nor in memory.
#[derive(Clone, Debug)]
pub struct WeakConnection(Weak<Link>);

/// Closes the connection when the program's last handle is dropped, unless the peer of another one
/// needs it.
struct Guard(Arc<Link>);

impl Connection {
    /// Makes a connection over a stream, and has the service know of it.
    ///
    /// # Errors
    /// [`Error::Closed`] with [`CloseReason::Refused`] when the service refuses it, or panics.
    // Not a part of whoever serves next on this thread: its frame would stay, a kilobyte for each connection.
    #[inline(never)]
    pub fn open(
        stream: impl Stream + 'static,
        service: impl IntoService,
        config: Config,
    ) -> Result<Connection, Error> {
        Connection::over(Arc::new(stream), service, config, PeerInfo::default())
    }

    /// The same over a stream whose type isn't known here, as an authenticator returns it, and with
    /// what is known of the peer.
    ///
    /// # Errors
    /// As [`open`](Connection::open).
    #[inline(never)]
    pub fn over(
        stream: Arc<dyn Stream>,
        service: impl IntoService,
        config: Config,
        peer: PeerInfo,
    ) -> Result<Connection, Error> {
        let link = Link::open(stream, service.into_service(), config, peer)?;
        keep_alive::table().begin(link.number);
        let guard = Some(Arc::new(Guard(link.clone())));
        Connection { link, guard }.introduced()
    }

    /// Two connections that are each other's peers, inside this process.
    ///
    /// # Errors
    /// As [`open`](Connection::open).
    pub fn pair(
        service: impl IntoService,
        config: Config,
        peer_service: impl IntoService,
        peer_config: Config,
    ) -> Result<(Connection, Connection), Error> {
        let (here, there) = memory_pair();
        let here = Connection::open(here, service, config)?;
        let there = Connection::open(there, peer_service, peer_config)?;
        Ok((here, there))
    }

    /// A number that no other connection of this process has; its netrefs know it as
    /// [`peer_number`](crate::object::Netref::peer_number).
    pub fn number(&self) -> u64 {
        self.link.number
    }

    /// The connection's name in logs.
    pub fn connid(&self) -> &str {
        &self.link.session.connid
    }

    /// Who is at the other end, as far as that is known.
    pub fn peer(&self) -> PeerInfo {
        self.link.session.peer.lock().clone()
    }

    /// Sets what the peer has shown itself to be, as a service does that asks for it itself.
    pub fn set_credentials(&self, credentials: Option<Any>) {
        let mut peer = self.link.session.peer.lock();
        let before = std::mem::replace(&mut peer.credentials, credentials);
        drop(peer);
        // It may have a destructor that comes back here.
        drop(before);
    }

    /// What the peer is called in logs: its address, mostly.
    pub fn peer_label(&self) -> &str {
        &self.link.session.peer_label
    }

    /// The descriptor that is read, for `poll` and its kin; none where the stream has none.
    ///
    /// That nothing can be read from it doesn't mean that nothing has come: what was read already
    /// is served first.
    #[cfg(unix)]
    pub fn fileno(&self) -> Option<std::os::fd::RawFd> {
        self.link.stream.raw_fd()
    }

    /// The version of the wire, as far as the peer's messages have shown it.
    pub fn dialect(&self) -> Dialect {
        self.link.session.encoding.dialect()
    }

    /// Whether a message of the peer's has come.
    pub fn has_received(&self) -> bool {
        self.link.session.encoding.has_met()
    }

    /// The config as it is now.
    pub fn config(&self) -> Arc<Config> {
        self.link.session.config()
    }

    /// Changes the config for what comes from now on. `limits` and the time limits on
    /// what the peer sends are settled when the connection is made.
    ///
    /// `change` is called again, on the newer config, where another thread has changed it
    /// meanwhile: no change is lost.
    pub fn update_config(&self, mut change: impl FnMut(&mut Config)) {
        loop {
            // The change is foreign code: not under the lock.
            let old = self.link.session.config();
            let mut new = Config::clone(&old);
            change(&mut new);
            let bounds = bounds(&new);
            if self.link.session.replace_config(&old, new) {
                self.link.set_bounds(bounds);
                return;
            }
        }
    }

    /// The peer's root object: what its service offers. Asked for once.
    ///
    /// # Errors
    /// As [`sync_request`](Connection::sync_request).
    pub fn root(&self) -> Result<Any, Error> {
        self.root_within(self.config().sync_request_timeout)
    }

    /// As [`root`](Connection::root), within this time instead of `sync_request_timeout`; `None` waits for
    /// ever.
    ///
    /// # Errors
    /// As [`sync_request`](Connection::sync_request).
    pub fn root_within(&self, timeout: Option<Duration>) -> Result<Any, Error> {
        let known = self.link.session.peers_root.lock().clone();
        if let Some(root) = known {
            return Ok(root);
        }
        let root = self
            .link
            .request_within(Handler::GetRoot, Vec::new(), timeout)?;
        if self.dialect().needs_probe() {
            // rpyc 3 or 4.0: a request that neither can do anything with tells them apart.
            let probed = self
                .link
                .request_within(Handler::CtxExit, Vec::new(), timeout);
            match probed {
                Err(Error::Remote(exception)) => {
                    self.link.session.encoding.probed(exception.is("KeyError"))
                }
                Err(error) => return Err(error),
                Ok(_) => self.link.session.encoding.probed(false),
            }
        }
        let before = self.link.session.peers_root.lock().replace(root.clone());
        // Not under the lock.
        drop(before);
        Ok(root)
    }

    /// Checks that the peer answers, within 3 seconds.
    ///
    /// # Errors
    /// [`Error::Timeout`] when it doesn't; [`Error::Ping`] when it echoes something else.
    pub fn ping(&self) -> Result<(), Error> {
        self.ping_with(PING_DATA, Some(Duration::from_secs(3)))
    }

    /// Checks that the peer echoes `data` in time; `None` waits for ever.
    ///
    /// # Errors
    /// As [`ping`](Connection::ping).
    pub fn ping_with(
        &self,
        data: impl Into<Value>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let data = data.into();
        let args = vec![Any::Value(data.clone())];
        let echo = self.link.request_within(Handler::Ping, args, timeout)?;
        if echo.as_value() == Some(&data) {
            Ok(())
        } else {
            Err(Error::Ping)
        }
    }

    /// Sends a request and waits for its answer, for the config's `sync_request_timeout` at the
    /// most. Requests of the peer are served meanwhile.
    ///
    /// # Errors
    /// [`Error::Remote`] with what the peer raised, [`Error::Timeout`], [`Error::Closed`],
    /// [`Error::Unsendable`] when nothing was sent, and [`Error::Misuse`]: nothing was sent, or the answer is more
    /// than may be kept.
    pub fn sync_request(&self, handler: Handler, args: Vec<Any>) -> Result<Any, Error> {
        self.link.sync_request(handler, args)
    }

    /// Sends a request and goes on; the answer will be in the result.
    ///
    /// # Errors
    /// [`Error::Closed`], or [`Error::Unsendable`] and [`Error::Misuse`] when nothing was sent.
    pub fn async_request(&self, handler: Handler, args: Vec<Any>) -> Result<AsyncResult, Error> {
        self.async_request_within(handler, args, None)
    }

    /// As [`async_request`](Connection::async_request), with a result that expires `timeout` after the request
    /// is sent: an answer that is there already then is dropped. `None`: it never expires.
    ///
    /// # Errors
    /// As [`async_request`](Connection::async_request).
    pub fn async_request_within(
        &self,
        handler: Handler,
        args: Vec<Any>,
        timeout: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        AsyncResult::send_within(&self.link, handler, args, timeout)
    }

    /// Closes the connection: tells the peer, waits up to 5 s for its consent, and releases
    /// everything. A second call does nothing.
    ///
    /// Where it returns without an error, what was sent before has taken effect; that isn't known with the config's
    /// `close_catchall`, nor where the connection had ended or is being closed by another thread.
    ///
    /// # Errors
    /// What the peer answered to the closing, or [`Error::Timeout`] where it hasn't answered, unless the
    /// config's `close_catchall` is on; the connection is closed all the same.
    pub fn close(&self) -> Result<(), Error> {
        self.link.close()
    }

    /// Closes without asking the peer for its consent, as a server does that stops: requests that
    /// run or are queued may end within `grace`, then the peer is told. Where it has
    /// requests of the program's to answer before, it has 5 s for these, unless `grace` is zero;
    /// asynchronous results that it leaves unanswered fail.
    pub fn shut_down(&self, grace: Duration) {
        self.link.shut_down(grace);
    }

    /// Whether the connection is closed, or is about to be: a call would fail.
    ///
    /// Where nobody reads the connection, this looks whether the peer's end of it has come, without
    /// waiting. So a program may ask from time to time whether its server is still there. That
    /// the peer has vanished without a word only shows by a call that isn't answered, or by
    /// [`ping`](Connection::ping).
    pub fn is_closed(&self) -> bool {
        self.link.look_for_end();
        self.link.is_ending()
    }

    /// Why the connection closed, if it has.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.link.closing_reason()
    }

    /// How many objects of this side the peer holds references to, the root included.
    pub fn exported_objects(&self) -> usize {
        self.link.session.exports.lock().len()
    }

    /// How many netrefs of the peer's objects are alive.
    pub fn live_netrefs(&self) -> usize {
        self.link.session.imports.lock().len()
    }

    /// How many of our requests are unanswered, the releases of netrefs not counted.
    pub fn pending_requests(&self) -> usize {
        self.link.pending_calls()
    }

    /// How many requests of the peer run now or wait for their turn.
    pub fn running_requests(&self) -> usize {
        self.link.running_requests()
    }

    /// How many requests of the peer have been run.
    pub fn requests_served(&self) -> u64 {
        self.link.session.counts.served()
    }

    /// A handle that keeps the connection neither open nor in memory.
    pub fn downgrade(&self) -> WeakConnection {
        WeakConnection(Arc::downgrade(&self.link))
    }

    /// A handle for handlers and hooks: it doesn't keep the connection open.
    pub(crate) fn internal(link: Arc<Link>) -> Connection {
        Connection { link, guard: None }
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for Connection {}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("connid", &self.link.session.connid)
            .field("guarded", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}

impl WeakConnection {
    /// The connection, if it is still in memory. The handle doesn't keep it open.
    pub fn upgrade(&self) -> Option<Connection> {
        self.0.upgrade().map(Connection::internal)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let is_over = keep_alive::table().end_use(self.0.number);
        if is_over {
            self.0.leave(CloseReason::Dropped, Some(GRACE));
        }
    }
}

const PING_DATA: &str = "are you there? 0123456789 abcdefghijklmnopqrstuvwxyz";
