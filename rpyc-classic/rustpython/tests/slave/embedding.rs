//! What a program puts into its interpreter.

use std::fs;
use std::sync::{Arc, Mutex};

use rpyc_classic::embedding::{Imports, Init, Module};
use rpyc_classic::{ClassicConnection, SlaveOptions, SlaveService};
use rpyc_classic::{Evaluator, EvaluatorOptions, StartError};
use rpyc_core::object::Function;
use rpyc_core::service::PeerInfo;
use rpyc_core::transport::{MemoryStream, memory_pair};
use rpyc_core::{Any, Config, Connection, Exception, Exposed, VoidService, args, expose};
use rpyc_rustpython::RustPython;

#[path = "../../examples/embedding.rs"]
mod example;

fn connect(engine: &RustPython, options: SlaveOptions, name: &str) -> ClassicConnection {
    let service = Arc::new(SlaveService::new(engine, options));
    let (here, there) = memory_pair();
    let here = Connection::open(here, VoidService, Config::new()).expect("a connection");
    let there = named(there, service, name).expect("a connection");
    std::thread::spawn(move || there.serve_all());
    ClassicConnection::new(here).expect("classic")
}

fn named(
    stream: MemoryStream,
    service: Arc<SlaveService>,
    name: &str,
) -> Result<Connection, rpyc_core::Error> {
    let (stream, peer) = (Arc::new(stream), PeerInfo::named(name));
    Connection::over(stream, service, Config::new(), peer)
}

fn start(change: impl FnOnce(&mut EvaluatorOptions)) -> Arc<RustPython> {
    let mut options = EvaluatorOptions::default();
    change(&mut options);
    RustPython::start(options).expect("an interpreter")
}

#[track_caller]
fn is_true(conn: &ClassicConnection, code: &str) {
    let value = conn
        .eval(code)
        .unwrap_or_else(|error| panic!("{code}: {error}"));
    assert!(value.clone().extract::<bool>().expect("a bool"), "{code}");
}

#[track_caller]
fn import_error(result: Result<(), rpyc_core::Error>, name: &str) {
    let error = result.expect_err("refused");
    let raised = error.as_remote().expect("an exception");
    assert!(raised.is("ImportError"), "{raised}");
    assert!(
        raised
            .message()
            .contains("may not be imported on this server"),
        "{raised}"
    );
    assert_eq!(
        raised.attr("name").and_then(|name| name.as_str()),
        Some(name)
    );
}

#[test]
fn the_example_runs() {
    let outcome = example::run().unwrap_or_else(|error| panic!("{error}"));
    let refused = "ImportError: the module 'subprocess' may not be imported on this server";
    assert!(
        outcome.starts_with(&format!("at 500; {refused}")),
        "{outcome}"
    );
}

#[derive(Default)]
struct Callers(Mutex<Vec<String>>);

#[expose(module = "lab")]
impl Callers {
    #[exposed]
    fn call(&self, cx: &rpyc_core::Context<'_>, function: Any) -> Result<Any, Exception> {
        let connection = cx.connection().connid().to_owned();
        self.0.lock().map_err(|_| "a panic")?.push(connection);
        function.call_in(cx, args![20])
    }
}

#[test]
fn objects_of_a_module_know_whose_code_calls_and_may_call_back() {
    let callers = Exposed::new(Callers::default());
    let engine = start(|options| {
        options.modules = vec![
            Module::new("lab.bench.device")
                .doc("A device.")
                .with("callers", Any::from(callers.object()))
                .with("SERIAL", 7),
        ];
    });
    let one = connect(&engine, SlaveOptions::default(), "one");
    let two = connect(&engine, SlaveOptions::default(), "two");
    for conn in [&one, &two] {
        conn.execute("import lab.bench.device\nfrom lab.bench import device as d")
            .expect("imported");
        is_true(
            conn,
            "d is lab.bench.device and d.SERIAL == 7 and d.__doc__ == 'A device.'",
        );
        is_true(conn, "d.callers.call(lambda n: n + 1) == 21");
    }
    // A function of a client's, and a thread of nobody's.
    let double = Function::new("double", |_, args| {
        let number = args.positional.into_iter().next().unwrap_or(Any::NONE);
        Ok(Any::from(2 * number.extract::<i64>()?))
    });
    one.namespace()
        .and_then(|names| names.set("double", Any::object(double)))
        .expect("set");
    is_true(&one, "d.callers.call(double) == 40");
    two.execute("import threading\ngot = []\nthread = threading.Thread(target=lambda: got.append(d.callers.call(str)))\nthread.start()\nthread.join()").expect("executed");
    is_true(&two, "got == ['20']");
    let seen = callers.0.lock().expect("no panic").clone();
    assert_eq!(seen, ["one", "two", "one", "python"]);
    engine.stop();
}

