//! The identities of Python classes.

use std::collections::HashMap;
use std::sync::Mutex;

use rpyc_classic::threads::lock;
use rustpython_vm::builtins::{PyType, PyWeak};
use rustpython_vm::types::PyTypeFlags;
use rustpython_vm::{AsObject, Py, PyRef, VirtualMachine};

/// The classes whose instances, or which themselves, have gone out.
///
/// Peers remember classes by their identity for as long as a connection lives. An address won't do: the
/// next class may be made where one was freed. So classes that can be freed are numbered.
#[derive(Default)]
pub(super) struct Classes(Mutex<Known>);

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
}

impl Classes {
    /// What tells the class from all others, dead ones included: odd numbers are given out here, even ones
    /// are addresses.
    pub(super) fn number(&self, vm: &VirtualMachine, class: &Py<PyType>) -> u64 {
        let can_be_freed = class.slots.flags.has_feature(PyTypeFlags::HEAPTYPE);
        let number = can_be_freed.then(|| self.numbered(vm, class)).flatten();
        number.unwrap_or(class.get_id() as u64)
    }

    /// None for a class that can't be referred to weakly.
    fn numbered(&self, vm: &VirtualMachine, class: &Py<PyType>) -> Option<u64> {
        let address = class.get_id();
        let known = lock(&self.0).by_address.get(&address).cloned();
        if let Some(known) = known
            && known.class.upgrade().is_some_and(|known| known.is(class))
        {
            return Some(known.number);
        }
        let class = class.as_object().downgrade(None, vm).ok()?;
        let mut known = lock(&self.0);
        known.numbers += 1;
        let number = known.numbers * 2 + 1;
        let replaced = known.by_address.insert(address, Entry { class, number });
        let is_full = known.by_address.len() >= known.sweep_at.max(MIN_SWEEP);
        drop(known);
        // Python objects are dropped outside of the lock.
        drop(replaced);
        if is_full {
            self.sweep();
        }
        Some(number)
    }

    /// Forgets dead classes.
    fn sweep(&self) {
        let mut dead: Vec<(usize, Entry)> = {
            let known = lock(&self.0);
            let all = known.by_address.iter();
            all.map(|(address, entry)| (*address, entry.clone()))
                .collect()
        };
        dead.retain(|(_, entry)| entry.class.upgrade().is_none());
        let mut known = lock(&self.0);
        for (address, entry) in &dead {
            // Another class may have come to the address.
            let found = known.by_address.get(address);
            if found.is_some_and(|found| found.number == entry.number) {
                // It lives as long as its copy here.
                known.by_address.remove(address);
            }
        }
        known.sweep_at = known.by_address.len() * 2;
        drop(known);
        drop(dead);
    }
}

/// Fewer classes than that aren't looked through for dead ones.
const MIN_SWEEP: usize = 1024;
