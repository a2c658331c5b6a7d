//! Proxies: what comes from outside of the interpreter, as Python objects.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rpyc_core::Exception;
use rpyc_core::object::{Any, Args, Context, Method, Netref, ObjectRef, ObjectResult};
use rpyc_core::wire::{Handler, Value};
use rustpython_vm::builtins::{PyTypeRef, PyWeak};
use rustpython_vm::{PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine};

use super::classes::LOCAL_NAMES;
use super::convert::to_python;
use super::embed;
use super::exception::to_python_exception;
use super::netref::{NetRef, method};
use super::session::{ClassLease, PythonSession, closed};
use super::thread::{detached, lock};
use super::{interned, modules, types};

/// What a proxy stands for.
#[derive(Clone)]
pub(super) enum Target {
    /// An object of a peer.
    Peer(Netref),
    /// An object of this process, outside of the interpreter.
    Here(ObjectRef),
}

/// What the class of a proxy depends on: the connection, the object's class there, and whether it
/// is a class itself; for objects of this process and builtins of any peer, the name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum ClassKey {
    Peer {
        connection: u64,
        class: u64,
        is_class: bool,
    },
    Named(String),
}

impl Target {
    pub(super) fn to_any(&self) -> Any {
        match self {
            Target::Peer(netref) => Any::Netref(netref.clone()),
            Target::Here(object) => Any::Local(object.clone()),
        }
    }

    /// The full name of its class, or of itself if it is one.
    pub(super) fn name(&self) -> String {
        match self {
            Target::Peer(netref) => netref.id_pack().name.to_string(),
            Target::Here(object) => object.id_parts().name.to_string(),
        }
    }

    pub(super) fn is_class(&self) -> bool {
        match self {
            Target::Peer(netref) => netref.is_class(),
            Target::Here(object) => object.id_parts().instance.is_none(),
        }
    }
}

/// Asks the target for something and turns the answer into a Python object.
pub(super) fn ask(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    target: &Target,
    question: Question,
) -> PyResult {
    let session = embed::acting(session);
    let answer = detached(vm, || put(&session, target, question));
    match answer {
        Ok(answer) => to_python(vm, &session, answer),
        Err(exception) => Err(to_python_exception(vm, &exception)),
    }
}

/// What can be asked of a proxy's target.
pub(super) enum Question {
    Attr(String),
    Call(Args),
    CallMethod(String, Args),
    Compare(&'static str, Any),
    DelAttr(String),
    Dir,
    Exit(Any),
    Hash,
    Pickle(i64),
    Repr,
    SetAttr(String, Any),
    Str,
}

fn put(session: &Arc<PythonSession>, target: &Target, question: Question) -> ObjectResult {
    match target {
        Target::Peer(netref) => put_to_peer(netref, question),
        Target::Here(object) => {
            let (connection, _) = session.connection().ok_or_else(closed)?;
            put_here(&Context::new(&connection), &**object, question)
        }
    }
}

fn put_to_peer(netref: &Netref, question: Question) -> ObjectResult {
    let answer = match question {
        Question::Attr(name) => netref.attr(&name),
        Question::Call(args) => netref.call(args),
        Question::CallMethod(name, args) => netref.call_method(&name, args),
        Question::Compare(op, other) => netref.request(Handler::Cmp, [other, Any::from(op)]),
        Question::DelAttr(name) => netref.request(Handler::DelAttr, [Any::from(name)]),
        Question::Dir => netref.request(Handler::Dir, []),
        Question::Exit(exc) => netref.leave(exc),
        Question::Hash => netref.request(Handler::Hash, []),
        Question::Pickle(protocol) => netref.request(Handler::Pickle, [Any::from(protocol)]),
        Question::Repr => netref.request(Handler::Repr, []),
        Question::SetAttr(name, value) => {
            netref.request(Handler::SetAttr, [Any::from(name), value])
        }
        Question::Str => netref.request(Handler::Str, []),
    };
    answer.map_err(Exception::from)
}

fn put_here(
    cx: &Context<'_>,
    object: &dyn rpyc_core::object::Object,
    question: Question,
) -> ObjectResult {
    Ok(match question {
        Question::Attr(name) => object.attr(cx, &name)?,
        Question::Call(args) => object.call(cx, args)?,
        Question::CallMethod(name, args) => object.call_method(cx, &name, args)?,
        Question::Compare(op, other) => object.compare(cx, op, &other)?,
        Question::DelAttr(name) => object.del_attr(cx, &name).map(|()| Any::NONE)?,
        Question::Dir => Any::tuple(
            object
                .dir(cx)?
                .into_iter()
                .map(|name| Any::from(Value::Str(name))),
        ),
        Question::Exit(exc) => object.exit(cx, exc)?,
        Question::Hash => Any::from(object.hash(cx)?),
        Question::Pickle(protocol) => Any::from(Value::Bytes(object.pickle(cx, protocol)?)),
        Question::Repr => Any::from(Value::Str(object.repr(cx)?)),
        Question::SetAttr(name, value) => object.set_attr(cx, &name, value).map(|()| Any::NONE)?,
        Question::Str => Any::from(Value::Str(object.str(cx)?)),
    })
}

/// The live proxies: one object at a peer is one object here, and so is one of this process in one session.
#[derive(Default)]
pub(super) struct Proxies {
    live: Mutex<HashMap<ProxyKey, Live>>,
    tickets: AtomicU64,
}

type ProxyKey = (u64, u64, u64);

struct Live {
    proxy: PyRef<PyWeak>,
    ticket: u64,
}

/// A proxy's place among the live ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    key: ProxyKey,
    ticket: u64,
}

