//! What a request asks for.

use std::fmt;

use super::{error::ShapeError, int::Int, value::Value};

macro_rules! handlers {
    ($($(#[$doc:meta])* $handler:ident = $number:literal $name:literal,)*) => {
        /// The number in a request that says what to do. A number that stands for nothing is kept, so that it can be
        /// named in the answer.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Handler {
            $($(#[$doc])* $handler,)*
            /// Any other number.
            Other(i64),
        }

        impl Handler {
            /// The handler with this number on the wire.
            pub fn from_number(number: i64) -> Self {
                match number {
                    $($number => Self::$handler,)*
                    other => Self::Other(other),
                }
            }

            /// Its number on the wire.
            pub fn number(self) -> i64 {
                match self {
                    $(Self::$handler => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// Its name in the protocol.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$handler => $name,)*
                    Self::Other(_) => "OTHER",
                }
            }
        }
    };
}

handlers! {
    /// 1: returns its argument (a ping).
    Ping = 1 "PING",
    /// 2: the peer is closing.
    Close = 2 "CLOSE",
    /// 3: the root object of the service.
    GetRoot = 3 "GETROOT",
    /// 4: an attribute of an object.
    GetAttr = 4 "GETATTR",
    /// 5: deletes an attribute.
    DelAttr = 5 "DELATTR",
    /// 6: sets an attribute.
    SetAttr = 6 "SETATTR",
    /// 7: calls an object.
    Call = 7 "CALL",
    /// 8: calls an attribute of an object.
    CallAttr = 8 "CALLATTR",
    /// 9: `repr()` of an object.
    Repr = 9 "REPR",
    /// 10: `str()` of an object.
    Str = 10 "STR",
    /// 11: compares an object.
    Cmp = 11 "CMP",
    /// 12: `hash()` of an object.
    Hash = 12 "HASH",
    /// 13: `dir()` of an object.
    Dir = 13 "DIR",
    /// 14: a pickle of an object.
    Pickle = 14 "PICKLE",
    /// 15: gives references to an object back.
    Del = 15 "DEL",
    /// 16: the methods of an object.
    Inspect = 16 "INSPECT",
    /// 17: the next items of an iterator.
    BuffIter = 17 "BUFFITER",
    /// 18: slices in the way of Python 2.
    OldSlicing = 18 "OLDSLICING",
    /// 19: leaves the context of an object.
    CtxExit = 19 "CTXEXIT",
    /// 20: `isinstance()` across the connection.
    InstanceCheck = 20 "INSTANCECHECK",
    /// 21: `bool()` of an object; of rpyc-ng.
    Bool = 21 "BOOL",
    /// 22: `issubclass()` across the connection; of rpyc-ng.
    SubclassCheck = 22 "SUBCLASSCHECK",
    /// 23: the class of an object; of rpyc-ng.
    Type = 23 "TYPE",
}

impl Handler {
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
