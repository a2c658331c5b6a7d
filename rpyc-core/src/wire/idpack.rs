//! The name by which one side knows an object of the other.

use std::fmt;

use super::{dialect, error::ShapeError, string::Str, value::Value};

/// What stands for an object on the wire: the name of its class, and two numbers that its owner gave.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdPack {
    /// `module.Class`, or a module's name. It decides which methods a Python peer's proxy has.
    pub name: Str,
    /// The object's class.
    pub class: ClassId,
    /// The object; 0 if it is the class itself.
    pub instance: InstanceId,
    /// What rpyc-ng says beside it.
    pub kind: Kind,
}

/// What kind of object an id_pack stands for, where that is told: rpyc-ng does, and wants it back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(clippy::exhaustive_enums)] // the protocol has these
pub enum Kind {
    /// It isn't told.
    #[default]
    Untold,
    /// A module.
    Module,
    /// A class.
    Class,
    /// Anything else.
    Instance,
}

impl Kind {
    /// The kind that this value names; `Kind::Untold` for any other value.
    pub(super) fn from_value(value: &Value) -> Self {
        match value.as_i64() {
            Some(1) => Self::Module,
            Some(2) => Self::Class,
            Some(3) => Self::Instance,
            _ => Self::Untold,
        }
    }

    /// Its number, if it is told.
    pub(super) fn number(self) -> Option<u8> {
        match self {
            Self::Untold => None,
            Self::Module => Some(1),
            Self::Class => Some(2),
            Self::Instance => Some(3),
        }
    }
}

impl IdPack {
    /// The id_pack of these three.
    pub fn new(name: impl Into<Str>, class: ClassId, instance: InstanceId) -> Self {
        Self {
            name: name.into(),
            class,
            instance,
            kind: Kind::Untold,
        }
    }

    /// Whether it stands for a class.
    pub fn is_class(&self) -> bool {
        self.instance.0 == 0
    }

    /// The id_pack that this value is: a tuple of a str (bytes from Python 2), two ints and, from rpyc-ng, the kind. A
    /// fifth item, which a side adds that doesn't know yet whom it talks to, is ignored.
    ///
    /// # Errors
    ///
    /// The value is something else.
    pub fn from_value(value: &Value) -> Result<Self, ShapeError> {
        let (name, class, instance, kind) = match value.as_tuple() {
            Some([name, class, instance]) => (name, class, instance, Kind::Untold),
            Some([name, class, instance, kind]) => (name, class, instance, Kind::from_value(kind)),
            // The peer doesn't know yet which version this side has. The kind isn't sent back to it.
            Some([name, class, instance, _, _]) => (name, class, instance, Kind::Untold),
            _ => return Err(ShapeError::new(EXPECTED, value.type_name())),
        };
        Ok(Self {
            name: dialect::name(name.clone(), NAME)?,
            class: ClassId::from_value(class)?,
            instance: InstanceId::from_value(instance)?,
            kind,
        })
    }

    /// As a value.
    pub fn to_value(&self) -> Value {
        let mut parts = vec![
            self.name.clone().into(),
            self.class.0.into(),
            self.instance.0.into(),
        ];
        parts.extend(self.kind.number().map(Value::from));
        Value::Tuple(parts)
    }
}

impl fmt::Display for IdPack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}.{})",
            self.name.escape_debug(),
            self.class,
            self.instance
        )
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $id(pub u64);

        impl $id {
            pub(super) fn from_value(value: &Value) -> Result<Self, ShapeError> {
                id(value).map(Self)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The number of a class.
    ClassId
}
id! {
    /// The number of an object; 0 stands for the class itself.
    InstanceId
}

/// The number that this value is.
pub(super) fn id(value: &Value) -> Result<u64, ShapeError> {
    value.as_u64().ok_or_else(|| {
        ShapeError::new(
            "an int of 64 bits, not negative, as an id",
            value.type_name(),
        )
    })
}

pub(super) const EXPECTED: &str = "an id_pack (str, int, int)";
pub(super) const NAME: &str = "a str as the name in an id_pack";
