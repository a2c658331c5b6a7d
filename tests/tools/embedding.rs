//! `--path`, `--init` and PYTHONPATH.

use std::fs;
use std::process::Command;

use rpyc_core::{Connector, Netref, args};
use rpyc_tests::Server;
use rpyc_tests::deadline::PATIENCE;

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
fn names_of_the_script_are_those_of_the_main_module() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let init = folder.path().join("init.py").display().to_string();
    let script = "count = 0\ndef tick():\n    global count\n    count += 1\n    return count\nclass Point: pass\n_hidden = 5\n";
    fs::write(&init, script).expect("written");
    let server = Server::with_options(&["--init", &init]);
    server.check(
        r#"
        main = conn.modules.__main__
        same(main.tick(), 1)
        same(main.count, 1)
        main.count = 7
        same(main.tick(), 8)
        same((main._hidden, main.__name__), (5, '__main__'))
        same(conn.eval('Point.__module__'), '__main__')
        conn.execute('import pickle')
        same(conn.eval('type(pickle.loads(pickle.dumps(Point()))) is Point'), True)
        # What the script's names are in a session's namespace, is the session's own.
        conn.execute('count = 100')
        same(main.count, 8)
        "#,
    );
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

#[test]
fn modules_are_looked_for_where_the_options_and_the_environment_say_in_that_order() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let folders = ["flag", "variable", "other", "python"].map(|name| {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        // The same module in each, and one of its own.
        for module in ["shared", &format!("of_{name}")] {
            let file = path.join(format!("{module}.py"));
            fs::write(file, format!("place = {name:?}\n")).expect("written");
        }
        path.display().to_string()
    });
    let [flag, variable, other, python] = &folders;
    let place = |mut command: Command, module: &str| {
        let conn = Connector::new().timeout(Some(PATIENCE));
        let conn = conn.connect_subprocess(&mut command).expect("a server");
        let code = format!("__import__({module:?}).place");
        let root = conn.root().and_then(|root| root.extract::<Netref>());
        let place = root.expect("a root").call_method("eval", args![code]);
        let place = place.and_then(|place| place.extract::<String>());
        conn.close().expect("closed");
        place.map_err(|error| error.to_string())
    };
    let serve = |flags: &[&str]| {
        let mut command = command(&[&["--classic", "--mode", "stdio", "-q"], flags].concat());
        command
            .env_remove("RPYC_SERVER_PATH")
            .env_remove("PYTHONPATH");
        command
    };
    let variables = |mut command: Command| {
        command
            .env("RPYC_SERVER_PATH", format!("{variable}:{other}"))
            .env("PYTHONPATH", python);
        command
    };
    let found = |name: &str| Ok(name.to_owned());
    // A flag wins over its variable; PYTHONPATH comes behind both.
    let with_flag = || variables(serve(&["--path", flag]));
    assert_eq!(place(with_flag(), "shared"), found("flag"));
    assert_eq!(place(with_flag(), "of_python"), found("python"));
    assert!(place(with_flag(), "of_variable").is_err());
    let without = || variables(serve(&[]));
    assert_eq!(place(without(), "shared"), found("variable"));
    assert_eq!(place(without(), "of_other"), found("other"));
    assert_eq!(place(without(), "of_python"), found("python"));
    let mut pythonpath = serve(&[]);
    pythonpath.env("PYTHONPATH", format!("{python}:{other}"));
    assert_eq!(place(pythonpath, "shared"), found("python"));
    let missing = place(serve(&[]), "shared").expect_err("it is nowhere");
    assert!(missing.contains("ModuleNotFoundError"), "{missing}");
}
