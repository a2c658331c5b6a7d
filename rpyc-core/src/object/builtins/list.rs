//! [`List`]: a list of this side, given by reference.

use super::equality::{all_same, same};
use super::iter::Iter;
use super::position::{Position, clamped, index_of};
use super::{collection, repr_of, reprs_of};
use crate::exception::Exception;
use crate::object::{
    Any, Class, ClassBuilder, Context, Exposed, FromAny, IntoAny, ObjectResult, convert,
};
use crate::sync::Mutex;
use crate::wire::Value;

/// A list that both sides see: Python's `list`, given by reference.
///
/// It is a shared handle: clones are the same list. Return a `Vec` instead where a copy will do;
/// it crosses in one piece.
#[derive(Clone, Debug)]
pub struct List(This);

type This = Exposed<Mutex<Vec<Any>>>;

collection!(List, "list", Vec<Any>);

impl List {
    /// A list of these.
    ///
    /// # Errors
    /// What the conversion of an item raised.
    pub fn of<T: IntoAny>(items: impl IntoIterator<Item = T>) -> ObjectResult<List> {
        let items: ObjectResult<Vec<Any>> = items.into_iter().map(IntoAny::into_any).collect();
        Ok(List::holding(items?))
    }

    /// Adds an item at the end.
    ///
    /// # Errors
    /// What its conversion raised.
    pub fn push(&self, item: impl IntoAny) -> ObjectResult<()> {
        let item = item.into_any()?;
        self.0.lock().push(item);
        Ok(())
    }

    /// The items as they are now.
    pub fn items(&self) -> Vec<Any> {
        items(&self.0)
    }
}

fn class() -> Class<Mutex<Vec<Any>>> {
    List::builder()
        .with("__getitem__", ["index"], get_item)
        .with("__setitem__", ["index", "value"], set_item)
        .with("__delitem__", ["index"], del_item)
        .with("__contains__", ["value"], |this, cx, [value]| {
            Ok(find(&items(this), cx, &value)?.is_some())
        })
        .with("__iter__", [], |this, _, []| Ok(iterate(this)))
        .with("__reversed__", [], |this, _, []| {
            let reversed = items(this).into_iter().rev();
            Ok(Iter::new(reversed))
        })
        .with("__repr__", [], |this, cx, []| {
            Ok(format!("[{}]", reprs_of(cx, &items(this))?))
        })
        .with("__eq__", ["other"], equals)
        .with("__add__", ["other"], |this, _, [other]| {
            let both = [items(this), convert::items(other)?].concat();
            Ok(List::holding(both))
        })
        .with("__iadd__", ["other"], |this, _, [other]| {
            extend(this, other)?;
            Ok(this.clone())
        })
        .with("append", ["object"], |this, _, [object]| {
            this.lock().push(object);
            Ok(())
        })
        .with("extend", ["iterable"], |this, _, [iterable]| {
            extend(this, iterable)
        })
        .with("insert", ["index", "object"], |this, _, [at, object]| {
            let at = i64::from_any(at)?;
            let mut items = this.lock();
            let at = clamped(at, items.len());
            items.insert(at, object);
            Ok(())
        })
        .with_optional("pop", [], ["index"], pop)
        .with("remove", ["value"], |this, cx, [value]| {
            let index = find(&items(this), cx, &value)?
                .ok_or_else(|| Exception::value_error("list.remove(x): x not in list"))?;
            remove_at(this, index).map(drop)
        })
        .with_optional("index", ["value"], ["start", "stop"], index)
        .with("count", ["value"], |this, cx, [value]| {
            let mut count = 0_usize;
            for item in &items(this) {
                count += usize::from(same(cx, item, &value)?);
            }
            Ok(count)
        })
        .with("reverse", [], |this, _, []| {
            this.lock().reverse();
            Ok(())
        })
        .build()
}

/// The items as they are now. What may call the peer, as comparing may, has these: the list isn't
/// locked meanwhile.
fn items(this: &This) -> Vec<Any> {
    this.lock().clone()
}

fn get_item(this: &This, _: &Context<'_>, [at]: [Any; 1]) -> ObjectResult {
    let items = this.lock();
    let indices = Position::of(&at, items.len())?.indices.into_iter();
    let mut chosen = indices.filter_map(|index| items.get(index).cloned());
    Ok(match at {
        Any::Value(Value::Slice(_)) => Any::from(List::holding(chosen.collect())),
        _ => chosen.next().unwrap_or(Any::NONE),
    })
}

