//! [`List`]: a list of this side, given by reference.

use std::sync::{Arc, OnceLock};

use super::depth::deeper;
use super::equality::{all_same, same};
use super::iter::Iter;
use super::position::Position;
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::{
    Any, Args, Class, Context, Expose, Exposed, FromAny, IntoAny, ObjectResult, Signature, convert,
};
use crate::sync::Mutex;
use crate::wire::Value;

/// A list that both sides see: Python's `list`, given by reference.
///
/// It is a shared handle: clones are the same list. Return a `Vec` instead where a copy will do;
/// it crosses in one piece.
#[derive(Clone, Debug)]
pub struct List(Exposed<Items>);

/// What a [`List`] holds.
#[derive(Debug)]
pub struct Items(pub(super) Mutex<Vec<Any>>);

impl List {
    /// A list without items.
    pub fn new() -> List {
        List(Exposed::new(Items(Mutex::default())))
    }

    /// A list of these.
    ///
    /// # Errors
    /// What the conversion of an item raised.
    pub fn of<T: IntoAny>(items: impl IntoIterator<Item = T>) -> ObjectResult<List> {
        let items: ObjectResult<Vec<Any>> = items.into_iter().map(IntoAny::into_any).collect();
        Ok(List(Exposed::new(Items(Mutex::new(items?)))))
    }

