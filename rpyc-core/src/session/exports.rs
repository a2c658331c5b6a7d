//! The table of local objects that the peer holds references to, with exact counts.

use std::collections::HashMap;

use crate::counter_hash::CounterState;
use crate::object::identity::{IdParts, Identity};
use crate::wire::{ClassId, IdPack, InstanceId, Str};

/// What the peer may refer to, and nothing else.
///
/// Ids tell a peer nothing of this process, and one that is guessed names nothing that it wasn't
/// given. Those of objects are counters, kept while the object is in the table. A class has one id
/// for the process's life, so that a peer can compare classes that came over two connections.
pub(crate) struct Exports<O> {
    // By the id that the peer sends: the instance's, or the class's for a class.
    entries: HashMap<u64, Entry<O>, CounterState>,
    // The way back, for an object that is handed out again.
    ids: HashMap<Identity, u64>,
    last_id: u64,
    // The root, and its name, by which old peers call it.
    root: Option<(Str, u64)>,
    // The id_pack by which the peer last named an object, as it came, and that object: most requests in a row are
    // about one.
    last_bytes: Vec<u8>,
    last: Option<O>,
    // The connection is over.
    closed: bool,
}

struct Entry<O> {
    object: O,
    identity: Identity,
    class: Identity,
    count: u64,
    pinned: bool,
}

/// Why references can't be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReleaseError {
    /// The peer holds no reference to such an object.
    Unknown,
    /// It holds fewer than it gives back.
    TooMany,
}

impl<O: Clone> Exports<O> {
    pub(crate) fn new() -> Exports<O> {
        Exports {
            entries: HashMap::default(),
            ids: HashMap::default(),
            last_id: 0,
            root: None,
            last_bytes: Vec::new(),
            last: None,
            closed: false,
        }
    }

    /// Adds one reference to the object; `None` when it is new and `limit` objects are out.
    pub(crate) fn add(&mut self, object: &O, parts: IdParts, limit: usize) -> Option<IdPack> {
        let identity = parts.instance.unwrap_or(parts.class);
        let known = self.ids.get(&identity).copied();
        if self.closed || (known.is_none() && self.entries.len() >= limit) {
            return None;
        }
        let class = class_id(parts.class);
        let id = match (known, parts.instance) {
            (Some(id), _) => id,
            (None, None) => class,
            (None, Some(_)) => {
                self.last_id += 1;
                self.last_id
            }
        };
        if known.is_none() {
            self.ids.insert(identity, id);
        }
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            object: object.clone(),
            identity,
            class: parts.class,
            count: 0,
            pinned: false,
        });
        entry.count = entry.count.saturating_add(1);
        let instance = if parts.instance.is_some() { id } else { 0 };
        Some(IdPack::new(
            parts.name,
            ClassId(class),
            InstanceId(instance),
        ))
    }

    /// Keeps the root object for the connection's life, without a reference that could be given
    /// back.
    pub(crate) fn pin(&mut self, object: &O, parts: IdParts) {
        let Some(id_pack) = self.add(object, parts, usize::MAX) else {
            return;
        };
        let id = self.key(&id_pack);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.count -= 1;
            entry.pinned = true;
            self.root = Some((id_pack.name, id));
        }
    }

    /// The object that the peer's `id_pack` names, which came as these bytes.
    pub(crate) fn resolve(&mut self, id_pack: &IdPack, bytes: &[u8]) -> Option<O> {
        let id = self.key(id_pack);
        let object = self.entries.get(&id)?.object.clone();
        if (1..=MAX_LAST).contains(&bytes.len()) {
            self.last_bytes.clear();
            self.last_bytes.extend_from_slice(bytes);
            self.last = Some(object.clone());
        }
        Some(object)
    }

    /// The object that the peer's last id_pack named, if these bytes begin with it, and the length of that.
    pub(crate) fn recall(&self, bytes: &[u8]) -> Option<(usize, O)> {
        let object = self.last.as_ref()?;
        let known = bytes.starts_with(&self.last_bytes);
        known.then(|| (self.last_bytes.len(), object.clone()))
    }

    /// The object that the peer's `id_pack` names, if its class is right as well: the id_pack may have
    /// come over another connection. One without a class is a number, all that rpyc 3 and 4.0 tell.
    pub(crate) fn resolve_exactly(&self, id_pack: &IdPack) -> Option<O> {
        let entry = self.entries.get(&self.key(id_pack))?;
        let of_class = id_pack.class.0 == 0 || id_pack.class.0 == class_id(entry.class);
        of_class.then(|| entry.object.clone())
    }

    /// Takes `count` references back; gives the object when none is left, to be dropped outside
    /// of the lock.
    pub(crate) fn release(
        &mut self,
        id_pack: &IdPack,
        count: u64,
    ) -> Result<Option<O>, ReleaseError> {
        let id = self.key(id_pack);
        let entry = self.entries.get_mut(&id).ok_or(ReleaseError::Unknown)?;
        if count == 0 || count > entry.count {
            return Err(ReleaseError::TooMany);
        }
        entry.count -= count;
        if entry.count > 0 || entry.pinned {
            return Ok(None);
        }
        let entry = self.entries.remove(&id);
        // Whichever it is: it isn't the last handle that goes here.
        self.last = None;
        Ok(entry.map(|entry| {
            self.ids.remove(&entry.identity);
            entry.object
        }))
    }

    /// How many objects the peer holds references to.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every object, to be dropped outside of the lock; the table is empty then, and stays so.
    pub(crate) fn clear(&mut self) -> Vec<O> {
        self.closed = true;
        self.last = None;
        self.ids.clear();
        self.entries
            .drain()
            .map(|(_, entry)| entry.object)
            .collect()
    }

    fn key(&self, id_pack: &IdPack) -> u64 {
        match (id_pack.class, id_pack.instance, &self.root) {
            (ClassId(0), InstanceId(0), Some((name, id))) if *name == id_pack.name => *id,
            (ClassId(class), InstanceId(0), _) => class,
            (_, InstanceId(id), _) => id,
        }
    }
}

