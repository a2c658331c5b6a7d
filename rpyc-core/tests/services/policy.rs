//! Attribute access over a connection: every rule, by every handler that takes a name.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rpyc_core::object::ObjectRef;
use rpyc_core::object::class::{Method, Property};
use rpyc_core::object::{Access, Class, IdParts, List, ObjectResult, restricted};
use rpyc_core::wire::Handler;
use rpyc_core::{
    Any, Config, Context, Error, Exception, Exposed, FromAny, Netref, Object, Service, Value, args,
};

use crate::support::{raised, session};

/// What the peer does to an attribute.
#[derive(Clone, Copy, Debug)]
enum By {
    Call,
    Del,
    Get,
    Set,
}

/// Any object as the root of a connection: getting it is no attribute access.
struct Root(ObjectRef);

impl Service for Root {
    fn root(&self) -> ObjectRef {
        self.0.clone()
    }
}

/// An object with exposed, public, private and operators' methods, and a property of each kind.
fn things() -> Exposed<AtomicI64> {
    let method = |name: &'static str| Method::new(name, move |_, _, _| Ok(Any::from(name)));
    let property = |name: &'static str| {
        Property::new(name)
            .get(|this: &Exposed<AtomicI64>, _| Ok(Any::from(this.load(Ordering::Relaxed))))
            .set(|this, _, value| {
                this.store(FromAny::from_any(value)?, Ordering::Relaxed);
                Ok(())
            })
            .del(|this, _| {
                this.store(0, Ordering::Relaxed);
                Ok(())
            })
    };
    let class = Class::builder("shop", "Things")
        .method(method("exposed"))
        .method(method("__len__"))
        .method(method("__class__"))
        .method(method("__exit__"))
        .public_method(method("public"))
        .public_method(method("_private"))
        .property(property("shown"))
        .public_property(property("plain"))
        .public_property(property("_hidden"))
        .build();
    Exposed::of_class(class, AtomicI64::new(7))
}

/// Does it over the wire, to an object whose side has this config; gives the object's state, too.
fn attempt(set: fn(&mut Config), by: By, name: &str) -> (Result<Any, Error>, i64) {
    let mut config = Config::default();
    set(&mut config);
    let things = things();
    let session = session(Root(things.object()), config);
    let root = &session.root;
    let outcome = match by {
        By::Call => root.call_method(name, args![]),
        By::Del => root.del_attr(name).map(|()| Any::NONE),
        By::Get => root.attr(name),
        By::Set => root.set_attr(name, 8).map(|()| Any::NONE),
    };
    (outcome, things.load(Ordering::Relaxed))
}

#[track_caller]
fn allows(set: fn(&mut Config), by: By, name: &str) {
    let (outcome, _) = attempt(set, by, name);
    assert!(outcome.is_ok(), "{by:?} {name}: {outcome:?}");
}

#[track_caller]
fn refuses(set: fn(&mut Config), by: By, name: &str, option: &str) {
    let (outcome, left) = attempt(set, by, name);
    let exception = raised(outcome);
    assert!(exception.is("AttributeError"), "{by:?} {name}: {exception}");
    let text = exception.message();
    assert!(text.contains(option), "{by:?} {name}: {text}");
    assert!(text.contains("shop.Things"), "{by:?} {name}: {text}");
    assert_eq!(left, 7, "{by:?} {name} changed the object");
}

fn nothing(_: &mut Config) {}

#[test]
fn by_default_exposed_and_safe_names_are_read_and_called_and_nothing_else() {
    for by in [By::Get, By::Call] {
        allows(nothing, by, "exposed");
        allows(nothing, by, "exposed_exposed");
        allows(nothing, by, "__len__");
        refuses(nothing, by, "public", "allow_public_attrs");
        refuses(nothing, by, "_private", "allow_all_attrs");
        refuses(nothing, by, "__class__", "allow_all_attrs");
        refuses(nothing, by, "nowhere", "allow_public_attrs");
    }
    allows(nothing, By::Get, "shown");
    refuses(nothing, By::Get, "plain", "allow_public_attrs");
    // Names by which a way around it is sought, whether the object has them or not.
    for name in [
        "__globals__",
        "__subclasses__",
        "__getattribute__",
        "__reduce__",
    ] {
        refuses(nothing, By::Get, name, "allow_all_attrs");
    }
}

#[test]
fn by_default_nothing_is_set_or_deleted() {
    for name in ["shown", "exposed_shown", "plain", "_hidden"] {
        refuses(nothing, By::Set, name, "allow_setattr");
        refuses(nothing, By::Del, name, "allow_delattr");
    }
}

