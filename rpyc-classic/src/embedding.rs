//! What a program puts into its evaluator: options, modules, a start-up script, rules for imports.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rpyc_core::object::Any;
use rpyc_core::wire::Value;

/// How an evaluator is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EvaluatorOptions {
    /// Directories that modules are looked for in, ahead of the standard library.
    pub search_path: Vec<String>,
    /// Modules of the program's.
    pub modules: Vec<Module>,
    /// Which modules clients may import; no sandbox, see [`Imports`]. Default: all.
    pub imports: Imports,
    /// A script that runs before the first client. Default: none.
    pub init: Option<Init>,
    /// `sys.argv`. Default: one empty string.
    pub argv: Vec<String>,
    /// `sys.executable`. Default: this process's own program.
    pub executable: Option<String>,
    /// Whether the first client's code runs on Python's main thread, as signals, asyncio and GUI kits like
    /// it: for a process that serves one client. An evaluator that is a thread's own work hasn't
    /// got one to give. Default: no.
    pub on_main_thread: bool,
    /// How many threads may run clients' code at the same time. Default: 4,096.
    pub max_threads: usize,
    /// The stack of each of them, and of each thread that their code starts. Default: 64 MiB of address space; memory is used as far as the
    /// stack grows. Below 16 MiB, code can crash the process by freeing deeply nested containers.
    pub stack_size: usize,
    /// How long a request may run, from the moment when it reaches the interpreter; then a
    /// TimeoutError is raised in it, again and again until it ends. Its waits for the client count.
    /// It stops code that never ends. Default: no limit.
    pub request_time_limit: Option<Duration>,
}

impl Default for EvaluatorOptions {
    fn default() -> EvaluatorOptions {
        EvaluatorOptions {
            search_path: Vec::new(),
            modules: Vec::new(),
            imports: Imports::all(),
            init: None,
            argv: vec![String::new()],
            executable: None,
            on_main_thread: false,
            max_threads: 4096,
            stack_size: STACK_SIZE,
            request_time_limit: None,
        }
    }
}

/// Why the interpreter couldn't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The system refused a thread.
    #[error("no thread for the Python interpreter")]
    Thread(#[source] std::io::Error),
    /// The program's modules can't be made, or the start-up script raised an exception: its
    /// traceback.
    #[error("the start-up script failed: {0}")]
    Init(rpyc_core::Exception),
    /// The interpreter failed to initialise.
    #[error("the Python interpreter doesn't start: {0}")]
    Python(String),
}

/// A module of the program's, which code in the interpreter imports like any other.
///
/// ```
/// use rpyc_classic::embedding::Module;
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

    /// Its dotted name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its docstring.
    #[must_use]
    pub fn docstring(&self) -> Option<&str> {
        self.doc.as_deref()
    }

    /// What is in it, in the order in which it was added.
    #[must_use]
    pub fn members(&self) -> &[(String, Any)] {
        &self.members
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

    /// What the Python sources make of it: the names that are allowed, or None, and those that are denied.
    pub(crate) fn rules(&self) -> Value {
        let names = |names: &[String]| {
            let names = names.iter().map(|name| Value::from(name.as_str()));
            Value::Tuple(names.collect())
        };
        let allowed = self.allowed.as_deref().map_or(Value::None, names);
        Value::Tuple(vec![allowed, names(&self.denied)])
    }

    /// Whether no module is refused.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.allowed.is_none() && self.denied.is_empty()
    }
}

/// A script that runs once, before the first client, as the module `__main__`.
///
/// The names that it leaves behind are in the namespace of every client, but for those that begin
/// with an underscore. What is assigned to `__main__` later, its functions see.
#[derive(Clone)]
pub struct Init {
    name: String,
    source: String,
    is_compiled_alone: bool,
}

impl Init {
    /// A script of that text; tracebacks call it by the name.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Init {
        Init {
            name: name.into(),
            source: source.into(),
            is_compiled_alone: false,
        }
    }

    /// A script from a file, which is called by its absolute path, as `__main__` of Python is.
    ///
    /// # Errors
    /// Where it can't be read, or isn't UTF-8.
    pub fn from_file(path: impl AsRef<Path>) -> std::io::Result<Init> {
        let path = path.as_ref();
        let source = std::fs::read_to_string(path)?;
        let name = std::path::absolute(path)?;
        Ok(Init::new(name.display().to_string(), source))
    }

    /// The same, to be compiled and not run: whether it is Python at all.
    #[must_use]
    pub fn compiled_alone(mut self) -> Init {
        self.is_compiled_alone = true;
        self
    }

    /// How tracebacks call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is compiled and not run.
    #[must_use]
    pub fn is_compiled_alone(&self) -> bool {
        self.is_compiled_alone
    }
}

impl fmt::Debug for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Init").field(&self.name).finish()
    }
}

/// For every thread that runs Python code: deep recursion must end as a RecursionError, not as a fault.
const STACK_SIZE: usize = 64 << 20;
