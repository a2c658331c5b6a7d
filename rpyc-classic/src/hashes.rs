//! Keys that a peer has chosen, before a set or a dict is made of them.
//!
//! Python's hashes of numbers are no secret, so a peer can choose keys of one hash; and where such sets are
//! keys of sets in turn, each comparison of two is as slow as the building of one.

/// An interpreter, as far as hashes go.
pub trait Keys {
    /// An object.
    type Key;
    /// An exception.
    type Error;

    /// Is called for every item: large values are looked at in pieces.
    ///
    /// # Errors
    /// The exception that ends the request.
    fn pause(&self) -> Result<(), Self::Error>;

    /// The object's hash.
    ///
    /// # Errors
    /// What hashing raises.
    fn hash(&self, key: &Self::Key) -> Result<i64, Self::Error>;

    /// What the object is made of, as far as comparisons go.
    fn parts(&self, key: &Self::Key) -> Parts<Self::Key>;

    /// The ValueError that says this.
    fn refuse(&self, message: String) -> Self::Error;
}

/// What an object is made of.
#[derive(Debug)]
pub enum Parts<K> {
    /// It is compared in one step, by its owner's code.
    None,
    /// It is a tuple of these.
    Tuple(Vec<K>),
    /// It is a frozenset of these.
    FrozenSet(Vec<K>),
}

/// Refuses keys that take too many comparisons to tell from each other because they have the same
/// hash.
///
/// # Errors
/// A ValueError for those, and what hashing raises.
pub fn check<P: Keys>(python: &P, keys: impl IntoIterator<Item = P::Key>) -> Result<(), P::Error> {
    let keys = by_hash(python, keys)?;
    let (mut comparisons, mut size) = (0_u64, keys.len() as u64);
    for group in same_hash(&keys).filter(|group| group.len() > 1) {
        let (mut each, mut parts) = (0_u64, 0_u64);
        for (_, key) in group {
            let cost = cost(python, key)?;
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
    Err(python.refuse(format!(
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

impl Cost {
    fn add(&mut self, item: Cost, times: u64) {
        let comparisons = item.comparisons.saturating_mul(times);
        self.comparisons = self.comparisons.saturating_add(comparisons);
        self.size = self.size.saturating_add(item.size);
    }
}

fn cost<P: Keys>(python: &P, key: &P::Key) -> Result<Cost, P::Error> {
    python.pause()?;
    let mut total = Cost {
        comparisons: 1,
        size: 1,
    };
    match python.parts(key) {
        Parts::None => {}
        Parts::Tuple(items) => {
            for item in &items {
                total.add(cost(python, item)?, 1);
            }
        }
        Parts::FrozenSet(items) => {
            // Each item is looked up among those of the same hash.
            for group in same_hash(&by_hash(python, items)?) {
                for (_, item) in group {
                    total.add(cost(python, item)?, group.len() as u64);
                }
            }
        }
    }
    Ok(total)
}

fn by_hash<P: Keys>(
    python: &P,
    keys: impl IntoIterator<Item = P::Key>,
) -> Result<Vec<(i64, P::Key)>, P::Error> {
    let mut hashed = Vec::new();
    for key in keys {
        python.pause()?;
        hashed.push((python.hash(&key)?, key));
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
