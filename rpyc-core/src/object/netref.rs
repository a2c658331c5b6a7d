//! [`Netref`]: a proxy of an object that lives at the peer.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use super::{Any, Identity, MethodInfo};
use crate::error::Error;
use crate::session::{AsyncResult, Connection, Link};
use crate::wire::{
    Callee, ClassId, Handler, IdPack, InstanceId, Str, Value, encode_reference, heap_size,
};

/// A reference to an object that lives at the peer; every operation happens there.
///
/// Clones are the same reference. When the last one is dropped, the peer is told so, a little
/// later and without blocking. Two netrefs are equal if they came over one connection and stand
/// for the same object. A netref doesn't keep its connection open.
#[derive(Clone)]
pub struct Netref(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    id_pack: IdPack,
    // How often the peer sent this reference; it wants as many back.
    received: AtomicU64,
    // The id_pack as it is sent, from the first call on.
    encoded: OnceLock<Option<Box<[u8]>>>,
}

/// A netref that doesn't hold its object.
#[derive(Clone)]
pub(crate) struct WeakNetref(Weak<Inner>);

impl Netref {
    /// A reference that has come once.
    pub(crate) fn new(link: Arc<Link>, id_pack: IdPack) -> Netref {
        Netref(Arc::new(Inner {
            link,
            id_pack,
            received: AtomicU64::new(1),
            encoded: OnceLock::new(),
        }))
    }

    /// Counts another arrival of the same reference.
    pub(crate) fn receive_again(&self) {
        self.0.received.fetch_add(1, Ordering::Relaxed);
    }

    /// The memory of the reference, its place in the table of imports included.
    pub(crate) fn heap_size(&self) -> usize {
        const IN_TABLE: usize = 2 * size_of::<((ClassId, InstanceId), WeakNetref)>();
        let own = heap_size::allocation(2 * size_of::<usize>() + size_of::<Inner>());
        // What it is once it has been called.
        let encoded = heap_size::allocation(self.0.id_pack.name.len() + MAX_IDS);
        own + IN_TABLE + self.0.id_pack.heap_size() + encoded
    }

    pub(crate) fn downgrade(&self) -> WeakNetref {
        WeakNetref(Arc::downgrade(&self.0))
    }

    /// The number of the connection that it came over.
    pub fn peer_number(&self) -> u64 {
        self.0.link.number
    }

    /// The peer's name and ids of the object.
    pub fn id_pack(&self) -> &IdPack {
        &self.0.id_pack
    }

    /// Whether it stands for a class.
    pub fn is_class(&self) -> bool {
        self.0.id_pack.is_class()
    }

    /// Sends a request about the object: the handler's arguments after the object itself.
    ///
    /// # Errors
    /// Every kind of [`Error`].
    pub fn request(
        &self,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
    ) -> Result<Any, Error> {
        self.0.link.sync_request(handler, self.followed_by(args))
    }

    /// Sends a request about the object and goes on; the answer will be in the result.
    ///
    /// # Errors
    /// As [`Connection::async_request`].
    pub fn async_request(
        &self,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
    ) -> Result<AsyncResult, Error> {
        self.async_request_within(handler, args, None)
    }

    /// As [`async_request`](Netref::async_request), with a limit as that of [`Connection::async_request_within`].
    ///
    /// # Errors
    /// As [`Connection::async_request`].
    pub fn async_request_within(
        &self,
        handler: Handler,
        args: impl IntoIterator<Item = Any>,
        timeout: Option<Duration>,
    ) -> Result<AsyncResult, Error> {
        AsyncResult::send_within(&self.0.link, handler, self.followed_by(args), timeout)
    }

    /// The arguments of a request about the object.
    pub(super) fn followed_by(
        &self,
        args: impl IntoIterator<Item = Any>,
    ) -> impl Iterator<Item = Any> {
        std::iter::once(Any::Netref(self.clone())).chain(args)
    }

    /// What a call of the object is about, or of its method.
    pub(super) fn callee<'a>(&'a self, method: Option<&'a str>) -> Callee<'a> {
        let Inner {
            link,
            id_pack,
            encoded,
            ..
        } = &*self.0;
        let dialect = link.dialect();
        let encode = || encode_reference(id_pack, dialect, link.limits());
        let encoded = match dialect.is_settled() {
            true => encoded.get_or_init(encode).as_deref(),
            false => None,
        };
        Callee {
            object: id_pack,
            encoded,
            method,
        }
    }

    /// The connection that it came over. The handle doesn't keep it open.
    pub fn connection(&self) -> Connection {
        Connection::internal(self.0.link.clone())
    }

    /// Its identity on this side.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&*self.0)
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.0.link
    }

    /// Whether what it stands for has a hash, as far as the name of its type tells.
    pub(super) fn may_be_hashable(&self) -> bool {
        self.is_class() || !UNHASHABLE.contains(&&*self.id_pack().name)
    }

    /// The object's methods and their docstrings, along its class hierarchy.
    ///
    /// # Errors
    /// As [`call`](Netref::call); [`Error::Protocol`] where the answer isn't a list of names.
    pub fn inspect(&self) -> Result<Vec<MethodInfo>, Error> {
        let id_pack = Any::Value(self.0.id_pack.to_value());
        let answer = self.0.link.sync_request(Handler::Inspect, vec![id_pack])?;
        let methods = |value: &Value| value.as_tuple()?.iter().map(method_of).collect();
        let told: Vec<_> = expect("INSPECT", "names and docstrings", &answer, methods)?;
        Ok(self.0.link.dialect().completed(told))
    }
}

impl WeakNetref {
    pub(crate) fn upgrade(&self) -> Option<Netref> {
        self.0.upgrade().map(Netref)
    }

    /// Whether the netref is gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let count = *self.received.get_mut();
        self.link.release(&self.id_pack, count);
    }
}

impl PartialEq for Netref {
    fn eq(&self, other: &Netref) -> bool {
        // One live netref for each object of a connection: the table of imports sees to it.
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Netref {}

impl Hash for Netref {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Netref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<netref {}>", self.0.id_pack)
    }
}

fn method_of(item: &Value) -> Option<MethodInfo> {
    let [name, doc] = item.as_tuple()? else {
        return None;
    };
    Some((text(name)?, text(doc)))
}

pub(super) fn text(value: &Value) -> Option<Str> {
    match value {
        Value::Str(text) => Some(text.clone()),
        // What is a str to Python 2.
        Value::Bytes(bytes) => Some(Str::from(&*String::from_utf8_lossy(bytes))),
        _ => None,
    }
}

/// What `made` makes of the answer to a request of this name.
pub(super) fn expect<T>(
    name: &str,
    expected: &str,
    answer: &Any,
    made: impl FnOnce(&Value) -> Option<T>,
) -> Result<T, Error> {
    let made = answer.as_value().and_then(made);
    made.ok_or_else(|| unexpected(name, expected, answer))
}

pub(super) fn unexpected(handler: &str, expected: &str, answer: &Any) -> Error {
    Error::Protocol(format!(
        "{handler} was answered with {} instead of {expected}",
        answer.type_name()
    ))
}

/// More bytes than the rest of an encoded id_pack takes beside the name.
const MAX_IDS: usize = 64;

/// What has no hash at a Python peer, of the types that everybody has. Of any other type only a
/// question to the peer could tell; its objects are keys by their identity.
const UNHASHABLE: [&str; 8] = [
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.bytearray",
    "collections.deque",
    "collections.defaultdict",
    "collections.OrderedDict",
    "collections.Counter",
];
