//! [`Config`]: what a connection lets its peer do, and how it behaves.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub use crate::dispatch::scheduler::Nesting;
pub use crate::exception::KnownExceptions;
use crate::exception::PythonException;
use crate::executor::{Executor, ThreadPool};
pub use crate::observer::Observer;
use crate::wire::{Dialect, Limits, settings};

settings! {
    /// The options of a connection.
    ///
    /// The first group has the names, meanings and defaults of Python's rpyc; a service may change
    /// it for its connections in [`Service::configure`](crate::service::Service::configure). What is no
    /// option but a fact of one connection, such as its peer's credentials, is in
    /// [`PeerInfo`](crate::service::PeerInfo).
    #[derive(Clone)]
    #[non_exhaustive]
    pub struct Config;

    /// Names in `safe_attrs` are accessible. Default: true.
    allow_safe_attrs: bool = true;
    /// The names that are safe: operators, mostly.
    safe_attrs: Arc<HashSet<Cow<'static, str>>> = SAFE_ATTRS.clone();
    /// Names that begin with `exposed_prefix` are accessible, also without it. Default: true.
    allow_exposed_attrs: bool = true;
    /// Default: `exposed_`.
    exposed_prefix(into): String = "exposed_".to_owned();
    /// Names that don't begin with an underscore are accessible. Default: false.
    allow_public_attrs: bool = false;
    /// Every name is accessible. Default: false.
    allow_all_attrs: bool = false;
    /// Attributes may be read. Default: true.
    allow_getattr: bool = true;
    /// Attributes may be set. Default: false.
    allow_setattr: bool = false;
    /// Attributes may be deleted. Default: false.
    allow_delattr: bool = false;
    /// The peer may have objects pickled. Default: false.
    allow_pickle: bool = false;
    /// Exceptions go out with their traceback. Default: true.
    include_local_traceback: bool = true;
    /// Exceptions go out with this side's version of RPyC. Default: true.
    include_local_version: bool = true;
    /// Exceptions of classes that aren't builtin are made instances of their class, where that
    /// class is known here: [`known_exceptions`](Config#structfield.known_exceptions) are those of Rust
    /// types. Default: false.
    instantiate_custom_exceptions: bool = false;
    /// The Rust types that stand for exception classes of a peer's. Default: none.
    known_exceptions: KnownExceptions = KnownExceptions::default();
    /// The module of an exception's class is imported where a service in Python says so (docs/differences.md); Rust
    /// has nothing to import. Default: false.
    import_custom_exceptions: bool = false;
    /// Accepted for old programs; there are no such exceptions any more. Default: false.
    instantiate_oldstyle_exceptions: bool = false;
    /// A SystemExit in a handler ends the connection here instead of going to the peer.
    /// Default: false.
    propagate_system_exit_locally: bool = false;
    /// A KeyboardInterrupt in a handler ends the connection here instead of going to the peer.
    /// Default: true.
    propagate_keyboard_interrupt_locally: bool = true;
    /// What a handler raised is logged. Default: true.
    log_exceptions: bool = true;
    /// Every message is logged, decoded. Default: false.
    debug: bool = false;
    /// The target of this connection's log lines. Default: `rpyc`.
    logger(into): String = "rpyc".to_owned();
    /// How long a synchronous request waits for its reply; `None` waits for ever.
    /// Default: 30 s.
    sync_request_timeout(into): Option<Duration> = Some(Duration::from_secs(30));
    /// Errors of closing are ignored, whatever they are. Default: false.
    close_catchall: bool = false;

    /// Each message names the threads that it is between, so that a thread which waits for the peer
    /// runs what the peer's thread that works for it calls back. Both sides must agree: a side that
    /// speaks first follows this option, the other one what it hears. Default: whether the
    /// environment variable `RPYC_BIND_THREADS` is `true`.
    bind_threads: bool = *BIND_THREADS;
    /// The version of the wire that this side begins with. A side that is spoken to first, as a
    /// server is, takes on what the peer speaks; a [`Connector`](crate::Connector) tries the other
    /// one by itself. Default: that of rpyc 6 and rpyc-ng 7.
    dialect: Dialect = Dialect::CURRENT;
    /// Bounds on what the peer may send.
    limits: Limits = Limits::default();
    /// Payload bytes of a frame, compressed or not, until the peer has sent a valid one. It stops
    /// peers of another kind, and those who scan the net, from using memory. Default: 64 KiB.
    max_first_frame: usize = 64 << 10;
    /// How long a peer may take to send its first frame. It stops connections that only hold a
    /// place. Default: `None`; a server sets 10 s.
    handshake_timeout(into): Option<Duration> = None;
    /// How long a peer may take for a frame that it has begun, or for each 32 KiB of a large one.
    /// It stops frames of which a byte comes now and then. Only time in which this side reads
    /// counts. Default: 30 s.
    frame_timeout(into): Option<Duration> = Some(Duration::from_secs(30));
    /// How long a peer may leave unread what is sent to it. It stops peers that ask and don't
    /// read, for whom the answers are kept here. Default: 60 s.
    write_timeout(into): Option<Duration> = Some(Duration::from_secs(60));
    /// How long a peer may send nothing while neither side has anything to do for the other.
    /// Default: `None`: a stock client may be idle for days.
    idle_timeout(into): Option<Duration> = None;
    /// Frames over 3,000 bytes are sent compressed. Default: false.
    compress: bool = false;
    /// How many of the peer's requests run at the same time. Default: 1, which keeps their
    /// order.
    concurrency: usize = 1;
    /// Where a request runs that arrives while another one waits for this peer.
    nesting: Nesting = Nesting::Pool;
    /// How many requests may be started and not yet ended; it stops callbacks of callbacks
    /// without end. Default: 200.
    max_nested: usize = 200;
    /// How many requests may wait for their turn, and with them `limits.max_frame` bytes of memory,
    /// or twice that together with those that run; it stops a peer that sends faster than it is
    /// served, or sends what takes a hundred times its bytes, from filling the memory.
    /// Default: 10,000.
    max_queued: usize = 10_000;
    /// How many of this side's requests may be unanswered. Answers that nobody has taken yet may need four
    /// times `limits.max_frame` of memory; a request whose answer is beyond that fails, so that a
    /// peer can't fill the memory of a program that keeps results. Default: 65,536.
    max_pending: usize = 65_536;
    /// How many objects the peer may hold references to; it stops a peer that takes
    /// references for ever. Default: 1,000,000.
    max_objects: usize = 1_000_000;
    /// Is told of each request, for metrics. Default: nobody.
    observer(into): Option<Arc<dyn Observer>> = None;
    /// Runs requests that can't run where they were read.
    executor: Arc<dyn Executor> = ThreadPool::shared();
}