impl Proxies {
    fn find(&self, key: ProxyKey) -> Option<PyObjectRef> {
        let known = lock(&self.live).get(&key).map(|live| live.proxy.clone());
        known?.upgrade()
    }

    fn place(&self, key: ProxyKey) -> Place {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        Place { key, ticket }
    }

    /// Makes the proxy the one at its place, unless another thread was faster: the result is the one.
    fn enter(&self, vm: &VirtualMachine, place: Place, proxy: PyObjectRef) -> PyResult {
        let Place { key, ticket } = place;
        let weak = proxy.downgrade(None, vm)?;
        let mut live = lock(&self.live);
        let other = live.get(&key).map(|live| live.proxy.clone());
        if let Some(other) = other.and_then(|weak| weak.upgrade()) {
            drop(live);
            return Ok(other);
        }
        let before = live.insert(
            key,
            Live {
                proxy: weak,
                ticket,
            },
        );
        drop(live);
        drop(before);
        Ok(proxy)
    }

    /// The proxy at `place` has died.
    pub(super) fn forget(&self, place: Place) {
        let mut live = lock(&self.live);
        let is_its = live
            .get(&place.key)
            .is_some_and(|live| live.ticket == place.ticket);
        let forgotten = if is_its {
            live.remove(&place.key)
        } else {
            None
        };
        // In this order: dropping a Python object under a lock could come back to it.
        drop(live);
        drop(forgotten);
    }
}

/// The proxy of a peer's object.
pub(super) fn of_netref(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    netref: Netref,
) -> PyResult {
    let id_pack = netref.id_pack();
    let key = (netref.peer_number(), id_pack.class.0, id_pack.instance.0);
    let proxies = &session.shared().proxies;
    if let Some(known) = proxies.find(key) {
        return Ok(known);
    }
    let (class, lease) = class_of(vm, session, &netref)?;
    let place = proxies.place(key);
    let proxy = NetRef::new(Target::Peer(netref), session.clone(), lease, Some(place));
    let proxy: PyObjectRef = proxy.into_ref_with_type(vm, class)?.into();
    proxies.enter(vm, place, proxy)
}

