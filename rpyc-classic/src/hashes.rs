//! Keys that a peer has chosen, before a set or a dict is made of them.
//!
//! Python's hashes of numbers are no secret, so a peer can choose keys of one hash; and where such sets are
//! keys of sets in turn, each comparison of two is as slow as the building of one.

use crate::bridge::{Plain, Runtime, next_piece};

/// Refuses keys that take too many comparisons to tell from each other because they have the same
/// hash.
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub(crate) fn check<'a, P: Runtime>(
    vm: P::Vm<'a>,
    keys: Vec<P::Object<'a>>,
) -> Result<(), P::Error> {
    let keys = by_hash::<P>(vm, keys)?;
    let (mut comparisons, mut size) = (0_u64, keys.len() as u64);
    for group in same_hash(&keys).filter(|group| group.len() > 1) {
        let (mut each, mut parts) = (0_u64, 0_u64);
        for (_, key) in group {
            let cost = cost::<P>(vm, key)?;
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
    let what = format!(
        "so many of {} keys have the same hash that telling them apart would take for ever",
        keys.len()
    );
    Err(P::own_error(vm, "ValueError", what))
}

/// What it costs to compare a key with one of the same hash.
#[derive(Clone, Copy)]
struct Cost {
    comparisons: u64,
    // The items in it, at all depths; at least 1.
    size: u64,
}

impl Cost {
    fn add(&mut self, item: Cost, times: u64) {
        let comparisons = item.comparisons.saturating_mul(times);
        self.comparisons = self.comparisons.saturating_add(comparisons);
        self.size = self.size.saturating_add(item.size);
    }
}

fn cost<'a, P: Runtime>(vm: P::Vm<'a>, key: &P::Object<'a>) -> Result<Cost, P::Error> {
    next_piece::<P>(vm)?;
    let mut total = Cost {
        comparisons: 1,
        size: 1,
    };
    match P::take_apart(vm, key) {
        Some(Plain::Tuple(items)) => {
            for item in &items {
                total.add(cost::<P>(vm, item)?, 1);
            }
        }
        Some(Plain::FrozenSet(items)) => {
            // Each item is looked up among those of the same hash.
            for group in same_hash(&by_hash::<P>(vm, items)?) {
                for (_, item) in group {
                    total.add(cost::<P>(vm, item)?, group.len() as u64);
                }
            }
        }
        // It is compared in one step, by its owner's code.
        _ => {}
    }
    Ok(total)
}

#[allow(clippy::type_complexity)] // pairs
fn by_hash<'a, P: Runtime>(
    vm: P::Vm<'a>,
    keys: Vec<P::Object<'a>>,
) -> Result<Vec<(i64, P::Object<'a>)>, P::Error> {
    let mut hashed = Vec::with_capacity(keys.len());
    for key in keys {
        next_piece::<P>(vm)?;
        hashed.push((P::hash(vm, &key)?, key));
    }
    hashed.sort_unstable_by_key(|(hash, _)| *hash);
    Ok(hashed)
}

fn same_hash<K>(keys: &[(i64, K)]) -> impl Iterator<Item = &[(i64, K)]> {
    keys.chunk_by(|one, other| one.0 == other.0)
}

/// For each item of a set: those of nobody's choice rarely need one at all (-1 and -2 share a hash,
/// 0 and '' do).
const MAX_COMPARISONS: u64 = 32;
