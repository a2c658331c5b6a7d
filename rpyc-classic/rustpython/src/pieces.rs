//! Large values of a peer's, made into Python objects piece by piece.
//!
//! Between two pieces the garbage collector, which stops all threads, gets its turn, and a request
//! that is to end does so.

use std::cell::Cell;

use rpyc_classic::hashes::{self, Keys, Parts};
use rustpython_vm::builtins::{PyBaseExceptionRef, PyFrozenSet, PyTuple};
use rustpython_vm::{AsObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

/// To be called for every item.
///
/// # Errors
/// The exception that ends the request.
pub(super) fn next(vm: &VirtualMachine) -> PyResult<()> {
    let count = COUNT.get().wrapping_add(1);
    COUNT.set(count);
    if count.is_multiple_of(PIECE) {
        vm.allow_threads(|| ());
        vm.check_signals()?;
    }
    Ok(())
}

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// The frozenset of those items.
///
/// # Errors
/// Where an item can't be hashed, or the items are chosen to be slow: see [`check_hashes`].
pub(super) fn frozenset(vm: &VirtualMachine, items: Vec<PyObjectRef>) -> PyResult {
    if items.is_empty() {
        return Ok(vm.ctx.empty_frozenset.clone().into());
    }
    check_hashes(vm, items.iter().cloned())?;
    let mut ended = None;
    let pieces = items.into_iter().map_while(|item| match next(vm) {
        Ok(()) => Some(item),
        Err(error) => {
            ended = Some(error);
            None
        }
    });
    let set = PyFrozenSet::from_iter(vm, pieces)?;
    match ended {
        Some(error) => Err(error),
        None => Ok(set.into_pyobject(vm)),
    }
}

/// Refuses keys that are chosen to have the same hash: see [`hashes::check`].
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub(super) fn check_hashes(
    vm: &VirtualMachine,
    keys: impl IntoIterator<Item = PyObjectRef>,
) -> PyResult<()> {
    hashes::check(&Interpreter(vm), keys)
}

struct Interpreter<'a>(&'a VirtualMachine);

impl Keys for Interpreter<'_> {
    type Key = PyObjectRef;
    type Error = PyBaseExceptionRef;

    fn pause(&self) -> PyResult<()> {
        next(self.0)
    }

    fn hash(&self, key: &PyObjectRef) -> PyResult<i64> {
        key.hash(self.0)
    }

    fn parts(&self, key: &PyObjectRef) -> Parts<PyObjectRef> {
        let (class, types) = (key.class(), &self.0.ctx.types);
        if class.is(types.tuple_type)
            && let Some(tuple) = key.downcast_ref::<PyTuple>()
        {
            Parts::Tuple(tuple.as_slice().to_vec())
        } else if class.is(types.frozenset_type)
            && let Some(set) = key.downcast_ref::<PyFrozenSet>()
        {
            Parts::FrozenSet(set.elements())
        } else {
            Parts::None
        }
    }

    fn refuse(&self, message: String) -> PyBaseExceptionRef {
        self.0.new_value_error(message)
    }
}

/// Takes about a millisecond.
const PIECE: u32 = 4096;
