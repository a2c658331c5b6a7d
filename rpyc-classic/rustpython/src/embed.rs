//! Puts the program's parts into the interpreter: modules, a start-up script, rules for imports.

use std::sync::Arc;

use rpyc_classic::embedding::{Imports, Init, Module};
use rpyc_core::service::{PeerInfo, Service, VoidService};
use rpyc_core::transport::memory_pair;
use rpyc_core::{Config, Connection, Error};
use rustpython_vm::{PyObjectRef, PyResult, VirtualMachine};

use super::convert::to_python;
use super::library::own;
use super::session::{PythonSession, Shared};

/// What [`EvaluatorOptions`](rpyc_classic::EvaluatorOptions) has for [`install`].
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) modules: Vec<Module>,
    pub(super) imports: Imports,
    pub(super) init: Option<Init>,
}

/// Puts it all into the interpreter.
pub(super) fn install(
    vm: &VirtualMachine,
    home: &Arc<PythonSession>,
    parts: &Parts,
) -> PyResult<()> {
    for module in &parts.modules {
        add_module(vm, home, module)?;
    }
    let policy = home.shared().policy();
    if let Some(init) = &parts.init {
        let text = |text: &str| vm.ctx.new_str(text);
        let script = (text(init.name()), text(init.source()));
        policy.run_init.object().call(script, vm)?;
    }
    if !parts.imports.is_all() {
        let imports = parts.imports.clone();
        let permit = vm.new_function("permit", move |name: String| imports.permit(&name));
        let restrict = policy.restrict_imports.object();
        restrict.call((PyObjectRef::from(permit),), vm)?;
    }
    Ok(())
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
    let add = own(vm, "add_module")?;
    add.call((name, doc, members), vm).map(drop)
}

/// The session for what belongs to no client, and the connection that it needs.
pub(super) struct HomeSession {
    pub(super) session: Arc<PythonSession>,
    // To nobody: it is for the contexts of methods.
    _connection: (Connection, Connection),
}

impl HomeSession {
    pub(super) fn new(shared: &Arc<Shared>) -> Result<HomeSession, Error> {
        let (here, there) = memory_pair();
        let open = |stream| {
            let peer = PeerInfo::named("python");
            Connection::over(Arc::new(stream), VoidService, Config::new(), peer)
        };
        let connection = (open(here)?, open(there)?);
        let session = PythonSession::home(shared.clone(), &connection.0, VoidService.root());
        Ok(HomeSession {
            session,
            _connection: connection,
        })
    }
}