fn set_item(this: &This, _: &Context<'_>, [at, value]: [Any; 2]) -> ObjectResult<()> {
    // Fetching may call the peer: not under the lock.
    let values = match at {
        Any::Value(Value::Slice(_)) => convert::items(value)?,
        _ => vec![value],
    };
    let mut items = this.lock();
    let position = Position::of(&at, items.len())?;
    let Position { start, indices, .. } = position;
    let old: Vec<Any> = if position.step == 1 {
        items.splice(start..start + indices.len(), values).collect()
    } else if indices.len() == values.len() {
        let put = |(index, value): (usize, Any)| std::mem::replace(&mut items[index], value);
        indices.into_iter().zip(values).map(put).collect()
    } else {
        return Err(Exception::value_error(format!(
            "attempt to assign sequence of size {} to extended slice of size {}",
            values.len(),
            indices.len()
        )));
    };
    drop(items);
    // What was replaced may have a destructor that comes back here.
    drop(old);
    Ok(())
}

fn del_item(this: &This, _: &Context<'_>, [at]: [Any; 1]) -> ObjectResult<()> {
    let mut items = this.lock();
    let mut indices = Position::of(&at, items.len())?.indices;
    // From the end, so that the others keep their places.
    indices.sort_unstable();
    let last_first = indices.into_iter().rev();
    let old: Vec<Any> = last_first.map(|index| items.remove(index)).collect();
    drop(items);
    drop(old);
    Ok(())
}

fn pop(this: &This, _: &Context<'_>, []: [Any; 0], [at]: [Option<Any>; 1]) -> ObjectResult {
    let at = at.map_or(Ok(-1), i64::from_any)?;
    let len = this.lock().len();
    let error = if len == 0 {
        "pop from empty list"
    } else {
        "pop index out of range"
    };
    match index_of(at, len) {
        Some(index) => remove_at(this, index),
        None => Err(index_error(error)),
    }
}

/// `list.index(value, start, stop)`
fn index(
    this: &This,
    cx: &Context<'_>,
    [wanted]: [Any; 1],
    bounds: [Option<Any>; 2],
) -> ObjectResult<usize> {
    let [start, stop] = bounds.map(|bound| bound.map(i64::from_any).transpose());
    let items = items(this);
    let start = clamped(start?.unwrap_or(0), items.len());
    let stop = clamped(stop?.unwrap_or(i64::MAX), items.len());
    match find(items.get(start..stop).unwrap_or_default(), cx, &wanted)? {
        Some(index) => Ok(start + index),
        None => Err(Exception::value_error(format!(
            "{} is not in list",
            repr_of(cx, &wanted)?
        ))),
    }
}

fn remove_at(this: &This, index: usize) -> ObjectResult {
    let mut items = this.lock();
    if index < items.len() {
        return Ok(items.remove(index));
    }
    Err(index_error("list changed size during the operation"))
}

fn index_error(text: &str) -> Exception {
    Exception::builtin("IndexError").with_arg(text)
}

fn extend(this: &This, iterable: Any) -> ObjectResult<()> {
    let more = convert::items(iterable)?;
    this.lock().extend(more);
    Ok(())
}

/// An iterator over the list as it changes, as Python's is.
fn iterate(this: &This) -> Iter {
    let this = this.clone();
    let mut index = 0;
    let items = std::iter::from_fn(move || {
        let item = this.lock().get(index).cloned();
        index += 1;
        item
    });
    Iter::new(items)
}

fn find(items: &[Any], cx: &Context<'_>, wanted: &Any) -> ObjectResult<Option<usize>> {
    for (index, item) in items.iter().enumerate() {
        if same(cx, item, wanted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn equals(this: &This, cx: &Context<'_>, [other]: [Any; 1]) -> ObjectResult {
    // A list of the peer's is fetched: to stock rpyc no list equals one of the other side.
    if &*other.type_name() != "builtins.list" {
        return Ok(Any::Value(Value::NotImplemented));
    }
    let mine = items(this);
    Ok(Any::from(all_same(cx, &mine, &convert::items(other)?)?))
}
