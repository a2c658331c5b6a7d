//! The attribute policy: which name of an object an access reaches, if any.
//!
//! Every handler that takes a name goes through [`resolve`], unless the object decides itself (`Object::access_override`) (docs/wire-protocol.md, section 8).

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

/// What each option lets through is shown over a connection: `tests/services/policy.rs`.
#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `name of attributes: what is read`, or what refuses it.
    #[track_caller]
    fn check(set: fn(&mut Config), rows: &str) {
        let mut config = Config::default();
        set(&mut config);
        for row in rows.lines().map(str::trim) {
            let (asked, expected) = row.split_once(": ").expect("an outcome");
            let (name, has) = asked.split_once(" of ").expect("attributes");
            let has = |name: &str| has.split('+').any(|one| one == name);
            let got = resolve(&config, Access::Get, name, has);
            let got = got.map_or_else(|Refused(by)| format!("refused by {by}"), String::from);
            assert_eq!(got, expected, "{row}");
        }
    }

    #[test]
    fn an_exposed_twin_wins_unless_the_plain_name_is_allowed_and_there() {
        check(
            |config| config.allow_public_attrs = true,
            "x of exposed_x: exposed_x
            x of x+exposed_x: x",
        );
        check(
            |_| {},
            "x of x+exposed_x: exposed_x
            __len__ of exposed___len__: exposed___len__",
        );
    }

    #[test]
    fn an_empty_prefix_exposes_every_name_but_renames_none() {
        check(
            |config| config.exposed_prefix = String::new(),
            "_x of _x: _x",
        );
        check(
            |config| {
                config.exposed_prefix = String::new();
                config.allow_exposed_attrs = false;
            },
            "_x of _x: refused by allow_all_attrs",
        );
    }
}
