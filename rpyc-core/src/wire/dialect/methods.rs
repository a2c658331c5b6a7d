//! Which methods of an object a peer is told of, and by which names.

use super::super::string::Str;
use super::{Dialect, Kinds};

impl Dialect {
    /// Of an object's methods and their docstrings, those that INSPECT tells: what a proxy at the peer answers
    /// itself is left out, what it looks for by another name is added.
    pub(crate) fn inspected(self, methods: &[(Str, Option<Str>)]) -> Vec<(Str, Option<Str>)> {
        let numbers = self.references.are_numbers();
        let kinds = self.references.kinds() == Kinds::Told;
        let has = |name: &str| methods.iter().any(|(known, _)| **known == *name);
        let told = methods.iter().filter(|(name, _)| {
            let known_since_4 = CALLED_BY_NAME_BEFORE_4_1.contains(&&**name);
            let local_to_ng = kinds && LOCAL_TO_NG.contains(&&**name);
            !(LOCAL_TO_PROXIES.contains(&&**name) || local_to_ng || (known_since_4 && !numbers))
        });
        let mut told: Vec<_> = told.cloned().collect();
        let add = |told: &mut Vec<_>, name| told.push((Str::from_static(name), None));
        if numbers {
            // Every object can be compared and hashed; the policy and the object say what comes of it.
            for name in FOR_EVERY_OBJECT.iter().filter(|name| !has(name)) {
                add(&mut told, name);
            }
        }
        if self.is_python2() {
            for (name, _) in PYTHON_2.iter().filter(|(old, new)| !has(old) && has(new)) {
                add(&mut told, name);
            }
        }
        told
    }

    /// What a method is called here that the peer knows by this name, where that is another one.
    pub(crate) fn method_name(self, name: &str) -> Option<&'static str> {
        let renamed = PYTHON_2.iter().find(|(old, _)| *old == name);
        renamed.filter(|_| self.is_python2()).map(|(_, new)| *new)
    }

    /// Of an object's methods, as the peer's INSPECT told them, those that a proxy here has: with what the peer's own
    /// proxies have unasked.
    pub(crate) fn completed(self, mut told: Vec<(Str, Option<Str>)>) -> Vec<(Str, Option<Str>)> {
        if self.references.kinds() == Kinds::Told {
            told.push((Str::from_static(TRUTH), None));
        }
        if self.is_python2() {
            for (old, new) in PROTOCOLS {
                let has = |name: &str| told.iter().any(|(known, _)| **known == *name);
                if has(old) && !has(new) {
                    told.push((Str::from_static(new), None));
                }
            }
        }
        told
    }

    /// What the peer calls the method that has this name here, where that is another one.
    pub(super) fn name_there(self, name: &str) -> Option<&'static str> {
        let renamed = PROTOCOLS.iter().find(|(_, new)| *new == name);
        renamed.filter(|_| self.is_python2()).map(|(old, _)| *old)
    }
}

/// What rpyc-ng has a request for instead.
pub(super) const TRUTH: &str = "__bool__";

#[rustfmt::skip]
const LOCAL_TO_PROXIES: &[&str] = &[
    "____conn__", "____id_pack__", "____refcount__", "__array_interface__", "__array_struct__",
    "__class__", "__cmp__", "__del__", "__delattr__", "__dict__", "__dir__", "__doc__",
    "__getattr__", "__getattribute__", "__hash__", "__init__", "__metaclass__", "__methods__",
    "__module__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__slots__",
    "__str__", "__weakref__",
];

/// What proxies of rpyc-ng have themselves, beside those.
#[rustfmt::skip]
const LOCAL_TO_NG: &[&str] = &[
    "____bind_instance__", "____hash__", "____member__", "__base__", "__bases__", "__bool__", "__mro__",
    "__subclasscheck__", "__subclasses__", "mro",
];

/// What proxies before rpyc 4.1 have no methods of their own for; `__exit__` got one in 4.0, which ignores it here.
const CALLED_BY_NAME_BEFORE_4_1: [&str; 8] = [
    "__eq__",
    "__exit__",
    "__ge__",
    "__gt__",
    "__instancecheck__",
    "__le__",
    "__lt__",
    "__ne__",
];

/// What proxies of rpyc 3 and 4.0 have only if they are told of it; rpyc 3 ignores the last one.
const FOR_EVERY_OBJECT: [&str; 7] = [
    "__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__", "__hash__",
];

/// Those of them that every Python calls by itself, and none has by both names.
const PROTOCOLS: [(&str, &str); 2] = [("__nonzero__", "__bool__"), ("next", "__next__")];

/// Methods that Python 3 has renamed.
const PYTHON_2: [(&str, &str); 11] = [
    ("__div__", "__truediv__"),
    ("__idiv__", "__itruediv__"),
    ("__long__", "__int__"),
    ("__nonzero__", "__bool__"),
    ("__rdiv__", "__rtruediv__"),
    ("__unicode__", "__str__"),
    ("has_key", "__contains__"),
    ("iteritems", "items"),
    ("iterkeys", "keys"),
    ("itervalues", "values"),
    ("next", "__next__"),
];
