//! Importing, and the modules that clients of Python's rpyc look for on the server's side.

use rpyc_core::args;

use crate::client::Client;

#[test]
fn modules_are_imported_by_dotted_name() {
    let client = Client::connect();
    let import = |name: &str| client.root().call_method("getmodule", args![name]);
    assert_eq!(
        import("xml.dom.minidom").expect("a module").type_name(),
        *"xml.dom.minidom"
    );
    let missing = import("no.such.module").expect_err("no module");
    let missing = missing.as_remote().expect("an exception");
    assert!(missing.is("ModuleNotFoundError"), "{missing}");
    client.close();
}

#[test]
fn what_clients_of_rpyc_look_for_is_there() {
    let client = Client::connect();
    client.execute(
        "import rpyc, rpyc.lib.compat, rpyc.core.netref, rpyc.core.vinegar, rpyc.utils.classic
import pickle
assert rpyc.lib.compat.pickle is pickle and rpyc.lib.compat.is_py_3k
assert rpyc.lib.compat.pickle.loads(pickle.dumps([1])) == [1]",
    );
    client.close();
}

#[test]
fn an_uploaded_package_has_a_place_to_go() {
    let client = Client::connect();
    client.execute(
        "import os, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    sys.path.insert(0, folder)
    try:
        import distutils.sysconfig
        found = distutils.sysconfig.get_python_lib() == folder
    finally:
        sys.path.remove(folder)",
    );
    assert_is!(client.eval("found"), true);
    client.close();
}

#[test]
fn teleporting_bytecode_is_refused_with_what_to_do_instead() {
    let client = Client::connect();
    client.execute("import rpyc.utils.teleportation as teleportation");
    let refused = client.raised("teleportation.import_function(('f', 'm', None, None, ()))");
    assert!(refused.is("TypeError"), "{refused}");
    assert!(refused.message().contains("import_source"), "{refused}");
    client.close();
}
