//! Which object is which, inside this process.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::wire::Str;

/// A family of identities: Rust's addresses are one, an evaluator's objects another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space(u64);

impl Space {
    /// Addresses of Rust objects.
    pub const RUST: Space = Space(0);

    /// Classes of Rust objects, which are told apart by their names.
    pub const RUST_CLASSES: Space = Space(1);

    /// Objects that live at the peer of a connection.
    pub(crate) fn of_connection(number: u64) -> Space {
        Space(number)
    }

    /// The number of the family, for a connection that is named by it.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// A family that nothing else in this process uses.
    pub fn unique() -> Space {
        static NEXT: AtomicU64 = AtomicU64::new(2);
        Space(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What tells an object from every other one that lives at the same time.
///
/// It never goes over the wire: there, ids are counters of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    space: Space,
    number: u64,
}

impl Identity {
    /// The object that `number` names inside `space`.
    pub fn new(space: Space, number: u64) -> Identity {
        Identity { space, number }
    }

    /// The identity of a Rust object: its address.
    pub fn of<T: ?Sized>(object: &T) -> Identity {
        let address = std::ptr::from_ref(object).cast::<()>() as usize;
        Identity::new(Space::RUST, address as u64)
    }

    /// What it is made of; alike for no two.
    pub(super) fn numbers(self) -> [u64; 2] {
        [self.space.0, self.number]
    }

    /// A number that tells it from others as long as this process lives, and tells a peer nothing: an
    /// address among its parts can't be had back.
    pub(crate) fn opaque(&self) -> u64 {
        opaque(self)
    }

    /// The identity of a Rust object's class: its name, hashed to 64 bits.
    pub fn of_class(name: &str) -> Identity {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Identity::new(Space::RUST_CLASSES, hasher.finish())
    }
}

fn opaque(hashed: &impl Hash) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one(hashed)
}

/// A hash as Python has it, a word of the machine; the top bits are spared so that it is the same on each
/// side. It tells a peer nothing of what is hashed.
pub(super) fn python_hash(hashed: &impl Hash) -> i64 {
    (opaque(hashed) >> 4).cast_signed()
}

/// What an object's id_pack is made of (docs/wire-protocol.md, section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdParts {
    /// `module.Class` of an instance, `module.Name` of a class, the bare name of a module.
    ///
    /// Names of builtins decide what a Python peer can do with the proxy: `builtins.list`,
    /// `builtins.function`, ...
    pub name: Str,
    /// The class; for a class the class itself.
    pub class: Identity,
    /// The object; none for a class.
    pub instance: Option<Identity>,
}

impl IdParts {
    /// A Rust object whose class goes by `name`.
    pub fn instance<T: ?Sized>(name: &'static str, object: &T) -> IdParts {
        IdParts {
            name: Str::from_static(name),
            class: Identity::of_class(name),
            instance: Some(Identity::of(object)),
        }
    }
}