#[test]
fn allow_getattr_off_refuses_every_read_and_every_call_by_name() {
    let set = |config: &mut Config| {
        config.allow_getattr = false;
        config.allow_all_attrs = true;
    };
    for by in [By::Get, By::Call] {
        for name in ["exposed", "__len__", "public"] {
            refuses(set, by, name, "allow_getattr");
        }
    }
}

#[test]
fn allow_setattr_lets_exposed_names_be_set() {
    let set = |config: &mut Config| config.allow_setattr = true;
    let (outcome, left) = attempt(set, By::Set, "shown");
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(left, 8);
    allows(set, By::Set, "exposed_shown");
    refuses(set, By::Set, "plain", "allow_public_attrs");
    refuses(set, By::Set, "_hidden", "allow_all_attrs");
    refuses(set, By::Del, "shown", "allow_delattr");
}

#[test]
fn allow_delattr_lets_exposed_names_be_deleted() {
    let set = |config: &mut Config| config.allow_delattr = true;
    let (outcome, left) = attempt(set, By::Del, "shown");
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(left, 0);
    refuses(set, By::Del, "plain", "allow_public_attrs");
    refuses(set, By::Set, "shown", "allow_setattr");
}

#[test]
fn allow_public_attrs_opens_names_without_an_underscore() {
    let set = |config: &mut Config| {
        config.allow_public_attrs = true;
        config.allow_setattr = true;
        config.allow_delattr = true;
    };
    for by in [By::Get, By::Call] {
        allows(set, by, "public");
        refuses(set, by, "_private", "allow_all_attrs");
    }
    allows(set, By::Set, "plain");
    allows(set, By::Del, "plain");
    refuses(set, By::Set, "_hidden", "allow_all_attrs");
}

#[test]
fn allow_all_attrs_opens_every_name() {
    let set = |config: &mut Config| {
        config.allow_all_attrs = true;
        config.allow_setattr = true;
        config.allow_delattr = true;
    };
    for by in [By::Get, By::Call] {
        allows(set, by, "_private");
        allows(set, by, "__class__");
    }
    allows(set, By::Set, "_hidden");
    allows(set, By::Del, "_hidden");
}

#[test]
fn allow_exposed_attrs_off_closes_exposed_names() {
    let set = |config: &mut Config| config.allow_exposed_attrs = false;
    for by in [By::Get, By::Call] {
        refuses(set, by, "exposed", "allow_public_attrs");
        refuses(set, by, "exposed_exposed", "allow_public_attrs");
        allows(set, by, "__len__");
    }
}

#[test]
fn allow_safe_attrs_off_closes_the_operators() {
    let set = |config: &mut Config| config.allow_safe_attrs = false;
    for by in [By::Get, By::Call] {
        refuses(set, by, "__len__", "allow_all_attrs");
        allows(set, by, "exposed");
    }
}

#[test]
fn safe_attrs_is_the_list_of_safe_names() {
    let set = |config: &mut Config| config.safe_attrs = Arc::new(["_private".into()].into());
    for by in [By::Get, By::Call] {
        allows(set, by, "_private");
        refuses(set, by, "__len__", "allow_all_attrs");
    }
}

#[test]
fn exposed_prefix_is_what_exposed_names_begin_with() {
    let set = |config: &mut Config| config.exposed_prefix = "rpc_".to_owned();
    for by in [By::Get, By::Call] {
        allows(set, by, "exposed");
        allows(set, by, "rpc_exposed");
        refuses(set, by, "exposed_exposed", "allow_public_attrs");
        refuses(set, by, "public", "allow_public_attrs");
    }
    // Only what is exposed has the prefix.
    assert!(raised(attempt(set, By::Get, "rpc_public").0).is("AttributeError"));
}

#[test]
fn a_comparison_by_name_obeys_the_policy_and_is_nothing_but_a_comparison() {
    let compare = |set: fn(&mut Config), op: &str| {
        let mut config = Config::default();
        set(&mut config);
        let session = session(Root(things().object()), config);
        let root = Any::Netref(session.root.clone());
        let args = vec![root.clone(), root, Any::from(op)];
        session.client.sync_request(Handler::Cmp, args)
    };
    let same = compare(nothing, "__eq__").expect("comparing is safe");
    assert_eq!(same.as_value(), Some(&Value::from(true)));
    for op in ["__len__", "exposed", "__class__", "__getattribute__"] {
        let outcome = compare(|config| config.allow_all_attrs = true, op);
        assert!(raised(outcome).is("AttributeError"), "{op}");
    }
    let outcome = compare(|config| config.allow_safe_attrs = false, "__eq__");
    assert!(raised(outcome).is("AttributeError"));
    let outcome = compare(|config| config.allow_getattr = false, "__eq__");
    assert!(raised(outcome).is("AttributeError"));
}

