//! `threading.local`, whose attributes belong to a session rather than to the thread that runs it.
//!
//! The interpreter's own keeps them by thread, and threads run one session after the other. Here
//! they are kept by [`Attributes`], of which a thread has one at a time.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rpyc_classic::threads::lock;
use rustpython_vm::builtins::{PyDictRef, PyStr, PyTypeRef};
use rustpython_vm::function::PySetterValue;
use rustpython_vm::{AsObject, Py, PyObjectRef, PyPayload, PyResult, VirtualMachine};

pub(super) use self::_rpyc_local::module_def;
use self::_rpyc_local::{Data, Local, Owned};
use super::library::library;

/// Whose attributes all `threading.local`s show: a session's, or those of a thread of its own.
pub(super) struct Attributes {
    number: u64,
    // Where it has any.
    used_in: Mutex<Vec<Weak<Data>>>,
}

impl Attributes {
    pub(super) fn new() -> Arc<Attributes> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Arc::new(Attributes {
            number: LAST.fetch_add(1, Ordering::Relaxed),
            used_in: Mutex::default(),
        })
    }
}

/// To be dropped attached.
impl Drop for Attributes {
    fn drop(&mut self) {
        let used_in = std::mem::take(&mut *lock(&self.used_in));
        for local in used_in.iter().filter_map(Weak::upgrade) {
            drop(local.forget(self.number));
        }
    }
}

/// Has this thread see those attributes; the result are those that it saw.
pub(super) fn replace(attributes: Arc<Attributes>) -> Arc<Attributes> {
    let before = SEEN.with(|seen| seen.borrow_mut().replace(Seen::Kept(attributes)));
    before
        .and_then(|before| before.attributes())
        .unwrap_or_else(Attributes::new)
}

/// Forgets what this thread saw: while it is attached, before it ends.
pub(super) fn clear() {
    let before = SEEN.with(RefCell::take);
    drop(before);
}

/// The attributes that this thread sees.
fn seen(vm: &VirtualMachine) -> PyResult<Arc<Attributes>> {
    let known = SEEN.with(|seen| seen.borrow().as_ref().and_then(Seen::attributes));
    if let Some(known) = known {
        return Ok(known);
    }
    // A thread that Python code has started: the interpreter's own `_local` lets go of them, while
    // the thread can still run destructors.
    let attributes = Attributes::new();
    let owned = Owned {
        _attributes: attributes.clone(),
    };
    let owned = owned.into_pyobject(vm);
    let by_thread = library(vm, "_rpyc_local")?.get_attr("by_thread", vm)?;
    by_thread.set_attr("attributes", owned, vm)?;
    SEEN.with(|seen| seen.replace(Some(Seen::Owned(Arc::downgrade(&attributes)))));
    Ok(attributes)
}

enum Seen {
    Kept(Arc<Attributes>),
    Owned(Weak<Attributes>),
}

impl Seen {
    fn attributes(&self) -> Option<Arc<Attributes>> {
        match self {
            Seen::Kept(attributes) => Some(attributes.clone()),
            Seen::Owned(attributes) => attributes.upgrade(),
        }
    }
}

