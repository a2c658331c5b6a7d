//! Exceptions across a connection, and the options that concern them.

use std::io;
use std::sync::Arc;

use rpyc_core::error::CloseReason;
use rpyc_core::object::class::{Class, Method};
use rpyc_core::{
    Any, Args, Config, Connection, Context, Error, Exception, Exposed, PythonException, Value,
    VoidService, args,
};

use crate::support::{raised, session};

fn failing() -> Exposed<()> {
    let class = Class::builder("shop", "FailingService")
        .service()
        .method(Method::new("custom", |_, _, _| {
            Err(Exception::new("shop", "OutOfStock")
                .with_arg("tea")
                .with_arg(3)
                .with_attr("until", "Monday"))
        }))
        .method(Method::new("read", |_, _, _| {
            match std::fs::read("/no/such/file") {
                Err(error) => Err(Exception::from_io(&error, "/no/such/file")),
                Ok(_) => Ok(Any::NONE),
            }
        }))
        .method(Method::new("stop", |_, _, _| {
            Err(Exception::stop_iteration())
        }))
        .method(Method::new("exit", |_, _, _| {
            Err(Exception::builtin("SystemExit").with_arg(3))
        }))
        .method(Method::new("interrupt", |_, _, _| {
            Err(Exception::builtin("KeyboardInterrupt"))
        }))
        .method(Method::new("relay", |_, cx: &Context<'_>, _| {
            let root = cx.connection().root()?;
            root.call_in(cx, args![])
        }))
        .build();
    Exposed::of_class(class, ())
}

#[test]
fn a_custom_exception_keeps_module_name_arguments_and_attributes() {
    let session = session(failing(), Config::default());
    let error = raised(session.call("custom", args![]));
    assert_eq!(
        (&**error.module(), &**error.class()),
        ("shop", "OutOfStock")
    );
    assert_eq!(error.args(), [Value::from("tea"), Value::from(3)]);
    assert_eq!(error.attr("until"), Some(&Value::from("Monday")));
    assert_eq!(error.to_string(), "shop.OutOfStock: ('tea', 3)");
}

#[test]
fn an_error_of_the_system_keeps_errno_and_filename() {
    let session = session(failing(), Config::default());
    let error = raised(session.call("read", args![]));
    assert!(error.is("FileNotFoundError"), "{error}");
    assert_eq!(error.attr("errno"), Some(&Value::from(2)));
    assert_eq!(error.attr("filename"), Some(&Value::from("/no/such/file")));
}

#[test]
fn stop_iteration_crosses_with_nothing_else() {
    let session = session(failing(), Config::default());
    let error = raised(session.call("stop", args![]));
    assert!(error.is("StopIteration"), "{error}");
    assert!(error.attrs().is_empty());
}

#[test]
fn include_local_traceback_decides_whether_the_traceback_goes_out() {
    let traceback = |included| {
        let config = Config::new().include_local_traceback(included);
        let session = session(failing(), config);
        let error = raised(session.call("custom", args![]));
        error
            .traceback()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    assert!(traceback(true).contains("in FailingService.custom"));
    assert_eq!(traceback(false), "<traceback denied>");
}

#[test]
fn include_local_version_decides_whether_the_version_goes_out() {
    let version = |included| {
        let config = Config::new().include_local_version(included);
        let session = session(failing(), config);
        let error = raised(session.call("custom", args![]));
        error.attr("_remote_version").cloned()
    };
    assert_eq!(version(true), Some(Value::from("6.0.2")));
    assert_eq!(version(false), Some(Value::from("<version denied>")));
}

#[test]
fn system_exit_goes_to_the_peer_unless_it_is_to_end_the_connection_here() {
    let session = session(failing(), Config::default());
    let error = raised(session.call("exit", args![]));
    assert!(error.is("SystemExit"), "{error}");
    assert!(session.client.ping().is_ok());
    ends_the_connection("exit", |config| config.propagate_system_exit_locally = true);
}

#[test]
fn keyboard_interrupt_ends_the_connection_here_unless_it_is_to_go_to_the_peer() {
    ends_the_connection("interrupt", |_| {});
    let config = Config::new().propagate_keyboard_interrupt_locally(false);
    let session = session(failing(), config);
    let error = raised(session.call("interrupt", args![]));
    assert!(error.is("KeyboardInterrupt"), "{error}");
    assert!(session.client.ping().is_ok());
}

#[track_caller]
fn ends_the_connection(method: &str, set: fn(&mut Config)) {
    let mut config = Config::default();
    set(&mut config);
    let (client, server) = Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        Arc::new(failing()),
        config,
    )
    .expect("neither end refuses");
    let serving = std::thread::spawn(move || server.serve_all());
    let Ok(Any::Netref(root)) = client.root() else {
        panic!("the root is a reference");
    };
    let outcome = root.call_method(method, args![]);
    assert!(matches!(outcome, Err(Error::Closed(_))), "{outcome:?}");
    let reason = serving.join().expect("serving doesn't panic");
    assert!(matches!(reason, CloseReason::Raised(_)), "{reason}");
}

#[test]
fn each_hop_of_an_exception_stands_behind_a_line_that_counts_it() {
    let far = Class::builder("rust", "FarService")
        .service()
        .method(Method::new("__call__", |_, _, _| {
            Err(Exception::value_error("far away"))
        }))
        .build();
    let (client, server) = Connection::pair(
        Arc::new(Exposed::of_class(far, ())),
        Config::default(),
        Arc::new(failing()),
        Config::default(),
    )
    .expect("neither end refuses");
    let serving = std::thread::spawn(move || server.serve_all());
    let Ok(Any::Netref(root)) = client.root() else {
        panic!("the root is a reference");
    };
    let error = raised(root.call_method("relay", args![]));
    let traceback = error.traceback().expect("tracebacks are on").to_string();
    let (near, far) = traceback
        .split_once("\n\n========= Remote Traceback (1) =========\n")
        .expect("a hop was made");
    assert!(near.contains("in FailingService.relay"), "{near}");
    assert!(far.contains("in FarService.__call__"), "{far}");
    client.close().expect("it closes");
    let _ = serving.join();
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("there are only {left} of {what}")]
struct OutOfStock {
    what: String,
    left: i64,
}

