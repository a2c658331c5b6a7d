//! Indices and slices, by Python's rules.

use std::iter::successors;

use crate::exception::Exception;
use crate::object::Any;
use crate::wire::Value;

/// The places that `x[...]` names.
pub(super) struct Position {
    // Where they begin, though there may be none.
    pub(super) start: usize,
    pub(super) step: i64,
    // In the order that they are named in.
    pub(super) indices: Vec<usize>,
}

impl Position {
    /// Where `at` points in a sequence of this length.
    pub(super) fn of(at: &Any, len: usize) -> Result<Position, Exception> {
        if let Any::Value(Value::Slice(parts)) = at {
            return slice(parts, len);
        }
        let Some(index) = at.as_value().and_then(number) else {
            return Err(Exception::type_error(format!(
                "list indices must be integers or slices, not {}",
                at.type_name()
            )));
        };
        let start = index_of(index, len)
            .ok_or_else(|| Exception::builtin("IndexError").with_arg("list index out of range"))?;
        Ok(Position {
            start,
            step: 1,
            indices: vec![start],
        })
    }
}

/// The item that an index means, which counts from the end where it is negative.
pub(super) fn index_of(at: i64, len: usize) -> Option<usize> {
    let from_end = i64::try_from(len).ok()?.checked_add(at)?;
    let index = if at < 0 { from_end } else { at };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// The place between items that an index means: an end of the sequence where it is beyond.
pub(super) fn clamped(at: i64, len: usize) -> usize {
    let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    if at < 0 {
        len.saturating_sub(distance)
    } else {
        distance.min(len)
    }
}

fn slice(parts: &[Value; 3], len: usize) -> Result<Position, Exception> {
    let [start, stop, step] = parts;
    let step = part(step)?.unwrap_or(1);
    if step == 0 {
        return Err(Exception::value_error("slice step cannot be zero"));
    }
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    // A slice that goes down may begin at the last item and end before the first.
    let (low, high) = if step < 0 { (-1, len - 1) } else { (0, len) };
    let clamp = |part: Option<i64>, default: i64| match part {
        None => default,
        Some(index) if index < 0 => index.saturating_add(len).clamp(low, high),
        Some(index) => index.clamp(low, high),
    };
    let (first, last) = if step < 0 { (high, low) } else { (low, high) };
    let (start, stop) = (clamp(part(start)?, first), clamp(part(stop)?, last));
    let within = |index: &i64| {
        if step < 0 {
            *index > stop
        } else {
            *index < stop
        }
    };
    let indices = successors(Some(start), |index| Some(index.saturating_add(step)));
    let indices = indices
        .take_while(within)
        .map(|index| usize::try_from(index).unwrap_or(0));
    Ok(Position {
        start: usize::try_from(start).unwrap_or(0),
        step,
        indices: indices.collect(),
    })
}

fn part(value: &Value) -> Result<Option<i64>, Exception> {
    match number(value) {
        None if !value.is_none() => Err(Exception::type_error(
            "slice indices must be integers or None or have an __index__ method",
        )),
        part => Ok(part),
    }
}

/// The number that an index is; where it is too large for any sequence, a large one.
fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Int(int) if int.is_negative() => Some(int.to_i64().unwrap_or(i64::MIN)),
        Value::Int(int) => Some(int.to_i64().unwrap_or(i64::MAX)),
        _ => None,
    }
}
