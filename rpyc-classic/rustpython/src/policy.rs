//! The Python sources, loaded into the interpreter, and the functions of theirs that Rust calls.

use std::sync::Arc;

use rpyc_classic::python::{PACKAGE, SOURCES};
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObject, PyObjectRef, PyPayload, PyResult, VirtualMachine};

use super::frames;
use super::library::{SUPPORT, member, own};
use super::thread::{Held, Source};

/// Functions and classes of the Python sources.
pub(super) struct Policy {
    pub(super) compare: Held,
    pub(super) compile: Held,
    pub(super) describe: Held,
    pub(super) eval: Held,
    pub(super) import_module: Held,
    pub(super) leave: Held,
    pub(super) methods: Held,
    pub(super) names_as_text: Held,
    pub(super) netref: Held,
    pub(super) netref_metaclass: Held,
    pub(super) rebuild: Held,
    pub(super) restrict_imports: Held,
    pub(super) run_init: Held,
    pub(super) session: Held,
    pub(super) target_of: Held,
    // The builtin functions that look at their caller.
    looking: Vec<Held>,
}

impl Policy {
    /// What [`load`] has loaded.
    pub(super) fn find(vm: &VirtualMachine, source: &Arc<Source>) -> PyResult<Policy> {
        let of = |module: &str, name: &'static str| -> PyResult<Held> {
            Ok(Held::new(member(vm, module, name)?, source))
        };
        let builtins = own(vm, "BUILTINS")?;
        let builtin = |name: &str| Ok(Held::new(builtins.get_item(name, vm)?, source));
        let looking = member(vm, "_rpyc_session", "LOOKING_AT_CALLER")?;
        let looking: Vec<PyObjectRef> = looking.try_to_value(vm)?;
        let looking = looking.into_iter();
        Ok(Policy {
            compare: of("_rpyc_proxies", "compare")?,
            compile: builtin("compile")?,
            describe: of("_rpyc_raised", "describe")?,
            eval: builtin("eval")?,
            import_module: of("_rpyc_session", "import_module")?,
            leave: of("_rpyc_raised", "leave")?,
            methods: of("_rpyc_objects", "methods")?,
            names_as_text: of("_rpyc_plain_names", "as_text")?,
            netref: of("_rpyc_proxies", "netref")?,
            netref_metaclass: of("_rpyc_proxies", "NetrefMetaclass")?,
            rebuild: of("_rpyc_exceptions", "load")?,
            restrict_imports: of("_rpyc_session", "restrict_imports")?,
            run_init: of("_rpyc_session", "run_init")?,
            session: of("_rpyc_session", "Session")?,
            target_of: of("_rpyc_proxies", "target_of")?,
            looking: looking
                .map(|function| Held::new(function, source))
                .collect(),
        })
    }

    /// Whether it is a builtin function that looks at the names around its call.
    pub(super) fn looks_at_caller(&self, vm: &VirtualMachine, function: &PyObject) -> bool {
        let class = function.class();
        class.is(vm.ctx.types.builtin_function_or_method_type)
            && self.looking.iter().any(|known| known.object().is(function))
    }
}

/// Loads the sources into the interpreter, and makes it fit for many clients.
pub(super) fn load(vm: &VirtualMachine) -> PyResult<()> {
    for (name, source) in OWN {
        run(vm, name, source)?
            .get_attr("install", vm)?
            .call((), vm)?;
    }
    frames::install(vm)?;
    let modules = vm.sys_module.get_attr("modules", vm)?;
    let native = vm.import("_rpyc_native", 0)?;
    modules.set_item("_rpyc_native", native, vm)?;
    let support = [(SUPPORT, include_str!("python/support.py"))];
    for (name, source) in SOURCES.iter().chain(&support) {
        let module = run(vm, name, source)?;
        modules.set_item(*name, module, vm)?;
    }
    let offered = vm.ctx.new_dict();
    for &(name, is_package, source) in PACKAGE {
        let is_package = vm.ctx.new_bool(is_package).into();
        let source = vm.ctx.new_str(source).into();
        let entry = vm.ctx.new_tuple(vec![is_package, source]);
        offered.set_item(name, entry.into(), vm)?;
    }
    own(vm, "offer_package")?.call((offered,), vm)?;
    Ok(())
}

/// The module of that name, made of its source.
fn run(vm: &VirtualMachine, name: &str, source: &str) -> PyResult {
    let namespace = vm.ctx.new_dict();
    namespace.set_item("__name__", vm.ctx.new_str(name).into(), vm)?;
    // Builtins of its own: clients may delete or replace those that all share.
    let builtins = vm.builtins.dict().copy().into_ref(&vm.ctx);
    namespace.set_item("__builtins__", builtins.into(), vm)?;
    let module = vm.new_module(name, namespace.clone(), None);
    let scope = Scope::with_builtins(None, namespace, vm);
    vm.run_string(scope, source, &format!("<{name}>"))?;
    Ok(module.into())
}

/// What is RustPython's own among the sources, and is run for its effect.
const OWN: [(&str, &str); 4] = [
    ("_rpyc_guards", include_str!("python/guards.py")),
    ("_rpyc_hooks", include_str!("python/hooks.py")),
    ("_rpyc_os_functions", include_str!("python/os_functions.py")),
    ("_rpyc_foreign", include_str!("python/foreign.py")),
];
