//! Large values of a peer's, made into Python objects piece by piece.
//!
//! Between two pieces the garbage collector, which stops all threads, gets its turn, and a request
//! that is to end does so.

use std::cell::Cell;

use rustpython_vm::builtins::PyFrozenSet;
use rustpython_vm::{PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

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
    check_hashes(vm, items.iter().map(|item| &**item))?;
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

/// Refuses keys of which too many have the same hash: finding one among them takes as many
/// comparisons. Python's hashes of numbers are no secret, so a peer can choose such.
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub(super) fn check_hashes<'a>(
    vm: &VirtualMachine,
    keys: impl IntoIterator<Item = &'a PyObject>,
) -> PyResult<()> {
    let mut hashes = Vec::new();
    for key in keys {
        next(vm)?;
        hashes.push(key.hash(vm)?);
    }
    hashes.sort_unstable();
    match hashes
        .windows(MAX_SAME)
        .any(|run| run[0] == run[MAX_SAME - 1])
    {
        false => Ok(()),
        true => Err(vm.new_value_error(format!(
            "{MAX_SAME} or more of {} keys have the same hash, which would take for ever",
            hashes.len()
        ))),
    }
}

/// Takes about a millisecond.
const PIECE: u32 = 4096;

/// Keys that nobody has chosen so rarely share a hash at all: -1 and -2 do, 0 and '' do.
const MAX_SAME: usize = 64;
