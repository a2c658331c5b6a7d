//! What a request asks for.

use std::fmt;

use super::{error::ShapeError, int::Int, value::Value};

/// The number in a request that says what to do. A number that stands for nothing is kept, so that it can be named
/// in the answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Handler {
    /// 1: returns its argument (a ping).
    Ping,
    /// 2: the peer is closing.
    Close,
    /// 3: the root object of the service.
    GetRoot,
    /// 4: an attribute of an object.
    GetAttr,
    /// 5: deletes an attribute.
    DelAttr,
    /// 6: sets an attribute.
    SetAttr,
    /// 7: calls an object.
    Call,
    /// 8: calls an attribute of an object.
    CallAttr,
    /// 9: `repr()` of an object.
    Repr,
    /// 10: `str()` of an object.
    Str,
    /// 11: compares an object.
    Cmp,
    /// 12: `hash()` of an object.
    Hash,
    /// 13: `dir()` of an object.
    Dir,
    /// 14: a pickle of an object.
    Pickle,
    /// 15: gives references to an object back.
    Del,
    /// 16: the methods of an object.
    Inspect,
    /// 17: the next items of an iterator.
    BuffIter,
    /// 18: slices in the way of Python 2.
    OldSlicing,
    /// 19: leaves the context of an object.
    CtxExit,
    /// 20: `isinstance()` across the connection.
    InstanceCheck,
    /// 21: `bool()` of an object; of rpyc-ng.
    Bool,
    /// 22: `issubclass()` across the connection; of rpyc-ng.
    SubclassCheck,
    /// 23: the class of an object; of rpyc-ng.
    Type,
    /// Any other number.
    Other(i64),
}

impl Handler {
    /// The handler with this number on the wire.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|number| NAMED.get(number.checked_sub(1)?))
            .map_or(Self::Other(number), |(handler, _)| *handler)
    }

    /// Its number on the wire.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Ping => 1,
            Self::Close => 2,
            Self::GetRoot => 3,
            Self::GetAttr => 4,
            Self::DelAttr => 5,
            Self::SetAttr => 6,
            Self::Call => 7,
            Self::CallAttr => 8,
            Self::Repr => 9,
            Self::Str => 10,
            Self::Cmp => 11,
            Self::Hash => 12,
            Self::Dir => 13,
            Self::Pickle => 14,
            Self::Del => 15,
            Self::Inspect => 16,
            Self::BuffIter => 17,
            Self::OldSlicing => 18,
            Self::CtxExit => 19,
            Self::InstanceCheck => 20,
            Self::Bool => 21,
            Self::SubclassCheck => 22,
            Self::Type => 23,
            Self::Other(number) => number,
        }
    }

    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMED
            .iter()
            .find(|(handler, _)| *handler == self)
            .map_or("OTHER", |(_, name)| name)
    }

    /// The handler that this value names: an exact int, neither `True` nor `1.0`.
    ///
    /// # Errors
    ///
    /// The value is something else.
    pub fn from_value(value: &Value) -> Result<Self, ShapeError> {
        value
            .as_int()
            .map(|int| Int::to_i64(int).map_or(Self::Other(i64::MAX), Self::from_number))
            .ok_or_else(|| ShapeError::new("a handler's number", value.type_name()))
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(number) => write!(f, "handler {number}"),
            named => f.write_str(named.name()),
        }
    }
}

/// All that have a name, in the order of their numbers from 1 on.
const NAMED: [(Handler, &str); 23] = [
    (Handler::Ping, "PING"),
    (Handler::Close, "CLOSE"),
    (Handler::GetRoot, "GETROOT"),
    (Handler::GetAttr, "GETATTR"),
    (Handler::DelAttr, "DELATTR"),
    (Handler::SetAttr, "SETATTR"),
    (Handler::Call, "CALL"),
    (Handler::CallAttr, "CALLATTR"),
    (Handler::Repr, "REPR"),
    (Handler::Str, "STR"),
    (Handler::Cmp, "CMP"),
    (Handler::Hash, "HASH"),
    (Handler::Dir, "DIR"),
    (Handler::Pickle, "PICKLE"),
    (Handler::Del, "DEL"),
    (Handler::Inspect, "INSPECT"),
    (Handler::BuffIter, "BUFFITER"),
    (Handler::OldSlicing, "OLDSLICING"),
    (Handler::CtxExit, "CTXEXIT"),
    (Handler::InstanceCheck, "INSTANCECHECK"),
    (Handler::Bool, "BOOL"),
    (Handler::SubclassCheck, "SUBCLASSCHECK"),
    (Handler::Type, "TYPE"),
];
