//! What the program puts into its interpreter: modules, names, a start-up script, rules for imports.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rpyc_core::object::Any;
use rpyc_core::service::{Service, VoidService};
use rpyc_core::{Config, Connection, Error};
use rustpython_vm::scope::Scope;
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};

use super::convert::to_python;
use super::session::PythonSession;
use super::{Shared, modules};

/// A module of the program's, which code in the interpreter imports like any other.
///
/// ```
/// use rpyc_classic::rustpython::Module;
/// use rpyc_core::Any;
/// use rpyc_core::object::Function;
///
/// let beep = Function::new("beep", |_cx, _args| Ok(Any::from("beep")));
/// let module = Module::new("lab.device")
///     .doc("The device on the bench.")
///     .with("SERIAL", 1234)
///     .with("beep", Any::object(beep));
/// ```
#[derive(Clone, Debug)]
pub struct Module {
    name: String,
    doc: Option<String>,
    members: Vec<(String, Any)>,
}

impl Module {
    /// An empty module of that dotted name. The packages above it are made where nobody else
    /// has.
    pub fn new(name: impl Into<String>) -> Module {
        Module {
            name: name.into(),
            doc: None,
            members: Vec::new(),
        }
    }

    /// Sets the docstring.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Module {
        self.doc = Some(doc.into());
        self
    }

    /// Adds a value, or an object of the program's.
    ///
    /// The context that its methods get is the connection of the client whose code calls;
    /// for a thread that Python code has started it is one that has no client.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Any>) -> Module {
        self.members.push((name.into(), value.into()));
        self
    }
}

/// Which modules the clients' code may import.
///
/// The rules hold for `import` in what clients evaluate and execute, and for what they ask for by
/// name. What an allowed module imports isn't looked at. **This is no sandbox**: it keeps honest
/// programs off what they shouldn't use, and nobody from anything who means to get there (by
/// `sys.modules`, for one).
#[derive(Clone, Debug, Default)]
pub struct Imports {
    allowed: Option<Vec<String>>,
    denied: Vec<String>,
}

impl Imports {
    /// Every module.
    pub fn all() -> Imports {
        Imports::default()
    }

    /// These modules and what is in them, and no other.
    pub fn only<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Imports {
        Imports {
            allowed: Some(names.into_iter().map(S::into).collect()),
            denied: Vec::new(),
        }
    }

    /// Not these, nor what is in them.
    #[must_use]
    pub fn deny<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Imports {
        self.denied.extend(names.into_iter().map(S::into));
        self
    }

    /// Whether a module may be imported.
    pub fn permit(&self, name: &str) -> bool {
        let is_within = |rule: &String| {
            name.strip_prefix(rule.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let allowed = match &self.allowed {
            Some(allowed) => allowed.iter().any(is_within),
            None => true,
        };
        allowed && !self.denied.iter().any(is_within)
    }

    fn is_all(&self) -> bool {
        self.allowed.is_none() && self.denied.is_empty()
    }
}

/// A script that runs once, before the first client.
///
/// The names that it leaves behind are in the namespace of every client, but for those that begin
/// with an underscore.
#[derive(Clone)]
pub struct Init {
    pub(super) name: String,
    pub(super) source: String,
}

impl Init {
    /// A script of that text; tracebacks call it by the name.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Init {
        Init {
            name: name.into(),
            source: source.into(),
        }
    }

    /// A script from a file.
    ///
    /// # Errors
    /// Where it can't be read, or isn't UTF-8.
    pub fn from_file(path: impl AsRef<Path>) -> std::io::Result<Init> {
        let path = path.as_ref();
        let source = std::fs::read_to_string(path)?;
        Ok(Init::new(path.display().to_string(), source))
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Init").field(&self.name).finish()
    }
}

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
        let globals = vm.ctx.new_dict();
        globals.set_item("__name__", vm.ctx.new_str("__init__").into(), vm)?;
        globals.set_item("__file__", vm.ctx.new_str(init.name.as_str()).into(), vm)?;
        let scope = Scope::with_builtins(None, globals.clone(), vm);
        vm.run_string(scope, &init.source, &init.name)?;
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

/// What [`Options`](super::Options) has for [`install`].
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) modules: Vec<Module>,
    pub(super) imports: Imports,
    pub(super) init: Option<Init>,
}

fn add_module(vm: &VirtualMachine, home: &Arc<PythonSession>, module: &Module) -> PyResult<()> {
    let members = vm.ctx.new_dict();
    for (name, value) in &module.members {
        let value = to_python(vm, home, value.clone())?;
        members.set_item(name.as_str(), value, vm)?;
    }
    let doc = match &module.doc {
        Some(doc) => vm.ctx.new_str(doc.as_str()).into(),
        None => vm.ctx.none(),
    };
    let name = vm.ctx.new_str(module.name.as_str());
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
}

impl Drop for Acting {
    fn drop(&mut self) {
        // Not dropped within the borrow: it may be the last of its session.
        let left = ACTING.with(|acting| acting.borrow_mut().pop());
        drop(left);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_for_a_module_and_what_is_in_it() {
        let imports = Imports::only(["xml", "os.path", "json"]).deny(["xml.sax"]);
        for (name, permitted) in [
            ("xml", true),
            ("xml.dom.minidom", true),
            ("xml.sax", false),
            ("xml.sax.handler", false),
            ("xmlrpc", false),
            ("os.path", true),
            ("os", false),
            ("json", true),
            ("", false),
        ] {
            assert_eq!(imports.permit(name), permitted, "{name}");
        }
        assert!(Imports::all().permit("anything"));
        assert!(!Imports::all().deny(["os"]).permit("os.path"));
    }
}