/// Bytes of an id_pack that is kept as it came.
const MAX_LAST: usize = 96;

/// A class's id: of 53 bits, which every peer reads quickly, and never a counter.
fn class_id(class: Identity) -> u64 {
    (class.opaque() >> 12) | (1 << 52)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::object::{Object, ObjectRef};

    struct Thing(#[allow(dead_code)] u8); // two of a size of 0 could share an address

    impl Object for Thing {
        fn id_parts(&self) -> IdParts {
            IdParts::instance("tests.Thing", self)
        }
    }

    struct Class(#[allow(dead_code)] u8); // likewise

    impl Object for Class {
        fn id_parts(&self) -> IdParts {
            IdParts {
                instance: None,
                ..IdParts::instance("tests.Thing", self)
            }
        }
    }

    fn add(exports: &mut Exports<ObjectRef>, object: &ObjectRef) -> IdPack {
        exports
            .add(object, object.id_parts(), 100)
            .expect("below the limit")
    }

    #[test]
    fn an_object_leaves_when_its_count_is_used_up_not_earlier() {
        let mut exports = Exports::new();
        let thing: ObjectRef = Arc::new(Thing(0));
        let id_pack = add(&mut exports, &thing);
        assert_eq!(add(&mut exports, &thing), id_pack);
        assert_eq!(exports.len(), 1);
        assert!(matches!(exports.release(&id_pack, 1), Ok(None)));
        assert!(exports.resolve(&id_pack, &[]).is_some());
        assert!(matches!(exports.release(&id_pack, 1), Ok(Some(_))));
        assert!(exports.resolve(&id_pack, &[]).is_none());
        assert_eq!(exports.len(), 0);
    }

    #[test]
    fn a_class_keeps_its_id_when_it_comes_back() {
        let mut exports = Exports::new();
        let class: ObjectRef = Arc::new(Class(0));
        let thing: ObjectRef = Arc::new(Thing(0));
        let class_pack = add(&mut exports, &class);
        assert!(class_pack.is_class());
        let thing_pack = add(&mut exports, &thing);
        assert_eq!(thing_pack.class, class_pack.class);
        assert!(matches!(exports.release(&class_pack, 1), Ok(Some(_))));
        assert_eq!(add(&mut exports, &class), class_pack);
    }

    #[test]
    fn ids_are_not_used_again() {
        let mut exports = Exports::new();
        let thing: ObjectRef = Arc::new(Thing(0));
        let first = add(&mut exports, &thing);
        assert!(exports.release(&first, 1).is_ok());
        let second = add(&mut exports, &thing);
        assert_ne!(first.instance, second.instance);
        assert!(exports.resolve(&first, &[]).is_none());
    }

    #[test]
    fn a_class_has_one_id_on_every_connection_and_resolves_where_it_went_out() {
        let (mut one, mut other) = (Exports::new(), Exports::new());
        let class: ObjectRef = Arc::new(Class(0));
        let things: [ObjectRef; 2] = [Arc::new(Thing(0)), Arc::new(Thing(1))];
        let thing_pack = add(&mut one, &things[0]);
        let class_pack = add(&mut other, &class);
        assert_eq!(thing_pack.class, class_pack.class);
        assert!(one.resolve(&class_pack, &[]).is_none());
        assert!(other.resolve(&class_pack, &[]).is_some());
    }

    #[test]
    fn an_id_pack_of_another_connection_names_no_object_of_another_class() {
        let (mut one, mut other) = (Exports::new(), Exports::new());
        let (thing, class): (ObjectRef, ObjectRef) = (Arc::new(Thing(0)), Arc::new(Thing(1)));
        let mut parts = class.id_parts();
        parts.class = Identity::of_class("tests.Other");
        let theirs = other.add(&class, parts, 100).expect("below the limit");
        let ours = add(&mut one, &thing);
        // Both are the first of their connection.
        assert_eq!(ours.instance, theirs.instance);
        assert!(one.resolve_exactly(&ours).is_some());
        assert!(one.resolve_exactly(&theirs).is_none());
    }

    #[test]
    fn a_number_and_the_roots_name_are_names_without_a_class() {
        let mut exports = Exports::new();
        let (root, thing): (ObjectRef, ObjectRef) = (Arc::new(Thing(0)), Arc::new(Thing(1)));
        exports.pin(&root, root.id_parts());
        let instance = add(&mut exports, &thing).instance;
        for id_pack in [
            IdPack::new("", ClassId(0), instance),
            IdPack::new("tests.Thing", ClassId(0), InstanceId(0)),
        ] {
            assert!(exports.resolve_exactly(&id_pack).is_some(), "{id_pack}");
        }
    }

    #[test]
    fn nothing_goes_out_once_the_connection_is_over() {
        let mut exports = Exports::new();
        let thing: ObjectRef = Arc::new(Thing(0));
        assert!(exports.add(&thing, thing.id_parts(), 100).is_some());
        assert_eq!(exports.clear().len(), 1);
        assert!(exports.add(&thing, thing.id_parts(), 100).is_none());
        assert_eq!(exports.len(), 0);
    }

    #[test]
    fn the_limit_counts_objects_not_references() {
        let mut exports = Exports::new();
        let things: Vec<ObjectRef> = vec![Arc::new(Thing(0)), Arc::new(Thing(1))];
        assert!(exports.add(&things[0], things[0].id_parts(), 1).is_some());
        assert!(exports.add(&things[0], things[0].id_parts(), 1).is_some());
        assert!(exports.add(&things[1], things[1].id_parts(), 1).is_none());
    }

    #[test]
    fn an_object_is_known_by_the_bytes_that_last_named_it_as_long_as_it_is_out() {
        let mut exports = Exports::new();
        let object: ObjectRef = Arc::new(Thing(0));
        let id_pack = add(&mut exports, &object);
        assert!(exports.recall(b"").is_none());
        assert!(exports.resolve(&id_pack, b"as it came").is_some());
        let known = exports.recall(b"as it came, and more");
        assert!(known.is_some_and(|(length, known)| length == 10 && Arc::ptr_eq(&known, &object)));
        assert!(exports.recall(b"as it").is_none());
        assert!(exports.release(&id_pack, 1).is_ok());
        assert!(exports.recall(b"as it came, and more").is_none());
        // What is too long to be kept is looked up.
        let id_pack = add(&mut exports, &object);
        assert!(exports.resolve(&id_pack, &[7; MAX_LAST + 1]).is_some());
        assert!(exports.recall(&[7; MAX_LAST + 1]).is_none());
    }
}
