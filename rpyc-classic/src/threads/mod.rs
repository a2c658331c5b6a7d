//! What the system keeps by thread, and locks: for evaluators whose threads run the code of one client
//! after the other.

#![allow(unsafe_code)] // calls of C

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub mod locale;

/// A lock whose data is whole after every statement, so that a panic elsewhere doesn't matter.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Linux keeps it for each thread, other systems for the process. Without privileges it can't be put back.
#[must_use]
pub fn niceness() -> i32 {
    // Safe: it touches no memory.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

/// The signals that a thread doesn't get.
#[derive(Clone, Copy)]
pub struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// This thread's.
    #[must_use]
    pub fn current() -> SignalMask {
        let mut mask = MaybeUninit::zeroed();
        // Safe: it is written to, and zeros are a mask as well.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr());
            SignalMask(mask.assume_init())
        }
    }

    /// Makes it this thread's; the result is the one that it had.
    #[must_use]
    pub fn replace(self) -> SignalMask {
        let mut before = MaybeUninit::zeroed();
        // Safe: as above.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, before.as_mut_ptr());
            SignalMask(before.assume_init())
        }
    }
}

impl PartialEq for SignalMask {
    fn eq(&self, other: &SignalMask) -> bool {
        // Safe: they are asked of numbers that signals have.
        let has = |mask: &SignalMask, signal| unsafe { libc::sigismember(&mask.0, signal) };
        (1..LAST_SIGNAL).all(|signal| has(self, signal) == has(other, signal))
    }
}

impl Eq for SignalMask {}

impl fmt::Debug for SignalMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignalMask")
    }
}

/// What each system has at the most.
const LAST_SIGNAL: libc::c_int = 65;
