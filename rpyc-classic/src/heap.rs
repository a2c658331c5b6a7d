//! The heap of the process, where glibc has it: for evaluators.

#![allow(unsafe_code)] // calls of C

/// Has threads share as many heaps as there are cores, for the whole process: glibc would make eight
/// times as many, and what stays in each keeps pages around it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share() {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    // Safe: it sets a number.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, i32::try_from(cores.max(2)).unwrap_or(2)) };
}

/// Gives free memory back to the system: some milliseconds where there is much of it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    // Safe: it touches free memory only.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing, on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share() {}

/// Nothing, on this system.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