impl PythonException for OutOfStock {
    const MODULE: &str = "shop";
    const CLASS: &str = "OutOfStock";

    fn from_exception(exception: &Exception) -> Option<OutOfStock> {
        Some(OutOfStock {
            what: exception.args().first()?.as_str()?.to_owned(),
            left: exception.attr("left")?.as_i64()?,
        })
    }
}

#[test]
fn instantiate_custom_exceptions_makes_rust_types_of_the_classes_that_they_stand_for() {
    let fails = |name: &'static str| {
        move |_: &Exposed<()>, _: &Context<'_>, _: Args| {
            let exception = Exception::new("shop", name).with_arg("tea");
            Err(exception.with_attr("left", 2))
        }
    };
    for (instantiates, registers) in [(true, true), (false, true), (true, false)] {
        let service = Class::builder("shop", "ShopService")
            .service()
            .method(Method::new("fail", fails("OutOfStock")))
            .method(Method::new("fail_otherwise", fails("Closed")))
            .build();
        let mut config = Config::new().instantiate_custom_exceptions(instantiates);
        if registers {
            config.known_exceptions.register::<OutOfStock>();
        }
        let void = Arc::new(VoidService);
        let service = Arc::new(Exposed::of_class(service, ()));
        let pair = Connection::pair(void, config, service, Config::default());
        let (client, server) = pair.expect("neither end refuses");
        let serving = std::thread::spawn(move || server.serve_all());
        let root = client.root().expect("a root");
        let raised = |name| match root.call_method(name, args![]) {
            Err(Error::Remote(exception)) => exception,
            other => panic!("{name} gave {other:?}"),
        };
        let expected = (instantiates && registers).then(|| OutOfStock {
            what: "tea".to_owned(),
            left: 2,
        });
        assert_eq!(raised("fail").downcast::<OutOfStock>(), expected);
        assert_eq!(raised("fail_otherwise").downcast::<OutOfStock>(), None);
        client.close().expect("a clean end");
        serving.join().expect("no panic");
    }
}

#[test]
fn options_of_old_are_accepted_and_change_nothing() {
    let raised_with = |set: fn(&mut Config)| {
        let mut config = Config::default();
        set(&mut config);
        let void = Arc::new(VoidService);
        let pair = Connection::pair(void, config, Arc::new(failing()), Config::default());
        let (client, server) = pair.expect("neither end refuses");
        let serving = std::thread::spawn(move || server.serve_all());
        let root = client.root().expect("a root");
        let error = raised(root.call_method("custom", args![]));
        client.close().expect("a clean end");
        serving.join().expect("no panic");
        format!("{error} {:?}", error.attrs())
    };
    let plain = raised_with(|_| {});
    assert!(plain.starts_with("shop.OutOfStock: ('tea', 3)"), "{plain}");
    let oldstyle = raised_with(|config| config.instantiate_oldstyle_exceptions = true);
    let imports = raised_with(|config| config.import_custom_exceptions = true);
    assert_eq!((&oldstyle, &imports), (&plain, &plain));
}

#[test]
fn an_error_of_the_system_is_an_os_error_with_errno_and_filename() {
    let error = std::fs::read("/no/such/file").expect_err("there is none");
    let exception = Exception::from_io(&error, "/no/such/file");
    assert!(exception.is("FileNotFoundError"), "{exception}");
    assert_eq!(exception.attr("errno").and_then(Value::as_i64), Some(2));
    assert_eq!(
        exception.attr("strerror").and_then(Value::as_str),
        Some("No such file or directory")
    );
    assert_eq!(
        exception.attr("filename").and_then(Value::as_str),
        Some("/no/such/file")
    );
    assert_eq!(exception.args().len(), 2);
}

#[test]
fn an_error_of_a_connection_keeps_class_and_errno_of_the_system() {
    let refused = Error::Io {
        doing: "connecting".into(),
        error: Arc::new(io::Error::from_raw_os_error(111)),
    };
    let exception = Exception::from(refused);
    assert!(exception.is("ConnectionRefusedError"), "{exception}");
    assert_eq!(exception.attr("errno").and_then(Value::as_i64), Some(111));
    assert_eq!(
        exception.to_string(),
        "ConnectionRefusedError: [Errno 111] connecting: Connection refused"
    );
}

#[test]
fn an_exception_survives_being_boxed_and_being_an_io_error() {
    let custom = Exception::new("shop", "OutOfStock").with_arg("tea");
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(custom.clone());
    assert_eq!(Exception::from(boxed), custom);
    let through_io = io::Error::other(custom.clone());
    assert_eq!(Exception::from(through_io), custom);
}

#[test]
fn an_error_without_a_class_is_a_runtime_error_that_names_its_causes() {
    let inner = "x".parse::<i64>().expect_err("no number");
    let outer = io::Error::other(inner);
    let exception = Exception::from_error("RuntimeError", &Outer(outer));
    assert!(exception.is("RuntimeError"));
    let traceback = exception.traceback().expect("it has causes");
    assert!(
        traceback.contains("Caused by: invalid digit"),
        "{traceback}"
    );
}

#[derive(Debug, thiserror::Error)]
#[error("the order failed")]
struct Outer(#[source] io::Error);
