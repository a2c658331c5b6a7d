//! [`Shared`]: what all sessions of an interpreter share.

use std::fmt;
use std::sync::Arc;

use rpyc_core::executor::Executor;
use rpyc_core::object::{IdParts, Identity, Space};
use rpyc_core::wire::Value;

use super::values::{fixed, str_of, tuple};
use super::{Plain, Runtime};
use crate::connections::Connections;
use crate::embedding::Imports;

/// What all sessions of an interpreter share.
pub struct Shared<P: Runtime> {
    /// The interpreter.
    pub runtime: P,
    /// The threads that run its code.
    pub executor: Arc<dyn Executor>,
    /// The connections that Python code can name.
    pub connections: Connections,
    imports: Imports,
    pub(super) functions: Functions<P::Held>,
    // In the order of `PlainType::ALL`.
    pub(super) plain_types: Vec<P::Held>,
    // The builtin functions that look at their caller.
    looking: Vec<P::Held>,
    // Identities of classes and of other objects, apart from everything else in this process.
    class_space: Space,
    object_space: Space,
}

impl<P: Runtime> Shared<P> {
    /// What sessions share, once the Python sources are loaded: `member` gives a name of a module of theirs.
    ///
    /// # Errors
    /// When something isn't there.
    pub fn new<'a>(
        vm: P::Vm<'a>,
        runtime: P,
        executor: Arc<dyn Executor>,
        imports: &Imports,
        member: impl Fn(&'static str, &'static str) -> Result<P::Object<'a>, P::Error>,
    ) -> Result<Arc<Shared<P>>, P::Error> {
        let all = |module, name| -> Result<Vec<P::Held>, P::Error> {
            let items = tuple::<P>(vm, &member(module, name)?)?.into_iter();
            Ok(items.map(|item| runtime.hold(item)).collect())
        };
        Ok(Arc::new(Shared {
            plain_types: all("_rpyc_objects", "PLAIN_TYPES")?,
            looking: all("_rpyc_session", "LOOKING")?,
            functions: Functions::find(|module, name| Ok(runtime.hold(member(module, name)?)))?,
            runtime,
            executor,
            connections: Connections::default(),
            imports: imports.clone(),
            class_space: Space::unique(),
            object_space: Space::unique(),
        }))
    }

    /// Whether the peer of that connection may run any code here.
    pub fn may_run_code(&self, peer_number: u64) -> bool {
        self.imports.is_all() && self.connections.runs_code(peer_number)
    }

    /// Calls a function that is kept.
    pub(super) fn call<'a>(
        vm: P::Vm<'a>,
        function: &P::Held,
        args: Vec<P::Object<'a>>,
    ) -> Result<P::Object<'a>, P::Error> {
        P::call(vm, &P::held(vm, function), args, Vec::new())
    }

    /// Whether it is a builtin function that looks at the names around its call.
    pub(super) fn looks_at_caller<'a>(&self, vm: P::Vm<'a>, function: &P::Object<'a>) -> bool {
        let mut looking = self.looking.iter();
        looking.any(|known| P::is(function, &P::held(vm, known)))
    }

    /// What the sources' function `id_parts` says.
    pub(super) fn identify<'a>(
        &self,
        vm: P::Vm<'a>,
        object: &P::Object<'a>,
    ) -> Result<(IdParts, bool), P::Error> {
        let parts = Shared::<P>::call(vm, &self.functions.id_parts, vec![object.clone()])?;
        let [name, class, instance, has_hooks] = fixed::<P, 4>(vm, &parts)?;
        let number = |object| match P::take_apart(vm, object) {
            Some(Plain::Value(value)) => value.as_u64(),
            _ => None,
        };
        let has_hooks = P::take_apart(vm, &has_hooks);
        let has_hooks = matches!(has_hooks, Some(Plain::Value(Value::Bool(true))));
        let name = str_of::<P>(vm, &name).unwrap_or_default();
        Ok((
            self.id_parts(name, number(&class).unwrap_or_default(), number(&instance)),
            has_hooks,
        ))
    }

    /// The parts of an id_pack: the full name of the class, its number, and that of an instance.
    pub fn id_parts(
        &self,
        name: rpyc_core::wire::Str,
        class: u64,
        instance: Option<u64>,
    ) -> IdParts {
        IdParts {
            name,
            class: Identity::new(self.class_space, class),
            instance: instance.map(|number| Identity::new(self.object_space, number)),
        }
    }
}

impl<P: Runtime> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

macro_rules! functions {
    ($($module:literal: $($name:ident)*;)*) => {
        /// Functions and classes of the Python sources.
        pub(super) struct Functions<H> {
            $($(pub(super) $name: H,)*)*
        }

        impl<H> Functions<H> {
            fn find<E>(
                member: impl Fn(&'static str, &'static str) -> Result<H, E>,
            ) -> Result<Functions<H>, E> {
                Ok(Functions {
                    $($($name: member($module, stringify!($name))?,)*)*
                })
            }
        }
    };
}

functions! {
    "_rpyc_async": async_result;
    "_rpyc_exceptions": load os_error stop_iteration;
    "_rpyc_objects": buffiter call_hook class_of id_parts has_instance has_subclass is_true methods names
        next_item pickled to_repr to_str;
    "_rpyc_plain_names": as_text;
    "_rpyc_proxies": compare netref netref_metaclass target_of;
    "_rpyc_raised": describe leave;
    "_rpyc_session": new_session add_module call_function import_module restrict_imports run_init;
}
