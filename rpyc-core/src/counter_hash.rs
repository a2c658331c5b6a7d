//! A hash for tables whose keys are counters of our own making.
//!
//! No peer chooses what is in such a table, so keys that collide on purpose can't be put there, and
//! mixing the number a little is enough.

use std::hash::{BuildHasherDefault, Hasher};

/// For `HashMap`'s third parameter.
pub(crate) type CounterState = BuildHasherDefault<CounterHasher>;

#[derive(Default)]
pub(crate) struct CounterHasher(u64);

impl Hasher for CounterHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(32);
    }
}
