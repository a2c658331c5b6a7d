//! What is known of Python classes: their identities, and their methods as INSPECT reports them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rpyc_classic::threads::lock;
use rpyc_core::object::{Identity, MethodInfo, Space};
use rustpython_vm::builtins::{PyStr, PyTuple, PyType, PyWeak};
use rustpython_vm::types::PyTypeFlags;
use rustpython_vm::{AsObject, Py, PyObject, PyObjectRef, PyRef, PyResult, VirtualMachine};

use super::text::text;

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
    methods: Option<(u32, Arc<[MethodInfo]>)>,
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
    /// They are walked through by `methods`, of the sources, where they aren't known.
    pub(super) fn methods(
        &self,
        vm: &VirtualMachine,
        methods: &PyObject,
        object: &PyObject,
    ) -> PyResult<Arc<[MethodInfo]>> {
        if object.downcast_ref::<PyType>().is_some() {
            // Asked once for each class: the peer remembers.
            return collect(vm, methods, object);
        }
        let class = object.class();
        let version = || class.tp_version_tag.load(Ordering::Acquire);
        let entry = self.entry(vm, class);
        if let Some((known_version, methods)) = entry.and_then(|entry| entry.methods)
            && known_version == version()
        {
            return Ok(methods);
        }
        let before = version();
        let methods = collect(vm, methods, object)?;
        if before != 0 && before == version() {
            let mut known = lock(&self.known);
            if let Some(entry) = known.by_address.get_mut(&class.get_id()) {
                entry.methods = Some((before, methods.clone()));
            }
        }
        Ok(methods)
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

/// The methods of the object, as the function `methods` of the sources tells them.
fn collect(
    vm: &VirtualMachine,
    methods: &PyObject,
    object: &PyObject,
) -> PyResult<Arc<[MethodInfo]>> {
    let methods = methods.call((object.to_owned(),), vm)?;
    let methods: Vec<PyObjectRef> = methods.try_to_value(vm)?;
    let method = |pair: &PyObjectRef| {
        let told = |object: &PyObjectRef| object.downcast_ref::<PyStr>().map(text);
        let pair = pair.downcast_ref::<PyTuple>()?.as_slice();
        Some((told(pair.first()?)?, pair.get(1).and_then(told)))
    };
    Ok(methods.iter().filter_map(method).collect())
}

/// Fewer classes than that aren't looked through for dead ones.
const MIN_SWEEP: usize = 1024;