impl Config {
    /// The defaults, to be changed by the setters.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rpyc_core::Config;
    ///
    /// let config = Config::new().allow_pickle(true).sync_request_timeout(Duration::from_secs(5));
    /// assert!(config.allow_pickle);
    /// ```
    pub fn new() -> Config {
        Config::default()
    }

    /// Knows the type for an exception class of the peer's, so that what is raised there can be turned
    /// into it ([`Error::downcast`](crate::Error::downcast)): registers it in
    /// [`known_exceptions`](Config#structfield.known_exceptions) and turns
    /// [`instantiate_custom_exceptions`](Config#structfield.instantiate_custom_exceptions) on.
    #[must_use]
    pub fn known_exception<T: PythonException>(mut self) -> Config {
        self.known_exceptions.register::<T>();
        self.instantiate_custom_exceptions = true;
        self
    }

    /// What the peer is told of this side's version.
    pub(crate) fn version(&self) -> &'static str {
        if self.include_local_version {
            WIRE_VERSION
        } else {
            NO_VERSION
        }
    }

    /// Whether the name is one of `safe_attrs`.
    pub(crate) fn is_safe_attr(&self, name: &str) -> bool {
        // Nearly no other name has to be hashed where the names are the default ones.
        let may_be_default = name.starts_with("__") || name == "next";
        (may_be_default || !Arc::ptr_eq(&self.safe_attrs, &SAFE_ATTRS))
            && self.safe_attrs.contains(name)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("allow_getattr", &self.allow_getattr)
            .field("allow_setattr", &self.allow_setattr)
            .field("allow_delattr", &self.allow_delattr)
            .field("allow_public_attrs", &self.allow_public_attrs)
            .field("allow_all_attrs", &self.allow_all_attrs)
            .field("allow_pickle", &self.allow_pickle)
            .field("sync_request_timeout", &self.sync_request_timeout)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The version of RPyC whose wire this side speaks; a Python peer compares its major number
/// with its own.
pub const WIRE_VERSION: &str = "6.0.2";

/// In the place of a version that isn't told.
pub(crate) const NO_VERSION: &str = "<version denied>";

static BIND_THREADS: LazyLock<bool> =
    LazyLock::new(|| std::env::var("RPYC_BIND_THREADS").is_ok_and(|value| value == "true"));

static SAFE_ATTRS: LazyLock<Arc<HashSet<Cow<'static, str>>>> =
    LazyLock::new(|| Arc::new(SAFE_ATTR_NAMES.iter().copied().map(Cow::Borrowed).collect()));

#[rustfmt::skip]
const SAFE_ATTR_NAMES: &[&str] = &[
    "__abs__", "__add__", "__and__", "__bool__", "__cmp__", "__contains__", "__delitem__",
    "__delslice__", "__div__", "__divmod__", "__doc__", "__enter__", "__eq__", "__exit__",
    "__float__", "__floordiv__", "__format__", "__ge__", "__getitem__", "__getslice__", "__gt__",
    "__hash__", "__hex__", "__iadd__", "__iand__", "__idiv__", "__ifloordiv__", "__ilshift__",
    "__imod__", "__imul__", "__index__", "__int__", "__invert__", "__ior__", "__ipow__",
    "__irshift__", "__isub__", "__iter__", "__itruediv__", "__ixor__", "__le__", "__len__",
    "__length_hint__", "__long__", "__lshift__", "__lt__", "__mod__", "__mul__", "__ne__",
    "__neg__", "__new__", "__next__", "__nonzero__", "__oct__", "__or__", "__pos__", "__pow__",
    "__radd__", "__rand__", "__rdiv__", "__rdivmod__", "__repr__", "__rfloordiv__",
    "__rlshift__", "__rmod__", "__rmul__", "__ror__", "__rpow__", "__rrshift__", "__rshift__",
    "__rsub__", "__rtruediv__", "__rxor__", "__setitem__", "__setslice__", "__str__", "__sub__",
    "__truediv__", "__xor__", "next",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_default_name_is_safe_and_so_is_one_that_is_configured() {
        let mut config = Config::default();
        for name in SAFE_ATTR_NAMES {
            assert!(config.is_safe_attr(name), "{name}");
        }
        assert!(!config.is_safe_attr("volts"));
        config.safe_attrs = Arc::new(["volts".into()].into());
        assert!(config.is_safe_attr("volts"));
        assert!(!config.is_safe_attr("next"));
    }
}