thread_local! {
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// Puts it in the place of the interpreter's own.
pub(super) fn install(vm: &VirtualMachine) -> PyResult<()> {
    let ours = vm.import("_rpyc_local", 0)?;
    let threads = vm.import("_thread", 0)?;
    let by_thread = threads.get_attr("_local", vm)?.call((), vm)?;
    ours.set_attr("by_thread", by_thread, vm)?;
    let class = ours.get_attr("_local", vm)?;
    threads.set_attr("_local", class, vm)
}

#[rustpython_vm::pymodule]
mod _rpyc_local {
    use std::collections::HashMap;
    use std::fmt;
    use std::sync::{Arc, Mutex, PoisonError};

    use rpyc_classic::threads::lock;
    use rustpython_vm::builtins::{PyDictRef, PyStr, PyTypeRef};
    use rustpython_vm::function::{FuncArgs, PySetterValue};
    use rustpython_vm::object::{Traverse, TraverseFn};
    use rustpython_vm::types::{GetAttr, SetAttr};
    use rustpython_vm::{
        AsObject, Py, PyObjectRef, PyPayload, PyRef, PyResult, VirtualMachine, pyclass,
    };

    /// The dicts by [`Attributes`](super::Attributes), and what new ones are initialised with.
    pub(super) struct Data(Mutex<State>);

    struct State {
        args: FuncArgs,
        dicts: HashMap<u64, PyDictRef>,
    }

    impl Data {
        pub(super) fn get(&self, number: u64) -> Option<PyDictRef> {
            lock(&self.0).dicts.get(&number).cloned()
        }

        pub(super) fn set(&self, number: u64, dict: PyDictRef) {
            let before = lock(&self.0).dicts.insert(number, dict);
            drop(before);
        }

        /// Dropped by the caller, without a lock: destructors run Python.
        pub(super) fn forget(&self, number: u64) -> Option<PyDictRef> {
            lock(&self.0).dicts.remove(&number)
        }

        pub(super) fn args(&self) -> FuncArgs {
            lock(&self.0).args.clone()
        }
    }

    /// A thread's share in its attributes.
    #[pyattr]
    #[pyclass(module = "_rpyc_local", name = "Owned")]
    #[derive(PyPayload)]
    pub(super) struct Owned {
        pub(super) _attributes: Arc<super::Attributes>,
    }

    impl fmt::Debug for Owned {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Owned")
        }
    }

    #[pyclass]
    impl Owned {}

    #[pyattr]
    #[pyclass(module = "_thread", name = "_local", traverse = "manual")]
    #[derive(PyPayload)]
    pub(super) struct Local {
        pub(super) data: Arc<Data>,
    }

    impl fmt::Debug for Local {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Local")
        }
    }

    // Safe: each object is told once.
    unsafe impl Traverse for Local {
        fn traverse(&self, tell: &mut TraverseFn<'_>) {
            let state = lock(&self.data.0);
            for arg in &state.args.args {
                arg.traverse(tell);
            }
            for arg in state.args.kwargs.values() {
                arg.traverse(tell);
            }
            for dict in state.dicts.values() {
                dict.traverse(tell);
            }
        }

        fn clear(&mut self, out: &mut Vec<PyObjectRef>) {
            let mut state = self.data.0.try_lock().or_else(|error| match error {
                std::sync::TryLockError::Poisoned(state) => Ok(PoisonError::into_inner(state)),
                busy => Err(busy),
            });
            if let Ok(state) = &mut state {
                out.append(&mut state.args.args);
                out.extend(state.args.kwargs.drain(..).map(|(_, value)| value));
                out.extend(state.dicts.drain().map(|(_, dict)| dict.into()));
            }
        }
    }

    #[pyclass(with(GetAttr, SetAttr), flags(BASETYPE))]
    impl Local {
        #[pyslot]
        fn slot_new(class: PyTypeRef, args: FuncArgs, vm: &VirtualMachine) -> PyResult {
            if !args.is_empty() && super::initialiser(&class, vm).is_none() {
                return Err(vm.new_type_error("Initialization arguments are not supported"));
            }
            let dicts = HashMap::new();
            let data = Arc::new(Data(Mutex::new(State { args, dicts })));
            let local = Local { data }.into_ref_with_type(vm, class)?;
            // Its `__init__` runs next for who makes it: not once more at the first attribute.
            super::begin(&local, vm)?;
            Ok(local.into())
        }

        #[pygetset]
        fn __dict__(zelf: PyRef<Self>, vm: &VirtualMachine) -> PyResult<PyDictRef> {
            super::dict(&zelf, vm)
        }
    }

    impl GetAttr for Local {
        fn getattro(zelf: &Py<Self>, name: &Py<PyStr>, vm: &VirtualMachine) -> PyResult {
            let dict = super::dict(zelf, vm)?;
            if name.as_bytes() == b"__dict__" {
                return Ok(dict.into());
            }
            let found = zelf.as_object().generic_getattr_opt(name, Some(dict), vm)?;
            found.ok_or_else(|| {
                let class = zelf.class().name().to_string();
                vm.new_attribute_error(format!("'{class}' object has no attribute '{name}'"))
            })
        }
    }

    impl SetAttr for Local {
        fn setattro(
            zelf: &Py<Self>,
            name: &Py<PyStr>,
            value: PySetterValue,
            vm: &VirtualMachine,
        ) -> PyResult<()> {
            let class = zelf.class().name().to_string();
            if name.as_bytes() == b"__dict__" {
                let message = format!("'{class}' object attribute '__dict__' is read-only");
                return Err(vm.new_attribute_error(message));
            }
            super::set(zelf, name, value, vm)
        }
    }
}

/// The attributes of `local` that this thread sees, made and initialised at their first use.
fn dict(local: &Py<Local>, vm: &VirtualMachine) -> PyResult<PyDictRef> {
    if let Some(dict) = local.data.get(seen(vm)?.number) {
        return Ok(dict);
    }
    let dict = begin(local, vm)?;
    if let Some(init) = initialiser(&local.class().to_owned(), vm) {
        let mut args = local.data.args();
        args.prepend_arg(local.to_owned().into());
        if let Err(error) = init.call(args, vm) {
            drop(local.data.forget(seen(vm)?.number));
            return Err(error);
        }
    }
    Ok(dict)
}

/// Empty attributes for this thread.
fn begin(local: &Py<Local>, vm: &VirtualMachine) -> PyResult<PyDictRef> {
    let dict = vm.ctx.new_dict();
    let attributes = seen(vm)?;
    local.data.set(attributes.number, dict.clone());
    let mut used_in = lock(&attributes.used_in);
    if used_in.len() == used_in.capacity() {
        // Before it grows: those that are gone.
        used_in.retain(|data| data.strong_count() > 0);
    }
    used_in.push(Arc::downgrade(&local.data));
    Ok(dict)
}

/// The `__init__` of a subclass.
fn initialiser(class: &PyTypeRef, vm: &VirtualMachine) -> Option<PyObjectRef> {
    let name = vm.ctx.intern_str("__init__");
    let init = class.get_attr(name)?;
    let is_inherited = vm.ctx.types.object_type.get_attr(name);
    (!is_inherited.is_some_and(|inherited| inherited.is(&init))).then_some(init)
}

fn set(
    local: &Py<Local>,
    name: &Py<PyStr>,
    value: PySetterValue,
    vm: &VirtualMachine,
) -> PyResult<()> {
    let dict = dict(local, vm)?;
    match value {
        PySetterValue::Assign(value) => dict.set_item(name, value, vm),
        PySetterValue::Delete if dict.contains_key(name, vm) => dict.del_item(name, vm),
        PySetterValue::Delete => {
            let class = local.class().name().to_string();
            Err(vm.new_attribute_error(format!("'{class}' object has no attribute '{name}'")))
        }
    }
}
