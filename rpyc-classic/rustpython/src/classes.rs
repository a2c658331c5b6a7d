//! What is known of Python classes: their identities, and their methods as INSPECT reports them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rpyc_core::object::{Identity, Method, Space};
use rpyc_core::wire::Str;
use rustpython_vm::builtins::{PyStr, PyType, PyWeak};
use rustpython_vm::types::PyTypeFlags;
use rustpython_vm::{AsObject, Py, PyObject, PyRef, VirtualMachine};

use super::thread::lock;

/// The classes whose instances, or which themselves, have gone out.
///
/// Peers remember classes by their identity for as long as a connection lives. An address won't do: the
/// next class may be made where one was freed. So classes that can be freed are numbered.
pub(super) struct Classes {
    space: Space,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_address: HashMap<usize, Entry>,
    numbers: u64,
    // When so many classes are known, it is time to forget dead ones.
    sweep_at: usize,
}

#[derive(Clone)]
struct Entry {
    // Tells the class from a later one at the same address.
    class: PyRef<PyWeak>,
    number: u64,
    // Its methods, and the version in which it has them: a class gets another version when it or a
    // base is changed.
    methods: Option<(u32, Arc<[Method]>)>,
}

impl Classes {
    pub(super) fn new() -> Classes {
        Classes {
            space: Space::unique(),
            known: Mutex::default(),
        }
    }

    /// What tells the class from all others, dead ones included.
    pub(super) fn identity(&self, vm: &VirtualMachine, class: &Py<PyType>) -> Identity {
        let number = if class.slots.flags.has_feature(PyTypeFlags::HEAPTYPE) {
            self.entry(vm, class).map(|entry| entry.number)
        } else {
            None
        };
        // Odd numbers are numbers given out here, even ones addresses.
        Identity::new(self.space, number.unwrap_or(class.get_id() as u64))
    }

    /// The methods of `object`: those of its class, and for a class its own as well.
    pub(super) fn methods(&self, vm: &VirtualMachine, object: &PyObject) -> Arc<[Method]> {
        if object.downcast_ref::<PyType>().is_some() {
            // Asked once for each class: the peer remembers.
            return collect(vm, object).into();
        }
        let class = object.class();
        let version = || class.tp_version_tag.load(Ordering::Acquire);
        let entry = self.entry(vm, class);
        if let Some((known_version, methods)) = entry.and_then(|entry| entry.methods)
            && known_version == version()
        {
            return methods;
        }
        let before = version();
        let methods: Arc<[Method]> = collect(vm, object).into();
        if before != 0 && before == version() {
            let mut known = lock(&self.known);
            if let Some(entry) = known.by_address.get_mut(&class.get_id()) {
                entry.methods = Some((before, methods.clone()));
            }
        }
        methods
    }

    /// What is known of the class, if it can be kept.
    fn entry(&self, vm: &VirtualMachine, class: &Py<PyType>) -> Option<Entry> {
        let address = class.get_id();
        let known = lock(&self.known).by_address.get(&address).cloned();
        if let Some(known) = known
            && known.class.upgrade().is_some_and(|known| known.is(class))
        {
            return Some(known);
        }
        let weak = class.as_object().downgrade(None, vm).ok()?;
        let mut known = lock(&self.known);
        known.numbers += 1;
        let entry = Entry {
            class: weak,
            number: known.numbers * 2 + 1,
            methods: None,
        };
        let replaced = known.by_address.insert(address, entry.clone());
        let is_full = known.by_address.len() >= known.sweep_at.max(MIN_SWEEP);
        drop(known);
        // Python objects are dropped outside of the lock.
        drop(replaced);
        if is_full {
            self.sweep();
        }
        Some(entry)
    }

