//! The options and their defaults beside those of Python's rpyc, read out of it.

use rpyc_core::Config;
use rpyc_core::service::PeerInfo;
use rpyc_tests::Script;

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Ours, as a dict in Python under the names that it has there.
fn ours(config: &Config) -> String {
    let mut safe: Vec<_> = config.safe_attrs.iter().collect();
    safe.sort();
    let seconds = config.sync_request_timeout.map(|limit| limit.as_secs());
    let switches = [
        ("allow_safe_attrs", config.allow_safe_attrs),
        ("allow_exposed_attrs", config.allow_exposed_attrs),
        ("allow_public_attrs", config.allow_public_attrs),
        ("allow_all_attrs", config.allow_all_attrs),
        ("allow_getattr", config.allow_getattr),
        ("allow_setattr", config.allow_setattr),
        ("allow_delattr", config.allow_delattr),
        ("allow_pickle", config.allow_pickle),
        ("include_local_traceback", config.include_local_traceback),
        ("include_local_version", config.include_local_version),
        (
            "instantiate_custom_exceptions",
            config.instantiate_custom_exceptions,
        ),
        ("import_custom_exceptions", config.import_custom_exceptions),
        (
            "instantiate_oldstyle_exceptions",
            config.instantiate_oldstyle_exceptions,
        ),
        (
            "propagate_SystemExit_locally",
            config.propagate_system_exit_locally,
        ),
        (
            "propagate_KeyboardInterrupt_locally",
            config.propagate_keyboard_interrupt_locally,
        ),
        ("log_exceptions", config.log_exceptions),
        ("close_catchall", config.close_catchall),
        ("bind_threads", config.bind_threads),
    ];
    let peer = PeerInfo::default();
    let absent = [
        ("connid", peer.connid.is_none()),
        ("credentials", peer.credentials.is_none()),
        ("endpoints", peer.endpoints.is_none()),
        // A hook of services here, of which there is none by default.
        ("before_closed", true),
    ];
    let mut items: Vec<String> = Vec::new();
    items.extend(switches.map(|(name, value)| format!("{name:?}: {}", truth(value))));
    items.extend(
        absent.map(|(name, none)| format!("{name:?}: {}", if none { "None" } else { "..." })),
    );
    items.push(format!("\"safe_attrs\": {safe:?}"));
    items.push(format!("\"exposed_prefix\": {:?}", config.exposed_prefix));
    items.push(format!(
        "\"sync_request_timeout\": {}",
        seconds.unwrap_or(0)
    ));
    items.push(format!("\"logger\": {:?}", config.logger));
    format!("{{{}}}", items.join(", "))
}

#[test]
fn every_option_of_pythons_is_here_with_its_default() {
    let code = format!(
        r#"
from rpyc.core.protocol import DEFAULT_CONFIG
ours = {}
stock = dict(DEFAULT_CONFIG)
# There, no logger is one that is made for the occasion; here, it is a name.
same((stock.pop("logger"), ours.pop("logger")), (None, "rpyc"))
same(set(ours.pop("safe_attrs")), set(stock.pop("safe_attrs")))
same(sorted(ours), sorted(stock))
for name, value in stock.items():
    same((name, ours[name]), (name, value))
"#,
        ours(&Config::default())
    );
    let outcome = Script::new(&code).outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}