#[test]
fn leaving_a_context_obeys_the_policy() {
    let exit = |set: fn(&mut Config)| {
        let mut config = Config::default();
        set(&mut config);
        let session = session(Root(things().object()), config);
        session.root.request(Handler::CtxExit, [Any::NONE])
    };
    assert!(exit(nothing).is_ok());
    let outcome = exit(|config| config.allow_safe_attrs = false);
    assert!(raised(outcome).is("AttributeError"));
    let outcome = exit(|config| config.allow_getattr = false);
    assert!(raised(outcome).is("AttributeError"));
}

#[test]
fn old_slicing_calls_its_two_names_by_the_policy() {
    let session = session(Root(things().object()), Config::default());
    let slice = |attempt: &str, fallback: &str| {
        let names = [attempt, fallback].map(Any::from).into_iter();
        let rest = [Any::from(0), Any::from(1), Any::tuple([])];
        session.root.request(Handler::OldSlicing, names.chain(rest))
    };
    assert!(slice("exposed", "_private").is_ok());
    assert!(slice("_private", "exposed").is_ok());
    assert!(raised(slice("_private", "public")).is("AttributeError"));
}

#[test]
fn a_name_is_text_or_utf8_bytes_and_nothing_else() {
    let session = session(Root(things().object()), Config::default());
    let get = |name: Any| session.root.request(Handler::GetAttr, [name]);
    assert!(get(Any::from(b"exposed".to_vec())).is_ok());
    for name in [Any::from(1), Any::NONE, Any::from(vec![0xff_u8])] {
        assert!(raised(get(name.clone())).is("TypeError"), "{name:?}");
    }
}

#[test]
fn restricted_shows_what_it_names_and_nothing_else() {
    let things = things();
    let door = restricted(things.object(), &["public", "plain", "__len__"], &["plain"]);
    let session = session(Root(door), Config::default());
    let door = &session.root;
    let public = door.call_method("public", args![]).expect("it is named");
    assert_eq!(public.as_str(), Some("public"));
    assert!(door.call_method("__len__", args![]).is_ok());
    assert!(door.attr("plain").is_ok());
    door.set_attr("plain", 9)
        .expect("it is named, which is permission enough");
    assert_eq!(things.load(Ordering::Relaxed), 9);
    for name in ["exposed", "shown", "_private", "__class__", "__doc__"] {
        assert!(raised(door.attr(name)).is("AttributeError"), "{name}");
        let set = door.set_attr(name, 1).map(|()| Any::NONE);
        assert!(raised(set).is("AttributeError"), "{name}");
    }
    let deleted = door.del_attr("plain").map(|()| Any::NONE);
    assert!(raised(deleted).is("AttributeError"));
    assert!(raised(door.call(args![])).is("TypeError"));
    let methods = door.inspect().expect("it is a request like any");
    let names: Vec<&str> = methods.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["__len__", "public"]);
}

#[test]
fn what_is_public_of_a_list_in_python_is_not_exposed() {
    let list = List::of([1, 2, 3]).expect("ints need no conversion");
    let append = |set: fn(&mut Config)| {
        let mut config = Config::default();
        set(&mut config);
        let service = Class::builder("rust", "ShopService")
            .service()
            .constant("items", list.clone());
        let session = session(Exposed::of_class(service.build(), ()), config);
        let items: Netref = FromAny::from_any(session.root.attr("items")?)
            .map_err(|error| Error::Remote(error.into()))?;
        items.call_method("append", args![4])
    };
    assert!(raised(append(nothing)).is("AttributeError"));
    assert_eq!(list.len(), 3);
    assert!(append(|config| config.allow_public_attrs = true).is_ok());
    assert_eq!(list.len(), 4);
}

/// Decides every access itself.
struct Safe;

impl Object for Safe {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("shop.Safe", self)
    }

    fn access_override(
        &self,
        _: &Context<'_>,
        access: Access,
        name: &str,
        _: Option<&Any>,
    ) -> Option<ObjectResult> {
        Some(match access {
            Access::Get => Ok(Any::from(format!("safe_{name}"))),
            Access::Set => Ok(Any::NONE),
            Access::Del => Err(Exception::attribute_error("not here")),
        })
    }
}

#[test]
fn an_object_that_decides_itself_is_not_under_the_policy() {
    let config = Config::new().allow_getattr(false);
    let session = session(Root(Arc::new(Safe)), config);
    let got = session.root.attr("_anything").expect("it decides itself");
    assert_eq!(got.as_str(), Some("safe__anything"));
    session.root.set_attr("x", 1).expect("it decides itself");
    let deleted = raised(session.root.del_attr("x").map(|()| Any::NONE));
    assert_eq!(deleted.to_string(), "AttributeError: not here");
    // Calling by name reads by name.
    let called = raised(session.root.call_method("x", args![]));
    assert_eq!(
        called.to_string(),
        "TypeError: 'str' object is not callable"
    );
}
