//! The methods of Python classes, as INSPECT reports them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rpyc_core::codec::Str;
use rpyc_core::object::Method;
use rustpython_vm::builtins::{PyStr, PyType, PyWeak};
use rustpython_vm::{AsObject, Py, PyObject, PyRef, VirtualMachine};

use super::thread::lock;

/// Method lists that have been asked for before.
#[derive(Default)]
pub(super) struct Classes(Mutex<HashMap<usize, Known>>);

struct Known {
    // Tells the class from a later one at the same address.
    class: PyRef<PyWeak>,
    // A class gets a new version when it, or a base, is changed.
    version: u32,
    methods: Arc<[Method]>,
}

impl Classes {
    /// The methods of `object`: those of its class, and for a class its own as well.
    pub(super) fn methods(&self, vm: &VirtualMachine, object: &PyObject) -> Arc<[Method]> {
        let class = object.class();
        if object.downcast_ref::<PyType>().is_some() {
            // Asked once for each class: the peer remembers.
            return collect(vm, object).into();
        }
        let key = class.get_id();
        let version = class.tp_version_tag.load(std::sync::atomic::Ordering::Acquire);
        if version != 0 {
            let known = lock(&self.0);
            if let Some(known) = known.get(&key)
                && known.version == version
                && !known.class.is_dead()
            {
                return known.methods.clone();
            }
        }
        let methods: Arc<[Method]> = collect(vm, object).into();
        let version = class.tp_version_tag.load(std::sync::atomic::Ordering::Acquire);
        let weak = class.as_object().downgrade(None, vm);
        if let (Ok(class), true) = (weak, version != 0) {
            let known = Known {
                class,
                version,
                methods: methods.clone(),
            };
            let mut all = lock(&self.0);
            let (replaced, swept) = (all.insert(key, known), sweep(&mut all));
            drop(all);
            // Outside of the lock: these are Python objects.
            drop((replaced, swept));
        }
        methods
    }
}

/// Takes out the entries of dead classes, once in a while.
fn sweep(known: &mut HashMap<usize, Known>) -> Vec<Known> {
    if known.len() < SWEEP_AT || !known.len().is_power_of_two() {
        return Vec::new();
    }
    let dead = known.extract_if(|_, known| known.class.is_dead());
    dead.map(|(_, known)| known).collect()
}

/// The names of the methods that instances of the class have.
pub(super) fn instance_methods(vm: &VirtualMachine, class: &Py<PyType>) -> Vec<Str> {
    let methods = collect_from(vm, class.mro_collect().into_iter().rev());
    methods.into_iter().map(|(name, _)| name).collect()
}

fn collect(vm: &VirtualMachine, object: &PyObject) -> Vec<Method> {
    let mut classes = object.class().mro_collect();
    classes.reverse();
    if let Some(class) = object.downcast_ref::<PyType>() {
        classes.extend(class.mro_collect().into_iter().rev());
    }
    collect_from(vm, classes)
}

/// The methods of classes, each of which hides those before it.
fn collect_from(
    vm: &VirtualMachine,
    classes: impl IntoIterator<Item = PyRef<PyType>>,
) -> Vec<Method> {
    let mut methods: Vec<Option<Method>> = Vec::new();
    let mut places: HashMap<Str, usize> = HashMap::new();
    for class in classes {
        for (name, attribute) in class.attributes.entries() {
            let Some(name) = name.downcast_ref::<PyStr>().and_then(|name| name.to_str()) else {
                continue;
            };
            if LOCAL_NAMES.contains(&name) {
                continue;
            }
            let name = Str::from(name);
            // What a subclass defines hides what a base does, be it a method or not.
            let method = is_routine(vm, &attribute).then(|| (name.clone(), doc(vm, &attribute)));
            match places.get(&name) {
                Some(&place) => methods[place] = method,
                None => {
                    places.insert(name, methods.len());
                    methods.push(method);
                }
            }
        }
    }
    methods.into_iter().flatten().collect()
}

/// Whether it is a function, a builtin one, a bound method or a method descriptor.
fn is_routine(vm: &VirtualMachine, attribute: &PyObject) -> bool {
    let class = attribute.class();
    let types = &vm.ctx.types;
    if class.fast_issubclass(types.function_type)
        || class.fast_issubclass(types.bound_method_type)
        || class.fast_issubclass(types.builtin_function_or_method_type)
    {
        return true;
    }
    let slots = class.slots();
    attribute.downcast_ref::<PyType>().is_none()
        && slots.descr_get.load().is_some()
        && slots.descr_set.load().is_none()
}

fn doc(vm: &VirtualMachine, attribute: &PyObject) -> Option<Str> {
    let doc = attribute.get_attr("__doc__", vm).ok()?;
    doc.downcast_ref::<PyStr>()?.to_str().map(Str::from)
}

/// Names that proxies answer by themselves (docs/wire-protocol.md, section 6).
#[rustfmt::skip]
pub(super) const LOCAL_NAMES: &[&str] = &[
    "____conn__", "____id_pack__", "____refcount__", "__class__", "__cmp__", "__del__",
    "__delattr__", "__dir__", "__doc__", "__getattr__", "__getattribute__", "__hash__",
    "__instancecheck__", "__init__", "__metaclass__", "__module__", "__new__", "__reduce__",
    "__reduce_ex__", "__repr__", "__setattr__", "__slots__", "__str__", "__weakref__", "__dict__",
    "__methods__", "__exit__", "__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__",
    "__array_struct__", "__array_interface__",
];

const SWEEP_AT: usize = 1024;
