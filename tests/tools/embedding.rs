//! `--path`, `--init` and PYTHONPATH.

use std::fs;

use rpyc_tests::Server;

use crate::tool::{command, run};

#[test]
fn modules_and_names_of_the_operators_are_there_for_clients() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("own_tools.py"), "def double(x): return 2 * x\n").expect("written");
    fs::write(
        path("init.py"),
        "import own_tools\ndouble = own_tools.double\n",
    )
    .expect("written");
    let folder = folder.path().display().to_string();
    let server = Server::with_options(&["--path", &folder, "--init", &path("init.py")]);
    server.check("same(conn.eval('double(21)'), 42)\nsame(conn.modules.own_tools.double(2), 4)");
}

#[test]
fn what_is_wrong_with_them_keeps_the_server_from_starting() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let init = folder.path().join("init.py").display().to_string();
    fs::write(&init, "x = 1\nraise ValueError('not today')\n").expect("written");
    let serve = |arguments: &[&str]| {
        let arguments = [&["--classic", "--port", "0"], arguments].concat();
        run(command(&arguments), "")
    };
    let ran = serve(&["--init", &init]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("--init")
            && ran.err.contains("line 2")
            && ran.err.contains("ValueError: not today"),
        "{}",
        ran.err
    );
    let ran = serve(&["--init", "/no/such/file"]);
    assert!(
        ran.code == Some(2) && ran.err.contains("--init /no/such/file"),
        "{ran:?}"
    );
    let ran = serve(&["--path", "/no/such/folder"]);
    assert!(
        ran.code == Some(2) && ran.err.contains("--path /no/such/folder"),
        "{ran:?}"
    );
}
