//! Names of peers' that the interpreter keeps for good: those of attributes of classes.
//!
//! It never frees such a name, so all peers together may add so many of them and no more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustpython_vm::VirtualMachine;

/// Whether the name may be one of a class's attributes: it is known already, or there is room for it.
pub(super) fn admit(vm: &VirtualMachine, name: &str) -> bool {
    if vm.ctx.interned_str(name).is_some() {
        return true;
    }
    let size = name.len().saturating_add(OVERHEAD);
    let left = LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(size)
    });
    if left.is_err() && !IS_TOLD.swap(true, Ordering::Relaxed) {
        log::warn!("clients have named so many methods that further names are left out of proxies");
    }
    left.is_ok()
}

/// A name's object, and its place in the table.
const OVERHEAD: usize = 128;

/// Programs name some thousands.
static LEFT: AtomicUsize = AtomicUsize::new(16 << 20);

static IS_TOLD: AtomicBool = AtomicBool::new(false);
