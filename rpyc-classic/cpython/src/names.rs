//! Names of peers' that the interpreter may keep for good: those of attributes and of methods.
//!
//! Whether it ever frees such a name depends on its version (3.12 doesn't), so all peers together may add so many of
//! them and no more.

use std::collections::HashSet;
use std::ffi::CStr;
use std::sync::{LazyLock, Mutex};

use pyo3::prelude::*;
use rpyc_classic::threads::lock;

struct Names {
    known: HashSet<Box<str>>,
    left: usize,
    is_told: bool,
}

static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(|| {
    Mutex::new(Names {
        known: HashSet::new(),
        left: MAX_BYTES,
        is_told: false,
    })
});

/// Python's own names are known from the start: of operators and of whatever its classes have.
pub(crate) fn know_pythons(py: Python<'_>) -> PyResult<()> {
    let found: HashSet<String> = py.eval(PYTHONS, None, None)?.extract()?;
    let found = found.into_iter().map(String::into_boxed_str);
    lock(&NAMES).known.extend(found);
    Ok(())
}

/// Whether a peer may name an attribute so: the name is known already, or there is room for it.
pub(crate) fn admit(name: &str) -> bool {
    let mut names = lock(&NAMES);
    if names.known.contains(name) {
        return true;
    }
    // The interpreter's and the one here.
    let size = name.len().saturating_mul(2).saturating_add(OVERHEAD);
    let Some(left) = names.left.checked_sub(size) else {
        if !names.is_told {
            log::warn!(
                "clients have named so many attributes and methods that further names are refused"
            );
        }
        names.is_told = true;
        return false;
    };
    names.left = left;
    names.known.insert(name.into())
}

/// Whether it has been admitted.
pub(crate) fn is_known(name: &str) -> bool {
    lock(&NAMES).known.contains(name)
}

// A set: as a list it takes a megabyte for a moment, and the interpreter keeps that.
const PYTHONS: &CStr = c"{
    name
    for module in ('builtins', 'collections.abc', 'operator', 'types')
    for owner in (
        lambda found: [found, *(cls for cls in vars(found).values() if isinstance(cls, type))]
    )(__import__('importlib').import_module(module))
    for known in dir(owner)
    for name in (known, '__r' + known[2:])
}";

/// Programs name some thousands.
const MAX_BYTES: usize = 16 << 20;

/// A name's objects, and its places in the tables.
const OVERHEAD: usize = 256;