/// The proxy of an object of this process.
pub(super) fn of_object(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    object: ObjectRef,
) -> PyResult {
    // Addresses, of which each is one object's while a proxy holds that.
    let address = std::ptr::from_ref(&*object).addr() as u64;
    let place = (
        NO_PEER,
        std::ptr::from_ref(&**session).addr() as u64,
        address,
    );
    let proxies = &session.shared().proxies;
    if let Some(known) = proxies.find(place) {
        return Ok(known);
    }
    let name = object.id_parts().name.to_string();
    let key = ClassKey::Named(format!("here {name}"));
    let (class, lease) = session.proxy_class(key, || {
        let methods = match session.connection() {
            Some((connection, _)) => detached(vm, || object.methods(&Context::new(&connection)))
                .map_err(|exception| to_python_exception(vm, &exception))?,
            None => Arc::new([]),
        };
        let names = methods
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(["__call__"]);
        make_class(vm, &name, names)
    })?;
    let place = proxies.place(place);
    let proxy = NetRef::new(Target::Here(object), session.clone(), lease, Some(place));
    let proxy: PyObjectRef = proxy.into_ref_with_type(vm, class)?.into();
    proxies.enter(vm, place, proxy)
}

/// The class for the proxy: ready-made for builtins, else the peer is asked.
fn class_of(
    vm: &VirtualMachine,
    session: &Arc<PythonSession>,
    netref: &Netref,
) -> PyResult<(PyTypeRef, ClassLease)> {
    let id_pack = netref.id_pack();
    let is_class = netref.is_class();
    if !is_class && let Some(local) = types::builtin(vm, &id_pack.name) {
        let key = ClassKey::Named(id_pack.name.to_string());
        return session.proxy_class(key, || {
            let methods = super::classes::instance_methods(vm, &local);
            make_class(vm, &id_pack.name, methods.iter().map(|name| name.as_str()))
        });
    }
    let key = ClassKey::Peer {
        connection: netref.peer_number(),
        class: id_pack.class.0,
        is_class,
    };
    session.proxy_class(key, || {
        let answer = detached(vm, || netref.inspect());
        let methods: Vec<Method> =
            answer.map_err(|error| to_python_exception(vm, &Exception::from(error)))?;
        if methods.len() > MAX_METHODS {
            let message = format!("a class of {} methods is too large", methods.len());
            return Err(vm.new_value_error(message));
        }
        make_class(
            vm,
            &id_pack.name,
            methods.iter().map(|(name, _)| name.as_str()),
        )
    })
}

/// A class of proxies that forward those methods.
fn make_class<'a>(
    vm: &VirtualMachine,
    name: &str,
    methods: impl IntoIterator<Item = &'a str>,
) -> PyResult<PyTypeRef> {
    let namespace = vm.ctx.new_dict();
    namespace.set_item("__slots__", vm.ctx.new_tuple(Vec::new()).into(), vm)?;
    let module = vm.ctx.new_str("rpyc.core.netref");
    namespace.set_item("__module__", module.into(), vm)?;
    for method_name in methods {
        if is_forwarded(method_name) && interned::admit(vm, method_name) {
            namespace.set_item(method_name, method(vm, method_name), vm)?;
        }
    }
    let base = NetRef::class(&vm.ctx).to_owned();
    let bases = vm.ctx.new_tuple(vec![base.into()]);
    let metaclass = modules::netref_metaclass(vm)?;
    let class = metaclass.call((vm.ctx.new_str(name), bases, namespace), vm)?;
    class
        .downcast()
        .map_err(|_| vm.new_type_error("type() made no class"))
}

/// Whether a method that the peer lists becomes one of the proxy. Those that would let it decide
/// what the proxy is, or have its bytes unpickled, don't.
fn is_forwarded(name: &str) -> bool {
    name.len() <= MAX_NAME && !LOCAL_NAMES.contains(&name) && !OWN_NAMES.contains(&name)
}

#[rustfmt::skip]
const OWN_NAMES: &[&str] = &[
    "__array__", "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__",
    "__getnewargs_ex__", "__init_subclass__", "__subclasshook__", "__subclasscheck__",
    "__instancecheck__", "__prepare__", "__mro_entries__", "__buffer__", "__release_buffer__",
    // What these are makes a class, or doesn't.
    "__qualname__", "__classcell__", "__classdictcell__", "__set_name__", "__abstractmethods__",
    "__annotations__", "__annotate__", "__type_params__", "__mro__", "__bases__", "__name__",
];

/// In the place of a peer's number: no peer has it.
const NO_PEER: u64 = u64::MAX;

const MAX_METHODS: usize = 10_000;
const MAX_NAME: usize = 256;

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_any().fmt(f)
    }
}
