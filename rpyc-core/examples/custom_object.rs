//! An object by hand, for what the attribute macros don't offer: every name is an attribute.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error;
use std::sync::{Arc, Mutex};

use rpyc_core::object::ObjectRef;
use rpyc_core::object::{IdParts, ObjectResult};
use rpyc_core::service::PeerInfo;
use rpyc_core::wire::Str;
use rpyc_core::{Any, Config, Connector, Context, Object, Service};

/// Attributes that come into being when they are set.
#[derive(Default)]
struct Namespace(Mutex<BTreeMap<String, Any>>);

impl Namespace {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Any>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(|poison| poison.into_inner()))
    }
}

impl Object for Namespace {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("example.Namespace", self)
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        let found = self.with(|names| names.get(name).cloned());
        found.ok_or_else(|| self.no_attribute(name))
    }

    fn set_attr(&self, _: &Context<'_>, name: &str, value: Any) -> ObjectResult<()> {
        let old = self.with(|names| names.insert(name.to_owned(), value));
        // Not under the lock: the old value may be anything.
        drop(old);
        Ok(())
    }

    fn del_attr(&self, _: &Context<'_>, name: &str) -> ObjectResult<()> {
        let old = self.with(|names| names.remove(name));
        old.map(drop).ok_or_else(|| self.no_attribute(name))
    }

    fn dir(&self, _: &Context<'_>) -> ObjectResult<Vec<Str>> {
        Ok(self.with(|names| names.keys().map(Str::from).collect()))
    }

    fn repr(&self, _: &Context<'_>) -> ObjectResult<Str> {
        Ok(self.with(|names| format!("<namespace of {} names>", names.len()).into()))
    }
}

#[derive(Default)]
struct NamespaceService(Arc<Namespace>);

impl Service for NamespaceService {
    fn root(&self) -> ObjectRef {
        self.0.clone()
    }

    /// What the policy would refuse by default.
    fn configure(&self, config: &mut Config, _: &mut PeerInfo) {
        config.allow_public_attrs = true;
        config.allow_setattr = true;
        config.allow_delattr = true;
    }
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    let connection =
        Connector::new().connect_thread(NamespaceService::default(), Config::default())?;
    let root = connection.root()?;
    root.set_attr("color", "blue")?;
    root.set_attr("size", 7)?;
    let root = root.netref()?;
    println!(
        "{}: {:?}, color {:?}",
        root.repr()?,
        root.dir()?,
        root.attr("color")?
    );
    root.del_attr("color")?;
    match root.attr("color") {
        Ok(color) => println!("still {color:?}"),
        Err(error) => println!("gone: {error}"),
    }
    connection.close()?;
    Ok(())
}
