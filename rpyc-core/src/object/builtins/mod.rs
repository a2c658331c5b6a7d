//! Collections of this side under the names of Python's own: [`List`], [`Dict`], [`Set`],
//! [`Iter`].
//!
//! A Python peer keeps ready-made proxies for these names, so that indexing, iterating, `len` and
//! `in` work without a question. As in Python, methods like `append` are public, not exposed: a
//! peer can call them only where `allow_public_attrs` lets it.

mod depth;
mod dict;
mod equality;
mod iter;
mod key;
mod list;
mod list_order;
mod order;
mod position;
mod set;

pub use self::dict::Dict;
pub use self::iter::Iter;
pub use self::list::List;
pub use self::set::Set;
use super::{Exposed, ObjectRef};

/// The list that an object is, if it is one of ours.
pub(super) fn list_of(object: &ObjectRef) -> Option<List> {
    let object: &dyn std::any::Any = &**object;
    let exposed = object.downcast_ref::<Exposed<list::Items>>()?;
    Some(List::from(exposed.clone()))
}

/// The set that an object is, if it is one of ours.
pub(super) fn set_of(object: &ObjectRef) -> Option<Set> {
    let object: &dyn std::any::Any = &**object;
    let exposed = object.downcast_ref::<Exposed<set::Elements>>()?;
    Some(Set::from(exposed.clone()))
}

/// The dict that an object is, if it is one of ours.
pub(super) fn dict_of(object: &ObjectRef) -> Option<Dict> {
    let object: &dyn std::any::Any = &**object;
    let exposed = object.downcast_ref::<Exposed<dict::Entries>>()?;
    Some(Dict::from(exposed.clone()))
}
