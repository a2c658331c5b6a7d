//! What a list has to do with order: sorting, comparing, repeating.

use super::list::{Items, List, This, first, method};
use super::order::{first_difference, less, sort};
use crate::exception::Exception;
use crate::object::class::Method;
use crate::object::{Any, Args, ClassBuilder, Context, FromAny, ObjectResult, convert};
use crate::wire::Value;

/// Adds the methods to the class of lists.
pub(super) fn with_order(class: ClassBuilder<Items>) -> ClassBuilder<Items> {
    class
        .public_method(Method::new("sort", sort_list))
        .method(comparison("__lt__"))
        .method(comparison("__le__"))
        .method(comparison("__gt__"))
        .method(comparison("__ge__"))
        .method(method("__mul__", &["value"], |this, _, args| {
            List::of(repeated(this, first(args))?).map(Any::from)
        }))
        .method(method("__rmul__", &["value"], |this, _, args| {
            List::of(repeated(this, first(args))?).map(Any::from)
        }))
        .method(method("__imul__", &["value"], |this, _, args| {
            let repeated = repeated(this, first(args))?;
            let old = std::mem::replace(&mut *this.0.lock(), repeated);
            drop(old);
            Ok(Any::object(this.clone()))
        }))
}

/// `list.sort(*, key=None, reverse=False)`. The list is empty meanwhile, as in Python: keys and
/// comparisons may be the peer's.
fn sort_list(this: &This, cx: &Context<'_>, args: Args) -> ObjectResult {
    if !args.positional.is_empty() {
        return Err(Exception::type_error(
            "sort() takes no positional arguments",
        ));
    }
    let (mut key, mut reverse) = (Any::NONE, false);
    for (name, value) in args.keyword {
        match &*name {
            "key" => key = value,
            "reverse" => reverse = is_true(value)?,
            other => {
                return Err(Exception::type_error(format!(
                    "sort() got an unexpected keyword argument '{other}'"
                )));
            }
        }
    }
    let before = std::mem::take(&mut *this.0.lock());
    let sorted = sorted(cx, before.clone(), &key, reverse);
    let mut items = this.0.lock();
    let changed = !items.is_empty();
    // What fails leaves the list as it was.
    let (now, outcome) = match sorted {
        Ok(sorted) => (sorted, Ok(Any::NONE)),
        Err(exception) => (before, Err(exception)),
    };
    let meanwhile = std::mem::replace(&mut *items, now);
    drop(items);
    drop(meanwhile);
    if changed && outcome.is_ok() {
        return Err(Exception::value_error("list modified during sort"));
    }
    outcome
}

fn sorted(cx: &Context<'_>, items: Vec<Any>, key: &Any, reverse: bool) -> ObjectResult<Vec<Any>> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let key = match key {
            Any::Value(Value::None) => item.clone(),
            key => key.call_in(cx, Args::from([item.clone()]))?,
        };
        keyed.push((key, item));
    }
    // Turned round before and after, so that equal ones keep their order.
    if reverse {
        keyed.reverse();
    }
    let mut sorted: Vec<Any> = sort(cx, keyed)?.into_iter().map(|(_, item)| item).collect();
    if reverse {
        sorted.reverse();
    }
    Ok(sorted)
}

fn is_true(value: Any) -> ObjectResult<bool> {
    match value {
        Any::Value(Value::None) => Ok(false),
        value => Ok(i64::from_any(value)? != 0),
    }
}

fn comparison(op: &'static str) -> Method<Items> {
    method(op, &["other"], move |this, cx, args| {
        let other = first(args);
        if &*other.type_name() != "builtins.list" {
            return Ok(Any::Value(Value::NotImplemented));
        }
        let mine = this.0.lock().clone();
        let others = convert::items(other.clone())?;
        let descending = matches!(op, "__gt__" | "__ge__");
        let holds = match first_difference(cx, &mine, &others)? {
            Some((one, other)) if descending => less(cx, other, one)?,
            Some((one, other)) => less(cx, one, other)?,
            None => match op {
                "__lt__" => mine.len() < others.len(),
                "__le__" => mine.len() <= others.len(),
                "__gt__" => mine.len() > others.len(),
                _ => mine.len() >= others.len(),
            },
        };
        Ok(Any::from(holds))
    })
}

fn repeated(this: &This, times: &Any) -> ObjectResult<Vec<Any>> {
    let times = i64::from_any(times.clone())?;
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    let items = this.0.lock().clone();
    if items.len().saturating_mul(times) > MAX_REPEATED {
        return Err(Exception::memory_error(format!(
            "a list of more than {MAX_REPEATED} items is not made by repeating"
        )));
    }
    if items.is_empty() {
        // Nothing, however often: a peer's 2**62 times would take years.
        return Ok(items);
    }
    let mut all = Vec::with_capacity(items.len() * times);
    for _ in 0..times {
        all.extend(items.iter().cloned());
    }
    Ok(all)
}

/// Stops a peer that asks for a list times a billion.
const MAX_REPEATED: usize = 1_000_000;
