//! Puts the program's parts into the interpreter: modules, names, a start-up script, rules for imports.

use std::cell::RefCell;
use std::sync::Arc;

use rpyc_classic::embedding::{Imports, Init, Module};
use rpyc_core::service::{Service, VoidService};
use rpyc_core::{Config, Connection, Error};
use rustpython_vm::builtins::PyDictRef;
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::convert::to_python;
use super::session::PythonSession;
use super::{Shared, modules};

/// Puts it all into the interpreter. The result is what every namespace begins with.
pub(super) fn install(
    vm: &VirtualMachine,
    home: &Arc<PythonSession>,
    parts: &Parts,
) -> PyResult<PyObjectRef> {
    for module in &parts.modules {
        add_module(vm, home, module)?;
    }
    let names = vm.ctx.new_dict();
    if let Some(init) = &parts.init {
        let globals = main_names(vm)?;
        globals.set_item("__file__", vm.ctx.new_str(init.name()).into(), vm)?;
        let scope = Scope::with_builtins(None, globals.clone(), vm);
        vm.run_string(scope, init.source(), init.name())?;
        for (name, value) in globals {
            let hidden = name.str(vm)?.to_string_lossy().starts_with('_');
            if !hidden {
                names.set_item(&*name, value, vm)?;
            }
        }
    }
    if !parts.imports.is_all() {
        let imports = parts.imports.clone();
        let permit = vm.new_function("permit", move |name: String| imports.permit(&name));
        let guarded = modules::support(vm, "guarded_builtins")?;
        let guarded = guarded.call((PyObjectRef::from(permit),), vm)?;
        names.set_item("__builtins__", guarded, vm)?;
    }
    Ok(names.into())
}

/// The names of the module `__main__`, which all code of the process shares.
fn main_names(vm: &VirtualMachine) -> PyResult<PyDictRef> {
    let modules = vm.sys_module.get_attr("modules", vm)?;
    let main = modules.get_item("__main__", vm)?;
    main.get_attr("__dict__", vm)?
        .downcast()
        .map_err(|_| vm.new_type_error("__main__ is no module"))
}

/// What [`EvaluatorOptions`](rpyc_classic::EvaluatorOptions) has for [`install`].
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) modules: Vec<Module>,
    pub(super) imports: Imports,
    pub(super) init: Option<Init>,
}

fn add_module(vm: &VirtualMachine, home: &Arc<PythonSession>, module: &Module) -> PyResult<()> {
    let members = vm.ctx.new_dict();
    for (name, value) in module.members() {
        let value = to_python(vm, home, value.clone())?;
        members.set_item(name.as_str(), value, vm)?;
    }
    let doc = match module.docstring() {
        Some(doc) => vm.ctx.new_str(doc).into(),
        None => vm.ctx.none(),
    };
    let name = vm.ctx.new_str(module.name());
    let add = modules::support(vm, "add_module")?;
    add.call((name, doc, members), vm).map(drop)
}

/// The session for what belongs to no client, and the connection that it needs.
pub(super) struct Home {
    pub(super) session: Arc<PythonSession>,
    // To nobody: it is for the contexts of methods.
    _connection: (Connection, Connection),
}

impl Home {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<Home, Error> {
        let mut config = Config::default();
        config.connid = Some("python".to_owned());
        let service = || Arc::new(VoidService);
        let connection = Connection::pair(service(), config.clone(), service(), config)?;
        let session = PythonSession::home(shared.clone(), &connection.0, VoidService.root());
        Ok(Home {
            session,
            _connection: connection,
        })
    }
}

thread_local! {
    // The sessions whose code this thread runs, the innermost one last.
    static ACTING: RefCell<Vec<Arc<PythonSession>>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, the thread runs code of that session.
pub(super) struct Acting(());

impl Acting {
    pub(super) fn enter(session: &Arc<PythonSession>) -> Acting {
        ACTING.with(|acting| acting.borrow_mut().push(session.clone()));
        Acting(())
    }

    /// The session whose code this thread runs, the innermost one.
    pub(super) fn current() -> Option<Arc<PythonSession>> {
        ACTING.with(|acting| acting.borrow().last().cloned())
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        // Not dropped within the borrow: it may be the last of its session.
        let left = ACTING.with(|acting| acting.borrow_mut().pop());
        drop(left);
    }
}

/// Whether this thread runs that session right now.
pub(super) fn is_innermost(session: &Arc<PythonSession>) -> bool {
    ACTING.with(|acting| {
        let acting = acting.borrow();
        acting
            .last()
            .is_some_and(|innermost| Arc::ptr_eq(innermost, session))
    })
}

/// The session for a call to an object of that one: what belongs to no client is used in the
/// name of the one whose code calls.
pub(super) fn acting(session: &Arc<PythonSession>) -> Arc<PythonSession> {
    if !session.is_home() {
        return session.clone();
    }
    let innermost = ACTING.with(|acting| {
        let acting = acting.borrow();
        acting
            .iter()
            .rev()
            .find(|session| !session.is_home())
            .cloned()
    });
    innermost.unwrap_or_else(|| session.clone())
}

/// The ImportError for a module that may not be imported, if that is so.
pub(super) fn check_import(vm: &VirtualMachine, imports: &Imports, name: &str) -> PyResult<()> {
    if imports.permit(name) {
        return Ok(());
    }
    let refuse = modules::support(vm, "refuse_import")?;
    refuse
        .as_object()
        .to_owned()
        .call((vm.ctx.new_str(name),), vm)
        .map(drop)
}
