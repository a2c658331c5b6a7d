//! The attribute policy: which name of an object an access reaches, if any.
//!
//! Every handler that takes a name goes through [`resolve`] (docs/wire-protocol.md, section 8).

use crate::config::Config;
use crate::object::Access;
use crate::wire::Str;

/// Why an access is refused: the option that would allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

/// The name that an access to `name` reaches. `has` tells whether the object has an attribute.
pub(crate) fn resolve(
    config: &Config,
    access: Access,
    name: &str,
    has: impl Fn(&str) -> bool,
) -> Result<Str, Refused> {
    let (allowed, option) = match access {
        Access::Get => (config.allow_getattr, "allow_getattr"),
        Access::Set => (config.allow_setattr, "allow_setattr"),
        Access::Del => (config.allow_delattr, "allow_delattr"),
    };
    if !allowed {
        return Err(Refused(option));
    }
    let prefix = &*config.exposed_prefix;
    let exposing = config.allow_exposed_attrs && !prefix.is_empty();
    let plain = config.allow_all_attrs
        || (config.allow_exposed_attrs && name.starts_with(prefix))
        || (config.allow_public_attrs && !name.starts_with('_'))
        || (config.allow_safe_attrs && config.is_safe_attr(name));
    if exposing {
        let exposed = Str::joined(prefix, name);
        if has(&exposed) && !(plain && has(name)) {
            return Ok(exposed);
        }
    }
    if plain {
        return Ok(Str::from(name));
    }
    Err(Refused(if name.starts_with('_') {
        "allow_all_attrs"
    } else {
        "allow_public_attrs"
    }))
}

/// The comparisons that CMP may ask for; it looks them up on the type, so any other name would
/// be a way around the policy.
pub(crate) const COMPARISONS: [&str; 7] = [
    "__cmp__", "__eq__", "__ne__", "__lt__", "__gt__", "__le__", "__ge__",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        set: fn(&mut Config),
        access: Access,
        name: &str,
        has: &[&str],
        expected: Result<&str, &'static str>,
    ) {
        let mut config = Config::default();
        set(&mut config);
        let got = resolve(&config, access, name, |name| has.contains(&name));
        let expected = expected.map(Str::from).map_err(Refused);
        assert_eq!(got, expected, "{access:?} {name}, object has {has:?}");
    }

    fn nothing(_: &mut Config) {}

    #[test]
    fn by_default_only_exposed_and_safe_names_can_be_read() {
        use Access::Get;
        check(nothing, Get, "add", &["exposed_add"], Ok("exposed_add"));
        check(
            nothing,
            Get,
            "exposed_add",
            &["exposed_add"],
            Ok("exposed_add"),
        );
        check(nothing, Get, "add", &["add"], Err("allow_public_attrs"));
        check(nothing, Get, "_add", &["_add"], Err("allow_all_attrs"));
        check(nothing, Get, "__len__", &["__len__"], Ok("__len__"));
        check(
            nothing,
            Get,
            "__class__",
            &["__class__"],
            Err("allow_all_attrs"),
        );
        check(
            nothing,
            Get,
            "__globals__",
            &["__globals__"],
            Err("allow_all_attrs"),
        );
        check(nothing, Get, "__subclasses__", &[], Err("allow_all_attrs"));
        check(
            nothing,
            Get,
            "__getattribute__",
            &[],
            Err("allow_all_attrs"),
        );
        check(
            nothing,
            Get,
            "__reduce__",
            &["__reduce__"],
            Err("allow_all_attrs"),
        );
    }

    #[test]
    fn writing_and_deleting_are_off_by_default() {
        check(
            nothing,
            Access::Set,
            "exposed_x",
            &["exposed_x"],
            Err("allow_setattr"),
        );
        check(
            nothing,
            Access::Del,
            "exposed_x",
            &["exposed_x"],
            Err("allow_delattr"),
        );
        let writable = |config: &mut Config| config.allow_setattr = true;
        check(writable, Access::Set, "x", &["exposed_x"], Ok("exposed_x"));
        check(
            writable,
            Access::Set,
            "x",
            &["x"],
            Err("allow_public_attrs"),
        );
        check(
            writable,
            Access::Del,
            "x",
            &["exposed_x"],
            Err("allow_delattr"),
        );
        let deletable = |config: &mut Config| config.allow_delattr = true;
        check(deletable, Access::Del, "x", &["exposed_x"], Ok("exposed_x"));
    }

    #[test]
    fn allow_getattr_off_refuses_everything() {
        let closed = |config: &mut Config| {
            config.allow_getattr = false;
            config.allow_all_attrs = true;
        };
        check(
            closed,
            Access::Get,
            "exposed_x",
            &["exposed_x"],
            Err("allow_getattr"),
        );
        check(
            closed,
            Access::Get,
            "__len__",
            &["__len__"],
            Err("allow_getattr"),
        );
    }

    #[test]
    fn each_allowance_can_be_taken_away() {
        use Access::Get;
        let unsafe_ = |config: &mut Config| config.allow_safe_attrs = false;
        check(
            unsafe_,
            Get,
            "__len__",
            &["__len__"],
            Err("allow_all_attrs"),
        );
        let unexposed = |config: &mut Config| config.allow_exposed_attrs = false;
        check(
            unexposed,
            Get,
            "add",
            &["exposed_add"],
            Err("allow_public_attrs"),
        );
        check(
            unexposed,
            Get,
            "exposed_add",
            &["exposed_add"],
            Err("allow_public_attrs"),
        );
    }

    #[test]
    fn each_allowance_can_be_given() {
        use Access::Get;
        let public = |config: &mut Config| config.allow_public_attrs = true;
        check(public, Get, "add", &["add"], Ok("add"));
        check(public, Get, "_add", &["_add"], Err("allow_all_attrs"));
        let all = |config: &mut Config| config.allow_all_attrs = true;
        check(all, Get, "_add", &["_add"], Ok("_add"));
        check(all, Get, "__class__", &["__class__"], Ok("__class__"));
        let renamed = |config: &mut Config| config.exposed_prefix = "rpc_".to_owned();
        check(renamed, Get, "add", &["rpc_add"], Ok("rpc_add"));
        check(
            renamed,
            Get,
            "add",
            &["exposed_add"],
            Err("allow_public_attrs"),
        );
    }

    #[test]
    fn an_exposed_twin_wins_unless_the_plain_name_is_allowed_and_there() {
        use Access::Get;
        let public = |config: &mut Config| config.allow_public_attrs = true;
        check(public, Get, "x", &["exposed_x"], Ok("exposed_x"));
        check(public, Get, "x", &["x", "exposed_x"], Ok("x"));
        check(nothing, Get, "x", &["x", "exposed_x"], Ok("exposed_x"));
        check(
            nothing,
            Get,
            "__len__",
            &["exposed___len__"],
            Ok("exposed___len__"),
        );
    }

    #[test]
    fn an_empty_prefix_exposes_every_name_but_renames_none() {
        let empty = |config: &mut Config| config.exposed_prefix = String::new();
        check(empty, Access::Get, "_x", &["_x"], Ok("_x"));
        let off = |config: &mut Config| {
            config.exposed_prefix = String::new();
            config.allow_exposed_attrs = false;
        };
        check(off, Access::Get, "_x", &["_x"], Err("allow_all_attrs"));
    }
}
