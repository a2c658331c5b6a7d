//! The Python package `rpyc_rs`: `pip install ./rpyc-server/python`.

mod names;
mod scripts;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rpyc_tests::package::{Environment, wheel};
use rpyc_tests::python::{interpreter, progress};
use rpyc_tests::server::binary;
use rpyc_tests::versions::pythons;
use rpyc_tests::{Script, Server};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One for all tests that change nothing in it.
fn environment() -> &'static Environment {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| Environment::with_package(interpreter()))
}

/// A classic server by this program, with these arguments first.
fn serve(program: &Path, arguments: &[&str]) -> Server {
    let mut command = Command::new(program);
    command.args(arguments);
    Server::by(command)
}

/// A script that finds where the package is, beside a connection to the server.
fn client(server: &Server, code: &str) -> Script {
    let python = environment().program("python");
    let module = environment().module();
    server
        .client(code)
        .variable("VENV_PYTHON", python.to_string_lossy())
        .variable("VENV_MODULE", module.to_string_lossy())
        .variable("VERSION", VERSION)
}

#[track_caller]
fn check(server: &Server, code: &str) {
    server.succeed(client(server, code).outcome());
}

const SERVES: &str = "
    same(conn.eval('6 * 7'), 42)
    same(conn.modules.sys.executable, os.environ['VENV_PYTHON'])
    same(conn.modules['rpyc_rs'].__version__, os.environ['VERSION'])
    # The module that serves is the one that is installed there.
    conn.execute('maps = open(\"/proc/self/maps\").read()')
    assert os.environ['VENV_MODULE'] in conn.namespace['maps']
    # Nothing can be imported from the folder of the script, or the current one.
    folders = list(conn.modules.sys.path)
    for folder in '', conn.modules.os.getcwd(), os.path.dirname(os.environ['VENV_PYTHON']):
        assert folder not in folders, folders
    # The rpyc that is installed there is whole.
    same(conn.modules.rpyc.__version__, '6.0.2')
    conn.execute('from rpyc.utils.server import ThreadedServer')
    # A child process is of the same Python.
    conn.execute('import subprocess, sys')
    prefix = conn.eval('subprocess.run([sys.executable, \"-c\", \"import sys; print(sys.prefix)\"], '
                       'stdout=subprocess.PIPE, text=True).stdout')
    same(prefix.strip(), conn.modules.sys.prefix)
";