    /// Forgets dead classes.
    fn sweep(&self) {
        let all: Vec<_> = {
            let known = lock(&self.known);
            let all = known.by_address.iter();
            all.map(|(address, entry)| (*address, entry.clone()))
                .collect()
        };
        let mut dead = Vec::new();
        for (address, entry) in all {
            if entry.class.upgrade().is_none() {
                dead.push((address, entry.number));
            }
        }
        let mut known = lock(&self.known);
        let mut forgotten = Vec::new();
        for (address, number) in dead {
            // Another class may have come to the address.
            if known
                .by_address
                .get(&address)
                .is_some_and(|entry| entry.number == number)
            {
                forgotten.extend(known.by_address.remove(&address));
            }
        }
        known.sweep_at = known.by_address.len() * 2;
        drop(known);
        drop(forgotten);
    }
}

/// The names of the methods that instances of the class have.
pub(super) fn instance_methods(vm: &VirtualMachine, class: &Py<PyType>) -> Vec<Str> {
    let methods = collect_from(vm, class.mro_collect().into_iter().rev());
    methods.into_iter().map(|(name, _)| name).collect()
}

fn collect(vm: &VirtualMachine, object: &PyObject) -> Vec<Method> {
    let mut classes = object.class().mro_collect();
    classes.reverse();
    if let Some(class) = object.downcast_ref::<PyType>() {
        classes.extend(class.mro_collect().into_iter().rev());
    }
    collect_from(vm, classes)
}

/// The methods of classes, each of which hides those before it.
fn collect_from(
    vm: &VirtualMachine,
    classes: impl IntoIterator<Item = PyRef<PyType>>,
) -> Vec<Method> {
    let mut methods: Vec<Option<Method>> = Vec::new();
    let mut places: HashMap<Str, usize> = HashMap::new();
    for class in classes {
        for (name, attribute) in class.attributes.entries() {
            let Some(name) = name.downcast_ref::<PyStr>().and_then(|name| name.to_str()) else {
                continue;
            };
            // Old peers look for these two (the protocol's handler knows which).
            let wanted =
                !LOCAL_NAMES.contains(&name) || matches!(name, "__exit__" | "__instancecheck__");
            if !wanted {
                continue;
            }
            let name = Str::from(name);
            // What a subclass defines hides what a base does, be it a method or not.
            let method = is_routine(vm, &attribute).then(|| (name.clone(), doc(vm, &attribute)));
            match places.get(&name) {
                Some(&place) => methods[place] = method,
                None => {
                    places.insert(name, methods.len());
                    methods.push(method);
                }
            }
        }
    }
    methods.into_iter().flatten().collect()
}

/// Whether it is a function, a builtin one, a bound method or a method descriptor.
fn is_routine(vm: &VirtualMachine, attribute: &PyObject) -> bool {
    let class = attribute.class();
    let types = &vm.ctx.types;
    if class.fast_issubclass(types.function_type)
        || class.fast_issubclass(types.bound_method_type)
        || class.fast_issubclass(types.builtin_function_or_method_type)
    {
        return true;
    }
    let slots = class.slots();
    attribute.downcast_ref::<PyType>().is_none()
        && slots.descr_get.load().is_some()
        && slots.descr_set.load().is_none()
}

fn doc(vm: &VirtualMachine, attribute: &PyObject) -> Option<Str> {
    let doc = attribute.get_attr("__doc__", vm).ok()?;
    doc.downcast_ref::<PyStr>()?.to_str().map(Str::from)
}

/// Names that proxies answer by themselves (docs/wire-protocol.md, section 6).
#[rustfmt::skip]
pub(super) const LOCAL_NAMES: &[&str] = &[
    "____conn__", "____id_pack__", "____refcount__", "__class__", "__cmp__", "__del__",
    "__delattr__", "__dir__", "__doc__", "__getattr__", "__getattribute__", "__hash__",
    "__instancecheck__", "__init__", "__metaclass__", "__module__", "__new__", "__reduce__",
    "__reduce_ex__", "__repr__", "__setattr__", "__slots__", "__str__", "__weakref__", "__dict__",
    "__methods__", "__exit__", "__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__",
    "__array_struct__", "__array_interface__",
];

/// Fewer classes than that aren't looked through for dead ones.
const MIN_SWEEP: usize = 1024;
