//! Services of Rust types, and of closures.

use std::fmt;
use std::sync::Arc;

use super::Service;
use crate::config::Config;
use crate::exception::Exception;
use crate::object::class::{Method, Property};
use crate::object::{
    Any, Args, Class, ClassBuilder, Context, Exposed, Object, ObjectRef, ObjectResult,
};
use crate::session::Connection;
use crate::wire::Str;

/// An exposed value is the root object of its connections, and has the hooks of its class.
impl<T: Send + Sync + 'static> Service for Exposed<T> {
    fn root(&self) -> ObjectRef {
        self.object()
    }

    fn configure(&self, config: &mut Config) {
        let hooks = self.class().service.as_ref();
        if let Some(configure) = hooks.and_then(|hooks| hooks.configure.as_ref()) {
            configure(self, config);
        }
    }

    fn on_connect(&self, cx: &Context<'_>) -> Result<(), Exception> {
        let hooks = self.class().service.as_ref();
        match hooks.and_then(|hooks| hooks.on_connect.as_ref()) {
            Some(on_connect) => on_connect(self, cx),
            None => Ok(()),
        }
    }

    fn on_disconnect(&self, connection: &Connection) {
        let hooks = self.class().service.as_ref();
        if let Some(on_disconnect) = hooks.and_then(|hooks| hooks.on_disconnect.as_ref()) {
            on_disconnect(self, connection);
        }
    }
}

/// Makes a service of closures.
///
/// ```
/// use rpyc_core::service::ServiceBuilder;
/// use rpyc_core::object::{Any, Signature};
///
/// let signature = Signature::method("EchoService.echo").required("what");
/// let service = ServiceBuilder::new("EchoService")
///     .method("echo", "Gives it back.", move |_cx, args| {
///         signature.bind(args)?.required::<Any>(0)
///     })
///     .constant("version", "1.2")
///     .build();
/// assert_eq!(&*service.class().name(), "EchoService");
/// ```
#[must_use]
pub struct ServiceBuilder {
    class: ClassBuilder<()>,
}

impl ServiceBuilder {
    /// A service of this name, which may have a module in front: `shop.OrderService`, or
    /// `shop::OrderService`.
    pub fn new(name: &str) -> ServiceBuilder {
        let name = Str::from(name).dotted();
        let (module, name) = name.rsplit_once('.').unwrap_or(("rust", &*name));
        ServiceBuilder {
            class: Class::builder(module, name).service(),
        }
    }

    /// Sets the docstring.
    pub fn doc(self, doc: &str) -> ServiceBuilder {
        self.with(|class| class.doc(doc))
    }

    /// Sets the names that it is found under; the first is the primary one.
    pub fn aliases(self, aliases: &[&str]) -> ServiceBuilder {
        self.with(|class| class.aliases(aliases))
    }

    /// Exposes a method.
    pub fn method(
        self,
        name: &str,
        doc: &str,
        call: impl Fn(&Context<'_>, Args) -> ObjectResult + Send + Sync + 'static,
    ) -> ServiceBuilder {
        let method = Method::new(name, move |_, cx, args| call(cx, args));
        self.with(|class| class.method(method.doc(doc)))
    }

    /// Exposes an attribute that is computed when it is read.
    pub fn property(
        self,
        name: &str,
        get: impl Fn(&Context<'_>) -> ObjectResult + Send + Sync + 'static,
    ) -> ServiceBuilder {
        let property = Property::new(name).get(move |_, cx| get(cx));
        self.with(|class| class.property(property))
    }

    /// Exposes an attribute that never changes.
    pub fn constant(self, name: &str, value: impl Into<Any>) -> ServiceBuilder {
        self.with(|class| class.constant(name, value))
    }

    /// Exposes an object as an attribute.
    pub fn object(self, name: &str, object: impl Object) -> ServiceBuilder {
        self.constant(name, Any::object(object))
    }

    /// What it changes in the config of its connections.
    pub fn configure(
        self,
        configure: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> ServiceBuilder {
        self.with(|class| class.configure(move |(), config| configure(config)))
    }

    /// What happens when a connection has been made; an exception refuses it.
    pub fn on_connect(
        self,
        on_connect: impl Fn(&Context<'_>) -> Result<(), Exception> + Send + Sync + 'static,
    ) -> ServiceBuilder {
        self.with(|class| class.on_connect(move |_, cx| on_connect(cx)))
    }

    /// What happens when a connection has ended.
    pub fn on_disconnect(
        self,
        on_disconnect: impl Fn(&Connection) + Send + Sync + 'static,
    ) -> ServiceBuilder {
        self.with(|class| class.on_disconnect(move |(), connection| on_disconnect(connection)))
    }

    /// The service; clones of it are the same one.
    pub fn build(self) -> Exposed<()> {
        Exposed::of_class(Arc::new(self.class.build()), ())
    }

    fn with(self, change: impl FnOnce(ClassBuilder<()>) -> ClassBuilder<()>) -> ServiceBuilder {
        ServiceBuilder {
            class: change(self.class),
        }
    }
}

impl fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.class.fmt(f)
    }
}