#[test]
fn one_wheel_is_for_every_python_and_of_the_programs_version() {
    let name = wheel().file_name().unwrap_or_default().to_string_lossy();
    let beginning = format!("rpyc_rs-{VERSION}-cp310-abi3-");
    assert!(name.starts_with(&beginning), "{name}");
    let said = Command::new(environment().program("rpyc-server"))
        .arg("--version")
        .output()
        .expect("it runs");
    let programs = Command::new(binary())
        .arg("--version")
        .output()
        .expect("it runs");
    assert_eq!(said, programs);
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn the_console_script_serves() {
    let script = environment().program("rpyc-server");
    check(&serve(&script, &["--classic", "--port", "0"]), SERVES);
}

#[test]
fn the_console_script_serves_each_client_by_a_process_of_that_python() {
    let script = environment().program("rpyc-server");
    let server = serve(&script, &["--classic", "--port", "0", "--mode", "process"]);
    check(&server, SERVES);
    let own = server
        .client("print(conn.modules.os.getpid())")
        .outcome()
        .expect("served");
    assert_ne!(own, server.process_id().to_string());
}

#[test]
fn the_package_runs_as_a_module() {
    let python = environment().program("python");
    let server = serve(&python, &["-m", "rpyc_rs", "--classic", "--port", "0"]);
    check(&server, SERVES);
}

#[test]
fn the_program_finds_the_package_in_the_python_that_it_is_given() {
    let python = environment().program("python");
    let python = python.to_string_lossy();
    let arguments = ["--classic", "--port", "0", "--python", &python];
    check(&serve(binary(), &arguments), SERVES);
}

#[test]
fn the_package_says_what_it_is_to_type_checkers() {
    let folder = environment().module();
    let folder = folder.parent().expect("a folder");
    for file in ["py.typed", "_native.pyi"] {
        assert!(folder.join(file).is_file(), "{file} is missing");
    }
}

/// What the program says when it can't serve with this Python.
#[track_caller]
fn refused(program: &Path, python: &Path) -> String {
    refused_in(program, python, "threaded")
}

#[track_caller]
fn refused_in(program: &Path, python: &Path, mode: &str) -> String {
    let mut command = Command::new(program);
    command.args(["--classic", "--port", "0", "--mode", mode, "--python"]);
    let ended = command.arg(python).stdin(Stdio::null()).output();
    let ended = ended.expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    said
}

/// The text has each of these, or it is shown.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

#[test]
fn a_package_of_another_version_is_an_error_that_says_what_to_do() {
    let environment = Environment::with_package(interpreter());
    let module = environment.module();
    let mut bytes = fs::read(&module).expect("the module");
    // What a module of another version has in its place.
    let other = VERSION.replace(|c: char| c.is_ascii_digit(), "7");
    let places: Vec<usize> = (0..bytes.len() - VERSION.len())
        .filter(|&at| bytes[at..].starts_with(VERSION.as_bytes()))
        .collect();
    for at in places {
        bytes[at..at + VERSION.len()].copy_from_slice(other.as_bytes());
    }
    fs::write(&module, bytes).expect("written");
    let said = refused(binary(), &environment.program("python"));
    let is = format!("is of version {other}, the program of {VERSION}");
    says(&said, &[&is, "pip install ./rpyc-server/python", VERSION]);
}

#[test]
fn a_python_without_the_module_is_an_error_that_says_what_to_do() {
    // Beside it there is none either.
    let folder = tempfile::TempDir::new().expect("a folder");
    let program = folder.path().join("rpyc-server");
    fs::copy(binary(), &program).expect("copied");
    let said = refused(&program, interpreter());
    let places = folder.path().to_string_lossy();
    says(
        &said,
        &[
            "extension module",
            &places,
            "librpyc_server.so of the same build beside the program",
            "pip install ./rpyc-server/python",
        ],
    );
}

#[test]
fn too_old_a_python_is_an_error_that_says_what_is_needed() {
    let old = pythons(&["3.6", "3.7", "3.8", "3.9"]);
    if old.is_empty() {
        progress("no Python from 3.6 to 3.9 at hand: how it is refused isn't shown");
    }
    for (name, python) in old {
        let said = refused(binary(), &python);
        says(&said, &[&format!("it is Python {name}"), "3.10 or newer"]);
    }
}

#[test]
fn a_free_threaded_python_is_an_error_that_says_what_to_take() {
    // One that says that it is.
    let folder = tempfile::TempDir::new().expect("a folder");
    let text = "import sys; sys.abiflags = 't'";
    fs::write(folder.path().join("sitecustomize.py"), text).expect("written");
    let mut command = Command::new(binary());
    command.args(["--classic", "--port", "0", "--python"]);
    command
        .arg(interpreter())
        .env("PYTHONPATH", folder.path())
        .stdin(Stdio::null());
    let ended = command.output().expect("it runs");
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    says(&said, &["free-threaded", "Take the ordinary one"]);
}

#[test]
fn what_is_no_python_is_an_error_that_says_so() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let text = folder.path().join("python-notes");
    fs::write(&text, "no program").expect("written");
    let no_such = folder.path().join("python3");
    for (program, why) in [
        (no_such.as_path(), "No such file"),
        (&text, "denied"),
        (Path::new("/bin/true"), "doesn't answer as a Python does"),
        (Path::new("cat"), "doesn't answer as a Python does"),
        (Path::new("sh"), "doesn't answer as a Python does"),
    ] {
        for mode in ["threaded", "process"] {
            let said = refused_in(binary(), program, mode);
            says(&said, &["can't be run", why, ".venv/bin/python"]);
        }
    }
}

#[test]
fn the_units_drop_in_chooses_the_python() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy");
    let drop_in = fs::read_to_string(folder.join("python.conf")).expect("the drop-in");
    let setting = drop_in.lines().find_map(|l| l.strip_prefix("Environment="));
    let (name, _) = setting.and_then(|s| s.split_once('=')).expect("a setting");
    let python = environment().program("python");
    let checked = Command::new(binary())
        .args(["--classic", "--port", "0", "--check"])
        .env(name, &python)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout);
    says(&said, &["CPython 3.", &python.to_string_lossy()]);
}

#[test]
fn the_module_needs_no_library_that_an_image_of_python_lacks() {
    let module = environment().module();
    let Ok(listed) = Command::new("ldd").arg(module).output() else {
        return progress("no ldd here: the module's libraries aren't known");
    };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = listed.split_whitespace().filter(|w| w.starts_with("lib"));
    let names: Vec<&str> = words.filter_map(|w| Some(w.split_once(".so")?.0)).collect();
    assert!(names.contains(&"libc"), "{listed}");
    for name in names {
        let anyway = ["libc", "libdl", "libgcc_s", "libm", "libpthread", "librt"];
        assert!(anyway.contains(&name), "{listed}");
    }
}