    /// How many items there are now.
    pub fn len(&self) -> usize {
        self.0.0.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item at the end.
    ///
    /// # Errors
    /// What its conversion raised.
    pub fn push(&self, item: impl IntoAny) -> ObjectResult<()> {
        let item = item.into_any()?;
        self.0.0.lock().push(item);
        Ok(())
    }

    /// The items as they are now.
    pub fn items(&self) -> Vec<Any> {
        self.0.0.lock().clone()
    }
}

impl Default for List {
    fn default() -> List {
        List::new()
    }
}

impl From<Exposed<Items>> for List {
    fn from(exposed: Exposed<Items>) -> List {
        List(exposed)
    }
}

impl IntoAny for List {
    fn into_any(self) -> ObjectResult {
        self.0.into_any()
    }
}

impl From<List> for Any {
    fn from(list: List) -> Any {
        Any::object(list.0)
    }
}

impl Expose for Items {
    fn class() -> Arc<Class<Items>> {
        static CLASS: OnceLock<Arc<Class<Items>>> = OnceLock::new();
        CLASS.get_or_init(|| Arc::new(class())).clone()
    }
}

pub(super) type This = Exposed<Items>;

/// A method with these parameters, all required.
pub(super) fn method<F>(name: &str, params: &[&str], call: F) -> Method<Items>
where
    F: Fn(&This, &Context<'_>, &[Any]) -> ObjectResult + Send + Sync + 'static,
{
    let signature = Signature::method(&format!("list.{name}"));
    let signature = params.iter().fold(signature, |all, one| all.required(one));
    Method::new(name, move |this, cx, args: Args| {
        let mut bound = signature.bind(args)?;
        let count = signature.most().unwrap_or_default();
        let args: Result<Vec<Any>, Exception> = (0..count).map(|i| bound.required(i)).collect();
        call(this, cx, &args?)
    })
}

fn class() -> Class<Items> {
    super::list_order::with_order(Class::builder("builtins", "list"))
        .method(method("__len__", &[], |this, _, _| {
            Ok(Any::from(this.0.lock().len()))
        }))
        .method(method("__getitem__", &["index"], get_item))
        .method(method("__setitem__", &["index", "value"], set_item))
        .method(method("__delitem__", &["index"], del_item))
        .method(method("__contains__", &["value"], |this, cx, args| {
            Ok(Any::from(find(this, cx, first(args))?.is_some()))
        }))
        .method(method("__iter__", &[], |this, _, _| Ok(iterate(this))))
        .method(method("__reversed__", &[], |this, _, _| {
            let mut items = this.0.lock().clone();
            items.reverse();
            Iter::named("builtins.list_reverseiterator", items).into_any()
        }))
        .method(method("__repr__", &[], |this, cx, _| repr(this, cx)))
        .method(method("__eq__", &["other"], |this, cx, args| {
            equals(this, cx, first(args))
        }))
        .method(method("__add__", &["other"], |this, _, args| {
            let mut items = this.0.lock().clone();
            items.extend(convert::items(first(args).clone())?);
            List::of(items)?.into_any()
        }))
        .method(method("__iadd__", &["other"], |this, _, args| {
            extend(this, args)?;
            this.clone().into_any()
        }))
        .public_method(method("append", &["object"], |this, _, args| {
            this.0.lock().push(first(args).clone());
            Ok(Any::NONE)
        }))
        .public_method(method("extend", &["iterable"], |this, _, args| {
            extend(this, args)
        }))
        .public_method(method("insert", &["index", "object"], insert))
        .public_method(Method::new("pop", pop))
        .public_method(method("remove", &["value"], |this, cx, args| {
            let index = find(this, cx, first(args))?
                .ok_or_else(|| Exception::value_error("list.remove(x): x not in list"))?;
            remove_at(this, index)?;
            Ok(Any::NONE)
        }))
        .public_method(Method::new("index", index))
        .public_method(method("count", &["value"], |this, cx, args| {
            let items = this.0.lock().clone();
            let mut count = 0_usize;
            for item in &items {
                count += usize::from(same(cx, item, first(args))?);
            }
            Ok(Any::from(count))
        }))
        .public_method(method("clear", &[], |this, _, _| {
            let old = std::mem::take(&mut *this.0.lock());
            drop(old);
            Ok(Any::NONE)
        }))
        .public_method(method("copy", &[], |this, _, _| {
            let items = this.0.lock().clone();
            List::of(items)?.into_any()
        }))
        .public_method(method("reverse", &[], |this, _, _| {
            this.0.lock().reverse();
            Ok(Any::NONE)
        }))
        .build()
}

/// The first argument, which is there: binding saw to it.
pub(super) fn first(args: &[Any]) -> &Any {
    args.first().unwrap_or(&Any::NONE)
}

fn get_item(this: &This, _: &Context<'_>, args: &[Any]) -> ObjectResult {
    let items = this.0.lock();
    match Position::of(first(args), items.len())? {
        Position::Index(index) => Ok(items.get(index).cloned().unwrap_or(Any::NONE)),
        Position::Slice(indices) => {
            let chosen: Vec<Any> = indices
                .iter()
                .filter_map(|i| items.get(*i).cloned())
                .collect();
            drop(items);
            List::of(chosen)?.into_any()
        }
    }
}

fn set_item(this: &This, _: &Context<'_>, args: &[Any]) -> ObjectResult {
    let [at, value] = args else {
        return Ok(Any::NONE);
    };
    // Fetching may call the peer: not under the lock.
    let several = match at {
        Any::Value(Value::Slice(_)) => Some(convert::items(value.clone())?),
        _ => None,
    };
    let mut items = this.0.lock();
    let old: Vec<Any> = match (Position::of(at, items.len())?, several) {
        (Position::Index(index), _) => match items.get_mut(index) {
            Some(slot) => vec![std::mem::replace(slot, value.clone())],
            None => Vec::new(),
        },
        (Position::Slice(indices), Some(values)) => replace(&mut items, at, &indices, values)?,
        (Position::Slice(_), None) => Vec::new(),
    };
    drop(items);
    // What was replaced may have a destructor that comes back here.
    drop(old);
    Ok(Any::NONE)
}

/// Puts values in the place of a slice; gives what stood there.
fn replace(
    items: &mut Vec<Any>,
    at: &Any,
    indices: &[usize],
    values: Vec<Any>,
) -> ObjectResult<Vec<Any>> {
    let plain = match at {
        Any::Value(Value::Slice(parts)) => parts[2].is_none() || parts[2].as_i64() == Some(1),
        _ => false,
    };
    if plain {
        let len = items.len();
        let start = match (indices.first(), at) {
            (Some(first), _) => *first,
            // An empty slice still has a place.
            (None, Any::Value(Value::Slice(parts))) => match parts[0].as_i64() {
                None => 0,
                Some(index) if index < 0 => {
                    len.saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(len))
                }
                Some(index) => usize::try_from(index).unwrap_or(len).min(len),
            },
            (None, _) => 0,
        };
        return Ok(items.splice(start..start + indices.len(), values).collect());
    }
    if indices.len() != values.len() {
        return Err(Exception::value_error(format!(
            "attempt to assign sequence of size {} to extended slice of size {}",
            values.len(),
            indices.len()
        )));
    }
    let mut old = Vec::new();
    for (index, value) in indices.iter().zip(values) {
        if let Some(slot) = items.get_mut(*index) {
            old.push(std::mem::replace(slot, value));
        }
    }
    Ok(old)
}

fn del_item(this: &This, _: &Context<'_>, args: &[Any]) -> ObjectResult {
    let mut items = this.0.lock();
    let mut indices = match Position::of(first(args), items.len())? {
        Position::Index(index) => vec![index],
        Position::Slice(indices) => indices,
    };
    // From the end, so that the others keep their places.
    indices.sort_unstable();
    let old: Vec<Any> = indices
        .iter()
        .rev()
        .map(|index| items.remove(*index))
        .collect();
    drop(items);
    drop(old);
    Ok(Any::NONE)
}

fn insert(this: &This, _: &Context<'_>, args: &[Any]) -> ObjectResult {
    let [at, value] = args else {
        return Ok(Any::NONE);
    };
    let at = i64::from_any(at.clone())?;
    let mut items = this.0.lock();
    let len = items.len();
    let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    let index = if at < 0 {
        len.saturating_sub(distance)
    } else {
        distance.min(len)
    };
    items.insert(index, value.clone());
    Ok(Any::NONE)
}

fn pop(this: &This, _: &Context<'_>, args: Args) -> ObjectResult {
    let signature = Signature::method("list.pop").optional("index");
    let at: i64 = signature.bind(args)?.optional(0, || -1)?;
    let index = {
        let items = this.0.lock();
        if items.is_empty() {
            return Err(Exception::builtin("IndexError").with_arg("pop from empty list"));
        }
        match Position::of(&Any::from(at), items.len()) {
            Ok(Position::Index(index)) => index,
            _ => return Err(Exception::builtin("IndexError").with_arg("pop index out of range")),
        }
    };
    remove_at(this, index)
}

/// `list.index(value, start, stop)`
fn index(this: &This, cx: &Context<'_>, args: Args) -> ObjectResult {
    let signature = Signature::method("list.index");
    let signature = signature
        .required("value")
        .optional("start")
        .optional("stop");
    let mut bound = signature.bind(args)?;
    let wanted: Any = bound.required(0)?;
    let (start, stop) = (bound.optional(1, || 0)?, bound.optional(2, || i64::MAX)?);
    let items = this.0.lock().clone();
    let place = |at: i64| {
        let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
        if at < 0 {
            items.len().saturating_sub(distance)
        } else {
            distance.min(items.len())
        }
    };
    for index in place(start)..place(stop) {
        let item = items.get(index).unwrap_or(&Any::NONE);
        if same(cx, item, &wanted)? {
            return Ok(Any::from(index));
        }
    }
    Err(Exception::value_error(format!(
        "{} is not in list",
        repr_of(cx, &wanted)?
    )))
}

fn remove_at(this: &This, index: usize) -> ObjectResult {
    let mut items = this.0.lock();
    if index < items.len() {
        return Ok(items.remove(index));
    }
    Err(Exception::builtin("IndexError").with_arg("list changed size during the operation"))
}

fn extend(this: &This, args: &[Any]) -> ObjectResult {
    let more = convert::items(first(args).clone())?;
    this.0.lock().extend(more);
    Ok(Any::NONE)
}

/// An iterator over the list as it changes, as Python's is.
fn iterate(this: &This) -> Any {
    let this = this.clone();
    let mut index = 0;
    let items = std::iter::from_fn(move || {
        let item = this.0.lock().get(index).cloned();
        index += 1;
        item
    });
    Any::object(Iter::named("builtins.list_iterator", items))
}

fn find(this: &This, cx: &Context<'_>, wanted: &Any) -> ObjectResult<Option<usize>> {
    // Comparing may call the peer: not under the lock.
    let items = this.0.lock().clone();
    for (index, item) in items.iter().enumerate() {
        if same(cx, item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn equals(this: &This, cx: &Context<'_>, other: &Any) -> ObjectResult {
    // A list of the peer's is fetched: to stock rpyc no list equals one of the other side.
    if &*other.type_name() != "builtins.list" {
        return Ok(Any::Value(Value::NotImplemented));
    }
    let mine = this.0.lock().clone();
    let others = convert::items(other.clone())?;
    Ok(Any::from(all_same(cx, &mine, &others)?))
}

fn repr(this: &This, cx: &Context<'_>) -> ObjectResult {
    let items = this.0.lock().clone();
    let texts: ObjectResult<Vec<String>> = items.iter().map(|item| repr_of(cx, item)).collect();
    Ok(Any::from(format!("[{}]", texts?.join(", "))))
}

/// `repr(item)`
pub(super) fn repr_of(cx: &Context<'_>, item: &Any) -> ObjectResult<String> {
    match item {
        Any::Value(value) => Ok(value.to_string()),
        Any::Local(object) => deeper(|| Ok(object.repr(cx)?.to_string())),
        Any::Netref(netref) => Ok(netref.repr()?.to_string()),
        Any::Tuple(items) => {
            let texts: ObjectResult<Vec<String>> =
                items.iter().map(|item| repr_of(cx, item)).collect();
            let comma = if items.len() == 1 { "," } else { "" };
            Ok(format!("({}{comma})", texts?.join(", ")))
        }
    }
}
