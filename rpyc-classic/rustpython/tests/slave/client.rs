//! A client, and the server's side of its connection.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_classic::EvaluatorOptions;
use rpyc_classic::{Evaluator, SlaveOptions, SlaveService};
use rpyc_core::error::CloseReason;
use rpyc_core::object::Function;
use rpyc_core::{Any, Config, Connection, Error, Exception, Value, VoidService, args};
use rpyc_rustpython::RustPython;

/// One interpreter for all tests: their clients share it as clients of a server do.
pub(crate) static ENGINE: LazyLock<Arc<RustPython>> = LazyLock::new(|| {
    RustPython::start(EvaluatorOptions::default()).expect("the interpreter starts")
});

pub(crate) struct Client {
    connection: Connection,
    ended: Receiver<CloseReason>,
}

impl Client {
    pub(crate) fn connect() -> Client {
        Client::with(SlaveOptions::default())
    }

    pub(crate) fn with(options: SlaveOptions) -> Client {
        Client::start(&ENGINE, options)
    }

    /// A client of that interpreter.
    pub(crate) fn of(engine: &Arc<RustPython>) -> Client {
        Client::start(engine, SlaveOptions::default())
    }

    fn start(engine: &Arc<RustPython>, options: SlaveOptions) -> Client {
        let service = SlaveService::factory(engine.clone(), options)
            .create()
            .expect("a service");
        let mut config = Config::default();
        // What tests hand out as callbacks is theirs to be used.
        config.allow_all_attrs = true;
        let (connection, server) =
            Connection::pair(Arc::new(VoidService), config, service, Config::default())
                .expect("a connection");
        let (over, ended) = channel();
        let serve = move || {
            let _ = over.send(server.serve_all());
        };
        engine
            .executor()
            .execute(Box::new(serve))
            .expect("a thread");
        Client { connection, ended }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn root(&self) -> Any {
        self.connection.root().expect("the root")
    }

    /// Evaluates an expression that raises nothing.
    #[track_caller]
    pub(crate) fn eval(&self, text: &str) -> Any {
        match self.root().call_method("eval", args![text]) {
            Ok(result) => result,
            Err(error) => panic!("{text}: {error}"),
        }
    }

    /// Whether an expression is true.
    #[track_caller]
    pub(crate) fn is_true(&self, text: &str) -> bool {
        self.eval(text).as_value() == Some(&Value::from(true))
    }

    /// Evaluates an expression that raises.
    #[track_caller]
    pub(crate) fn raised(&self, text: &str) -> Exception {
        match self.root().call_method("eval", args![text]) {
            Err(Error::Remote(exception)) => exception,
            other => panic!("{text}: {other:?} instead of an exception"),
        }
    }

    #[track_caller]
    pub(crate) fn execute(&self, text: &str) {
        if let Err(error) = self.root().call_method("execute", args![text]) {
            panic!("{text}: {error}");
        }
    }

    /// Calls a function of the namespace.
    #[track_caller]
    pub(crate) fn call(&self, name: &str, argument: impl Into<Any>) -> Any {
        let function = self.eval(name);
        let function = function.netref().expect("a function");
        let argument: Any = argument.into();
        match function.call(args![argument]) {
            Ok(result) => result,
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// Closes the connection and waits for the server's side of it.
    pub(crate) fn close(self) {
        self.connection.close().expect("closing");
        let reason = self
            .ended
            .recv_timeout(DEADLINE)
            .expect("the server's side ends");
        assert!(reason.is_normal(), "{reason}");
    }
}

/// A Python function of the client's that doubles its argument.
pub(crate) fn doubling() -> Any {
    let double = Function::new("double", |_, args| {
        let number = args
            .positional
            .first()
            .and_then(Any::as_value)
            .and_then(|value| value.as_i64());
        number
            .map(|number| Any::from(number * 2))
            .ok_or_else(|| Exception::type_error("not a number"))
    });
    Any::object(double)
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "never: {what}");
        thread::yield_now();
    }
}

const DEADLINE: Duration = Duration::from_secs(30);
