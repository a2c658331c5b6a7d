//! Large values of a peer's, made into Python objects piece by piece.
//!
//! Between two pieces other threads get their turn, and a request that is to end does so.

use std::cell::Cell;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyFrozenSetBuilder, PyTuple};
use rpyc_classic::hashes::{self, Keys, Parts};

use crate::policy::policy;

/// To be called for every item.
///
/// # Errors
/// The exception that ends the request.
pub(crate) fn next(py: Python<'_>) -> PyResult<()> {
    let count = COUNT.get().wrapping_add(1);
    COUNT.set(count);
    if count.is_multiple_of(PIECE) {
        // Both happen where Python code begins, and nowhere else.
        policy().pause.bind(py).call0()?;
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
pub(crate) fn frozenset<'py>(
    py: Python<'py>,
    items: Vec<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyFrozenSet>> {
    check_hashes(py, items.iter().cloned())?;
    let mut set = PyFrozenSetBuilder::new(py)?;
    for item in items {
        next(py)?;
        set.add(item)?;
    }
    Ok(set.finalize())
}

/// Refuses keys that are chosen to have the same hash: see [`hashes::check`].
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub(crate) fn check_hashes<'py>(
    py: Python<'py>,
    keys: impl IntoIterator<Item = Bound<'py, PyAny>>,
) -> PyResult<()> {
    hashes::check(&Interpreter(py), keys)
}

struct Interpreter<'py>(Python<'py>);

impl<'py> Keys for Interpreter<'py> {
    type Key = Bound<'py, PyAny>;
    type Error = PyErr;

    fn pause(&self) -> PyResult<()> {
        next(self.0)
    }

    fn hash(&self, key: &Self::Key) -> PyResult<i64> {
        Ok(key.hash()? as i64)
    }

    fn parts(&self, key: &Self::Key) -> Parts<Self::Key> {
        if let Ok(tuple) = key.cast_exact::<PyTuple>() {
            Parts::Tuple(tuple.iter().collect())
        } else if let Ok(set) = key.cast_exact::<PyFrozenSet>() {
            Parts::FrozenSet(set.iter().collect())
        } else {
            Parts::None
        }
    }

    fn refuse(&self, message: String) -> PyErr {
        PyValueError::new_err(message)
    }
}

/// Takes about a millisecond.
const PIECE: u32 = 4096;
