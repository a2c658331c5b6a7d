//! Large values of a peer's, made into Python objects piece by piece.
//!
//! Between two pieces the garbage collector, which stops all threads, gets its turn, and a request
//! that is to end does so.

use std::cell::Cell;

use rustpython_vm::builtins::{PyFrozenSet, PyTuple};
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

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

/// Refuses keys that take too many comparisons to tell from each other because they have the same
/// hash. Python's hashes of numbers are no secret, so a peer can choose such; and where such sets are
/// keys of sets in turn, each comparison of two is as slow as the building of one.
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub(super) fn check_hashes<'a>(
    vm: &VirtualMachine,
    keys: impl IntoIterator<Item = &'a PyObject>,
) -> PyResult<()> {
    let keys = by_hash(vm, keys)?;
    let (mut comparisons, mut size) = (0_u64, keys.len() as u64);
    for group in same_hash(&keys) {
        let (mut each, mut parts) = (0_u64, 0_u64);
        for (_, key) in group {
            let cost = cost(vm, key)?;
            each = each.max(cost.comparisons);
            parts = parts.saturating_add(cost.size);
        }
        let pairs = group.len() as u64 * (group.len() as u64 - 1) / 2;
        comparisons = comparisons.saturating_add(each.saturating_mul(pairs));
        size = size.saturating_add(parts - group.len() as u64);
    }
    if comparisons <= size.saturating_mul(MAX_COMPARISONS) {
        return Ok(());
    }
    Err(vm.new_value_error(format!(
        "so many of {} keys have the same hash that telling them apart would take for ever",
        keys.len()
    )))
}

/// What it costs to compare a key with one of the same hash.
#[derive(Clone, Copy)]
struct Cost {
    comparisons: u64,
    // The items in it, at all depths; at least 1.
    size: u64,
}

/// Of a value; an object is compared in one step, by its owner's code.
fn cost(vm: &VirtualMachine, key: &PyObject) -> PyResult<Cost> {
    next(vm)?;
    let mut total = Cost {
        comparisons: 1,
        size: 1,
    };
    let mut add = |cost: Cost, times: u64| {
        let comparisons = cost.comparisons.saturating_mul(times);
        total.comparisons = total.comparisons.saturating_add(comparisons);
        total.size = total.size.saturating_add(cost.size);
    };
    let class = key.class();
    if class.is(vm.ctx.types.tuple_type)
        && let Some(tuple) = key.downcast_ref::<PyTuple>()
    {
        for item in tuple.as_slice() {
            add(cost(vm, item)?, 1);
        }
    } else if class.is(vm.ctx.types.frozenset_type)
        && let Some(set) = key.downcast_ref::<PyFrozenSet>()
    {
        let items = set.elements();
        let items = by_hash(vm, items.iter().map(|item| &**item))?;
        // Each item is looked up among those of the same hash.
        for group in items.chunk_by(|one, other| one.0 == other.0) {
            for (_, item) in group {
                add(cost(vm, item)?, group.len() as u64);
            }
        }
    }
    Ok(total)
}

type Hashed<'a> = (i64, &'a PyObject);

fn by_hash<'a>(
    vm: &VirtualMachine,
    keys: impl IntoIterator<Item = &'a PyObject>,
) -> PyResult<Vec<Hashed<'a>>> {
    let mut hashed = Vec::new();
    for key in keys {
        next(vm)?;
        hashed.push((key.hash(vm)?, key));
    }
    hashed.sort_unstable_by_key(|(hash, _)| *hash);
    Ok(hashed)
}

/// Those of which several have the same hash.
fn same_hash<'a, 'b>(keys: &'b [Hashed<'a>]) -> impl Iterator<Item = &'b [Hashed<'a>]> {
    let groups = keys.chunk_by(|one, other| one.0 == other.0);
    groups.filter(|group| group.len() > 1)
}

/// Takes about a millisecond.
const PIECE: u32 = 4096;

/// For each item of a set: those of nobody's choice rarely need one at all (-1 and -2 share a hash,
/// 0 and '' do).
const MAX_COMPARISONS: u64 = 32;
