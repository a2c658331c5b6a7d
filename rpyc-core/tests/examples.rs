//! Every example runs to its end. (`classic_client` needs a server in Python: the live matrix
//! runs it.)

#[path = "../examples/asynchronous.rs"]
mod asynchronous;
#[path = "../examples/by_value.rs"]
mod by_value;
#[path = "../examples/callbacks.rs"]
mod callbacks;
#[path = "../examples/custom_object.rs"]
mod custom_object;
#[path = "../examples/echo.rs"]
mod echo;

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
fn custom_object_runs() {
    custom_object::main().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn echo_runs() {
    echo::main().unwrap_or_else(|error| panic!("{error}"));
}
