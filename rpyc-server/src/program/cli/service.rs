//! Options of a service that is written in Python.

use clap::builder::NonEmptyStringValueParser;

use super::options::{Effect, many, options, switch, text};

options! {
    /// Which class is served, and how.
    Service in "Service in Python" {
        /// `module:Class`
        place: Option<String> = text("service", "MODULE:CLASS",
            "Serve this class: clients use what has a name that begins with exposed_. Each client \
             gets an instance; an object that is no class serves all")
            .in_short("Serve this class of Python's: names that begin with exposed_");
        shared: bool = switch("shared", "With --service: one instance serves all clients")
            .counts(Effect::Service);
        protocol_config: Vec<String> = many(
            "protocol-config", "NAME=VALUE", NonEmptyStringValueParser::new(),
            "With --service: an option of Python's rpyc for the clients' connections \
             (allow_public_attrs=true), or a dict of them by its place (module:NAME); can be given \
             several times").counts(Effect::Service);
    }
}
