//! What evaluators have in common that is written in Python: for those who make one.
//!
//! [`SOURCES`] are what is policy: what a netref answers by itself, how exceptions travel, which methods
//! a class has. They stand on one module of the evaluator's, `_rpyc_native`, whose contract is
//! `_rpyc_native.pyi` beside them. [`PACKAGE`] is the small `rpyc` that clients' code finds.

/// Modules by their names, each of which needs those before it alone.
pub const SOURCES: &[(&str, &str)] = &[
    ("_rpyc_objects", include_str!("objects.py")),
    ("_rpyc_async", include_str!("async_.py")),
    ("_rpyc_hashes", include_str!("hashes.py")),
    ("_rpyc_locale", include_str!("locale.py")),
    ("_rpyc_sources", include_str!("sources.py")),
    ("_rpyc_proxies", include_str!("proxies.py")),
    ("_rpyc_exceptions", include_str!("exceptions.py")),
    ("_rpyc_plain_names", include_str!("plain_names.py")),
    ("_rpyc_raised", include_str!("raised.py")),
    ("_rpyc_session", include_str!("session.py")),
    ("_rpyc_package", include_str!("package.py")),
];

/// Modules by their names, whether they are packages, and their sources: the small `rpyc`, and what stands
/// in for parts of the standard library that clients look for.
pub const PACKAGE: &[(&str, bool, &str)] = &[
    ("_rpyc_services", false, include_str!("services.py")),
    ("distutils", true, EMPTY),
    (
        "distutils.sysconfig",
        false,
        include_str!("rpyc/sysconfig.py"),
    ),
    ("rpyc", true, include_str!("rpyc/rpyc.py")),
    ("rpyc.core", true, include_str!("rpyc/core.py")),
    ("rpyc.core.async_", false, include_str!("rpyc/async_.py")),
    ("rpyc.core.brine", false, include_str!("rpyc/brine.py")),
    ("rpyc.core.channel", false, include_str!("rpyc/channel.py")),
    ("rpyc.core.consts", false, include_str!("rpyc/consts.py")),
    ("rpyc.core.netref", false, include_str!("rpyc/netref.py")),
    (
        "rpyc.core.protocol",
        false,
        include_str!("rpyc/protocol.py"),
    ),
    ("rpyc.core.service", false, include_str!("rpyc/service.py")),
    ("rpyc.core.stream", false, include_str!("rpyc/stream.py")),
    ("rpyc.core.vinegar", false, include_str!("rpyc/vinegar.py")),
    ("rpyc.lib", true, include_str!("rpyc/lib.py")),
    ("rpyc.lib.compat", false, include_str!("rpyc/compat.py")),
    ("rpyc.utils", true, include_str!("rpyc/utils.py")),
    ("rpyc.utils.classic", false, include_str!("rpyc/classic.py")),
    ("rpyc.utils.factory", false, include_str!("rpyc/factory.py")),
    ("rpyc.utils.helpers", false, include_str!("rpyc/helpers.py")),
    ("rpyc.utils._part", false, PART),
    ("rpyc.utils.teleportation", false, TELEPORTATION),
    ("rpyc.version", false, include_str!("rpyc/version.py")),
];

/// Functions of peers by their bytecode or source: a module that evaluators may need without [`PACKAGE`].
pub const TELEPORTATION: &str = include_str!("rpyc/teleportation.py");

/// Files that are written, here and at peers.
pub(crate) const PART: &str = include_str!("rpyc/part.py");

const EMPTY: &str = include_str!("rpyc/empty.py");
