//! The part of the client that runs at the server: some Python that saves round trips.

use rpyc_core::object::Netref;
use rpyc_core::{Any, Error, args};

use super::ClassicConnection;
use crate::python::PART;

/// Makes the helper at the server: a dict with its functions and classes, which nobody else
/// there sees.
pub(super) fn install(connection: &ClassicConnection) -> Result<Netref, Error> {
    let builtins = connection.builtins()?;
    let names = builtins.call_method("dict", args![])?;
    let names = names.netref()?;
    names.set_item("__name__", NAME)?;
    for source in SOURCES {
        let code = builtins.call_method("compile", args![source, NAME, "exec"])?;
        builtins.call_method("exec", args![code, Any::from(names.clone())])?;
    }
    Ok(names.clone())
}

/// What tracebacks call it.
const NAME: &str = "<rpyc client>";

const SOURCES: [&str; 4] = [
    PART,
    include_str!("files.py"),
    include_str!("streams.py"),
    include_str!("prompt.py"),
];
