//! What the macros make of Rust types, at a Python client: dicts, and exceptions of its own classes.

use std::error::Error;
use std::fmt;

use rpyc_core::by_value::AsDict;
use rpyc_core::object::Dict;
use rpyc_core::{Any, Config, Exception, PythonException, dict, service};
use serde::Serialize;

use crate::serving::{run, run_with};

#[derive(Debug, PartialEq, PythonException)]
#[exception(module = "lab")]
struct OutOfRange {
    #[arg]
    channel: u32,
    volts: f64,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} V on channel {}", self.volts, self.channel)
    }
}

impl Error for OutOfRange {}

/// Without an argument of its own its message is one.
#[derive(Debug, PartialEq, PythonException)]
#[exception(module = "lab::errors", class = "Offline")]
struct Unreachable {
    host: String,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} doesn't answer", self.host)
    }
}

impl Error for Unreachable {}

#[derive(Serialize)]
struct Reading {
    volts: f64,
    channel: u32,
    range: (i64, i64),
    notes: Vec<Note>,
}

#[derive(Serialize)]
struct Note {
    text: &'static str,
}

struct Lab;

#[service]
impl Lab {
    #[exposed]
    fn set(&self, channel: u32, volts: f64) -> Result<f64, OutOfRange> {
        match volts {
            0.0..=5.0 => Ok(volts),
            volts => Err(OutOfRange { channel, volts }),
        }
    }

    #[exposed]
    fn find(&self, host: String) -> Result<(), Unreachable> {
        Err(Unreachable { host })
    }

    /// Calls, and says what was raised, as the Rust type that it is.
    #[exposed]
    fn attempt(&self, function: Any) -> Result<String, Exception> {
        let raised = function.call(rpyc_core::args![]).err();
        let raised = raised.ok_or("nothing was raised")?;
        let out_of_range = raised.downcast::<OutOfRange>();
        let unreachable = raised.downcast::<Unreachable>();
        Ok(format!("{out_of_range:?} {unreachable:?}"))
    }

    #[exposed]
    fn settings(&self) -> Result<Dict, Exception> {
        dict! { "volts" => 1.5, "auto" => true, "limits" => dict! { "low" => 0 }, 3 => "three" }
    }

    #[exposed]
    fn read(&self, channel: u32) -> AsDict<Reading> {
        AsDict(Reading {
            volts: 1.5,
            channel,
            range: (0, 10),
            notes: vec![Note { text: "warm" }],
        })
    }
}

#[test]
fn a_dict_has_the_order_in_which_it_is_written() {
    run(
        Lab,
        r#"
        settings = root.settings()
        same(list(settings), ["volts", "auto", "limits", 3])
        same((settings["volts"], settings["auto"], settings[3]), (1.5, True, "three"))
        same(settings["limits"]["low"], 0)
        settings["volts"] = 2
        same(settings["volts"], 2)
        "#,
    );
}

#[test]
fn a_serde_struct_is_a_dict() {
    run(
        Lab,
        r#"
        reading = root.read(7)
        same(list(reading), ["volts", "channel", "range", "notes"])
        same((reading["volts"], reading["channel"], reading["range"]), (1.5, 7, (0, 10)))
        same(reading["notes"][0]["text"], "warm")
        same("volts" in reading and len(reading), 4)
        "#,
    );
}

#[test]
fn a_rust_error_is_an_exception_with_class_arguments_and_attributes() {
    run(
        Lab,
        r#"
        import types
        same(root.set(3, 2.5), 2.5)
        with raises(rpyc.core.vinegar.GenericException) as raised:
            root.set(3, 7.5)
        same(type(raised.value).__name__, "lab.OutOfRange")
        same((raised.value.args, raised.value.channel, raised.value.volts), ((3,), 3, 7.5))
        with raises(rpyc.core.vinegar.GenericException) as raised:
            root.find("scope")
        same(type(raised.value).__name__, "lab.errors.Offline")
        same((raised.value.args, raised.value.host), (("scope doesn't answer",), "scope"))

        # A client that has the class, and says that it may be made.
        class OutOfRange(Exception):
            pass
        module = types.ModuleType("lab")
        OutOfRange.__module__, module.OutOfRange = "lab", OutOfRange
        sys.modules["lab"] = module
        known = rpyc.connect(HOST, PORT, config={"instantiate_custom_exceptions": True})
        with raises(OutOfRange) as raised:
            known.root.set(3, 7.5)
        same((raised.value.args, raised.value.channel, raised.value.volts), ((3,), 3, 7.5))
        "#,
    );
}

#[test]
fn an_exception_of_a_client_is_the_rust_error_that_stands_for_its_class() {
    let config = Config::new()
        .known_exception::<OutOfRange>()
        .known_exception::<Unreachable>();
    run_with(
        Lab,
        config,
        r#"
        class OutOfRange(Exception):
            __module__ = "lab"
            def __init__(self, channel, volts):
                super().__init__(channel)
                self.channel, self.volts = channel, volts
        class Offline(OSError):
            __module__ = "lab.errors"
            host = "scope"
        def fail(error):
            def function():
                raise error
            return function
        same(root.attempt(fail(OutOfRange(3, 7.5))), "Some(OutOfRange { channel: 3, volts: 7.5 }) None")
        same(root.attempt(fail(Offline("gone"))), "None Some(Unreachable { host: \"scope\" })")
        # One of this name that isn't made like it.
        same(root.attempt(fail(OutOfRange("three", 7.5))), "None None")
        same(root.attempt(fail(ValueError(3))), "None None")
        "#,
    );
}