#[test]
fn each_session_has_the_programs_names_and_its_own() {
    let engine = start(|_| ());
    let options = SlaveOptions::default().name("answer", 42).names(|cx| {
        let me = cx.connection().connid().to_owned();
        if me == "unwanted" {
            return Err(Exception::value_error("go away"));
        }
        Ok(vec![("me".to_owned(), Any::from(me))])
    });
    let one = connect(&engine, options.clone(), "one");
    let two = connect(&engine, options.clone(), "two");
    one.execute("answer = 0").expect("executed");
    is_true(&one, "me == 'one' and answer == 0");
    is_true(&two, "me == 'two' and answer == 42");
    let service = Arc::new(SlaveService::new(&*engine, options));
    let (stream, _other) = memory_pair();
    let refused = named(stream, service, "unwanted");
    assert!(refused.is_err_and(|error| error.to_string().contains("go away")));
    engine.stop();
}

#[test]
fn imports_are_restricted_for_clients_and_not_for_what_they_import() {
    let engine = start(|options| {
        options.imports = Imports::all().deny(["subprocess", "os.path", "ctypes"]);
    });
    let conn = connect(&engine, SlaveOptions::default(), "one");
    conn.execute("import os, json, platform, asyncio")
        .expect("imported");
    import_error(conn.execute("import subprocess"), "subprocess");
    import_error(
        conn.execute("def f():\n    import ctypes.util\nf()"),
        "ctypes.util",
    );
    import_error(conn.execute("from os import path"), "os");
    import_error(conn.execute("import os.path as p"), "os.path");
    import_error(
        conn.eval("__import__('subprocess')").map(drop),
        "subprocess",
    );
    import_error(conn.module("subprocess").map(drop), "subprocess");
    import_error(conn.module("os.path").map(drop), "os.path");
    conn.module("os").expect("a module that isn't denied");
    // Errors of other imports are what they were.
    let missing = conn.execute("import no_such_module").expect_err("none");
    assert!(
        missing
            .as_remote()
            .is_some_and(|raised| raised.is("ModuleNotFoundError"))
    );
    engine.stop();
}

#[test]
fn a_rule_for_imports_is_for_a_module_and_what_is_in_it() {
    let engine = start(|options| {
        let allowed = ["builtins", "xml", "os.path", "json"];
        options.imports = Imports::only(allowed).deny(["xml.sax"]);
    });
    let conn = connect(&engine, SlaveOptions::default(), "one");
    for (name, is_permitted) in [
        ("xml", true),
        ("xml.dom.minidom", true),
        ("xml.sax", false),
        ("xml.sax.handler", false),
        ("xmlrpc", false),
        ("os.path", true),
        ("os", false),
        ("json", true),
    ] {
        assert_eq!(conn.module(name).is_ok(), is_permitted, "{name}");
    }
    engine.stop();
}

#[test]
fn a_script_runs_once_and_its_names_are_everybodys() {
    let folder = tempfile::TempDir::new().expect("a folder");
    fs::write(folder.path().join("own_module.py"), "value = 5\n").expect("written");
    let script = folder.path().join("init.py");
    fs::write(
        &script,
        "import own_module\n_hidden = 1\ncount = [0]\ndef tick():\n    count[0] += 1\n    return count[0] + _hidden\n",
    )
    .expect("written");
    let engine = start(|options| {
        options.search_path = vec![folder.path().display().to_string()];
        options.init = Some(Init::from_file(&script).expect("a script"));
    });
    let one = connect(&engine, SlaveOptions::default(), "one");
    let two = connect(&engine, SlaveOptions::default(), "two");
    is_true(&one, "tick() == 2 and own_module.value == 5");
    is_true(&two, "tick() == 3 and '_hidden' not in globals()");
    one.execute("del tick").expect("executed");
    is_true(&two, "tick() == 4");
    engine.stop();
}

#[test]
fn a_script_that_raises_keeps_the_interpreter_from_starting() {
    let mut options = EvaluatorOptions::default();
    options.init = Some(Init::new(
        "start.py",
        "x = 1\nraise RuntimeError('no device')\n",
    ));
    let error = RustPython::start(options).expect_err("no interpreter");
    let StartError::Init(exception) = &error else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("no device"), "{error}");
    let traceback = exception.traceback().expect("a traceback");
    assert!(traceback.contains("\"start.py\", line 2"), "{traceback}");
}
