//! Every example runs to its end. (`classic_client` needs a server in Python: the live matrix
//! runs it.)

#[path = "../examples/asynchronous.rs"]
mod asynchronous;
#[path = "../examples/by_value.rs"]
mod by_value;
#[path = "../examples/callbacks.rs"]
mod callbacks;
#[path = "../examples/ctrl_c.rs"]
mod ctrl_c;
#[path = "../examples/custom_object.rs"]
mod custom_object;
#[path = "../examples/echo.rs"]
mod echo;

#[path = "../examples/reconnecting.rs"]
mod reconnecting;

#[test]
fn asynchronous_runs() {
    asynchronous::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn by_value_runs() {
    by_value::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn callbacks_runs() {
    callbacks::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn ctrl_c_runs() {
    let sigint = signal_hook::consts::SIGINT;
    let signals = signal_hook::iterator::Signals::new([sigint]).expect("a signal's handler");
    let interrupt = move |_| signal_hook::low_level::raise(sigint).expect("raised");
    ctrl_c::run(signals, interrupt).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn custom_object_runs() {
    custom_object::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn echo_runs() {
    echo::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn reconnecting_runs() {
    reconnecting::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_example_is_run_and_short() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).expect("the examples") {
        let path = entry.expect("an example").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.lines().count() < 100, "{name} is long");
        let elsewhere = name == "classic_client";
        let here = include_str!("examples.rs").contains(&format!("fn {name}_runs()"));
        assert!(here || elsewhere, "{name} isn't run");
    }
}
