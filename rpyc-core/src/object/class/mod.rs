//! [`Class`]: the members that a Rust type shows to peers, by name.

mod member;
mod signature;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use self::member::{Method, Property};
pub use self::signature::{BoundArgs, Signature};
use super::{Any, Context, Exposed, IntoAny};
use crate::config::Config;
use crate::exception::Exception;
use crate::object;
use crate::service::PeerInfo;
use crate::session::Connection;
use crate::wire::Str;

/// The members that a Rust type shows to peers, by name, and what it does as a service.
///
/// The attribute macros make one for a type; [`Class::builder`] makes one of closures.
///
/// An *exposed* member is reached under its own name and under the same with the connection's
/// `exposed_prefix`; a *public* one only where the config allows public attributes, as `list.append`
/// is in Python. What isn't a member can't be reached at all.
pub struct Class<T> {
    pub(crate) module: Str,
    name: Str,
    // `module.name`, as it stands in id_packs.
    pub(crate) full_name: Str,
    doc: Option<Str>,
    // Exposed members stand under both names.
    members: HashMap<Str, Arc<Member<T>>>,
    // As INSPECT reports them.
    pub(crate) methods: Arc<[object::MethodInfo]>,
    // The names of all members.
    pub(crate) dir: Vec<Str>,
    pub(crate) is_service: bool,
    aliases: Vec<Str>,
    pub(crate) hooks: Hooks<T>,
}

pub(crate) enum Member<T> {
    Method(Arc<Method<T>>),
    Property(Property<T>),
    Constant(Any),
}

/// Makes a [`Class`].
#[must_use]
pub struct ClassBuilder<T> {
    // Its tables are made of the members in the end.
    pub(in crate::object) class: Class<T>,
    // Each with whether it is exposed.
    members: Vec<(Str, Arc<Member<T>>, bool)>,
}

impl<T: Send + Sync + 'static> Class<T> {
    /// A class that goes by `module.name`; `::` in the module's path is taken for a dot.
    ///
    /// A service of closures, without a type of its own:
    /// ```
    /// use rpyc_core::Exposed;
    /// use rpyc_core::object::class::{Class, Method, Signature};
    ///
    /// let signature = Signature::method("EchoService.echo").required("what");
    /// let echo = Method::bound("echo", signature, |_, _cx, args| args.required(0));
    /// let class = Class::builder("demo", "EchoService")
    ///     .service()
    ///     .method(echo.doc("Gives it back."))
    ///     .constant("version", "1.2")
    ///     .build();
    /// let service = Exposed::of_class(class, ());
    /// assert_eq!(&*service.class().name(), "EchoService");
    /// ```
    pub fn builder(module: &str, name: &str) -> ClassBuilder<T> {
        let (module, name) = (Str::from(module).dotted(), Str::from(name));
        let class = Class {
            full_name: Str::from(format!("{module}.{name}")),
            module,
            name,
            doc: None,
            members: HashMap::new(),
            methods: Arc::new([]),
            dir: Vec::new(),
            is_service: false,
            aliases: Vec::new(),
            hooks: Hooks::default(),
        };
        ClassBuilder {
            class,
            members: Vec::new(),
        }
    }

    /// Its name, without the module.
    pub fn name(&self) -> &Str {
        &self.name
    }

    /// Its docstring.
    pub fn doc(&self) -> Option<&Str> {
        self.doc.as_ref()
    }

    /// The member that `name` reaches on this connection.
    pub(crate) fn member(&self, cx: &Context<'_>, name: &str) -> Option<&Member<T>> {
        let member = self.members.get(name).or_else(|| {
            // Under another prefix than the usual one.
            let config = cx.connection().config();
            let prefix = &*config.exposed_prefix;
            let name = name.strip_prefix(prefix).filter(|_| prefix != PREFIX)?;
            let exposed = self.members.contains_key(&*format!("{PREFIX}{name}"));
            self.members.get(name).filter(|_| exposed)
        });
        member.map(|member| &**member)
    }

    /// The member `name` of operators: no prefix, no question of policy.
    pub(crate) fn method(&self, name: &str) -> Option<&Arc<Method<T>>> {
        match &**self.members.get(name)? {
            Member::Method(method) => Some(method),
            _ => None,
        }
    }

    /// The names of the service: its aliases, else its own name less "Service", in capitals.
    pub(crate) fn aliases(&self) -> Vec<Str> {
        if self.aliases.is_empty() {
            let name = self.name.to_uppercase();
            return vec![Str::from(name.strip_suffix("SERVICE").unwrap_or(&name))];
        }
        let upper = self.aliases.iter().map(|alias| alias.to_uppercase());
        upper.map(Str::from).collect()
    }
}

