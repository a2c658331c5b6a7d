//! How deep collections within collections are gone into: one may hold itself.

use std::cell::Cell;

use crate::exception::Exception;
use crate::object::ObjectResult;

/// Does `work`, which looks into a thing within another, unless that is too deep.
///
/// # Errors
/// A RecursionError, or what `work` raised.
pub(super) fn deeper<T>(work: impl FnOnce() -> ObjectResult<T>) -> ObjectResult<T> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(Exception::recursion_error(
            "collections are nested too deeply, or within themselves",
        ));
    }
    DEPTH.set(depth + 1);
    let _back = Back(depth);
    work()
}

/// Sets the depth back, also when a panic passes.
struct Back(usize);

impl Drop for Back {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Stops a peer that puts a list into itself and asks for its text: the stack would overflow,
/// which ends the process.
const MAX_DEPTH: usize = 64;