impl<T: Send + Sync + 'static> ClassBuilder<T> {
    /// Sets the docstring.
    pub fn doc(mut self, doc: &str) -> ClassBuilder<T> {
        self.class.doc = Some(Str::from(doc));
        self
    }

    /// Adds a method that is exposed. A dunder method (`__len__`) makes an operator work.
    pub fn method(self, method: Method<T>) -> ClassBuilder<T> {
        let name = method.name.clone();
        self.add(name, Member::Method(Arc::new(method)), true)
    }

    /// Adds a method that is reached only where the config allows public attributes.
    pub fn public_method(self, method: Method<T>) -> ClassBuilder<T> {
        let name = method.name.clone();
        self.add(name, Member::Method(Arc::new(method)), false)
    }

    /// Adds a property that is exposed.
    pub fn property(self, property: Property<T>) -> ClassBuilder<T> {
        let name = property.name.clone();
        self.add(name, Member::Property(property), true)
    }

    /// Adds a property that is reached only where the config allows public attributes.
    pub fn public_property(self, property: Property<T>) -> ClassBuilder<T> {
        let name = property.name.clone();
        self.add(name, Member::Property(property), false)
    }

    /// Adds an attribute that never changes, and is exposed.
    pub fn constant(self, name: &str, value: impl Into<Any>) -> ClassBuilder<T> {
        self.add(Str::from(name), Member::Constant(value.into()), true)
    }

    /// Makes it a service's: it has a name that peers can ask for, and its attributes can't be set.
    pub fn service(mut self) -> ClassBuilder<T> {
        self.class.is_service = true;
        self
    }

    /// Sets the names of the service; the first is the primary one.
    pub fn aliases(mut self, aliases: &[&str]) -> ClassBuilder<T> {
        self.class.aliases = aliases.iter().map(|alias| Str::from(*alias)).collect();
        self
    }

    /// The class.
    pub fn build(mut self) -> Class<T> {
        if self.class.is_service {
            self = self.with_service_names();
        }
        let ClassBuilder { mut class, members } = self;
        for (name, member, exposed) in members {
            // Operators need no prefix: their names are safe.
            if exposed && !is_dunder(&name) {
                let prefixed = Str::from(format!("{PREFIX}{name}"));
                class.members.insert(prefixed, member.clone());
            }
            class.members.insert(name, member);
        }
        let method = |(name, member): (&Str, &Arc<Member<T>>)| match &**member {
            Member::Method(method) => Some((name.clone(), method.doc.clone())),
            _ => None,
        };
        let mut methods: Vec<_> = class.members.iter().filter_map(method).collect();
        methods.sort();
        class.methods = methods.into();
        class.dir = class.members.keys().cloned().collect();
        class.dir.sort();
        class
    }

    fn add(mut self, name: Str, member: Member<T>, exposed: bool) -> ClassBuilder<T> {
        self.members.retain(|(known, _, _)| *known != name);
        self.members.push((name, Arc::new(member), exposed));
        self
    }

    /// What every service has, unless it has its own.
    fn with_service_names(mut self) -> ClassBuilder<T> {
        let names = |this: &Exposed<T>| this.class().aliases().into_iter().map(Any::from);
        let first = Method::new("get_service_name", move |this, _, _| {
            names(this).next().into_any()
        });
        let all = Method::new("get_service_aliases", move |this, _, _| {
            Ok(Any::tuple(names(this)))
        });
        for method in [
            first.doc("The primary name of the service."),
            all.doc("All names of the service, the primary one first."),
        ] {
            let mut own = self.members.iter();
            if !own.any(|(known, _, _)| *known == method.name) {
                self = self.method(method);
            }
        }
        self
    }
}

/// What a service does in its connections' lives: what it is given, and what it does where nothing is said.
macro_rules! hooks {
    ($($what:literal $hook:ident($($given:ty),*) $(-> $answer:ty)?: $default:expr;)*) => {
        pub(crate) struct Hooks<T> {
            $(pub(crate) $hook: Box<dyn Fn($($given),*) $(-> $answer)? + Send + Sync>,)*
        }

        impl<T> Default for Hooks<T> {
            fn default() -> Hooks<T> {
                Hooks {
                    $($hook: Box::new($default),)*
                }
            }
        }

        impl<T: Send + Sync + 'static> ClassBuilder<T> {
            $(
                #[doc = $what]
                pub fn $hook(
                    mut self,
                    hook: impl Fn($($given),*) $(-> $answer)? + Send + Sync + 'static,
                ) -> ClassBuilder<T> {
                    self.class.hooks.$hook = Box::new(hook);
                    self
                }
            )*
        }
    };
}

hooks! {
    "What the service changes in the config of its connections, and in what is known of the peer."
    configure(&T, &mut Config, &mut PeerInfo): |_, _, _| ();
    "What the service does when a connection has been made."
    on_connect(&Exposed<T>, &Context<'_>) -> Result<(), Exception>: |_, _| Ok(());
    "What the service does before a connection is closed by this side."
    before_closed(&T, &Connection): |_, _| ();
    "What the service does when a connection has ended."
    on_disconnect(&T, &Connection): |_, _| ();
}

impl<T> fmt::Debug for Class<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<class {}>", self.full_name)
    }
}

impl<T> fmt::Debug for ClassBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<builder of {:?}>", self.class)
    }
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// The prefix that members stand under in the table, whatever a connection's is.
const PREFIX: &str = "exposed_";
