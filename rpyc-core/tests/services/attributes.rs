//! The attribute macros: what is marked is there, as it says, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use rpyc_core::object::Iter;
use rpyc_core::service::PeerInfo;
use rpyc_core::{
    Any, Config, Connection, Context, Error, Exception, Exposed, Value, args, expose, service,
};

use crate::support::{raised, session};

#[derive(Default)]
struct CalculatorService {
    memory: AtomicI64,
    connected: AtomicUsize,
    ended: Arc<AtomicUsize>,
}

/// Calculates.
///
/// And remembers.
#[service(module = "calc", aliases("calc", "Sums"))]
impl CalculatorService {
    /// Adds two numbers.
    #[exposed]
    fn add(&self, a: i64, #[default = 1] b: i64) -> i64 {
        a + b
    }

    #[exposed]
    fn divide(&self, a: i64, b: i64) -> Result<i64, Exception> {
        a.checked_div(b)
            .ok_or_else(|| Exception::builtin("ZeroDivisionError").with_arg("division by zero"))
    }

    #[exposed]
    fn parse(&self, text: &str) -> Result<i64, std::num::ParseIntError> {
        text.parse()
    }

    #[exposed]
    fn sum(&self, #[rest] numbers: Vec<f64>, #[keywords] named: HashMap<String, f64>) -> f64 {
        numbers.iter().sum::<f64>() + named.values().sum::<f64>()
    }

    #[exposed]
    fn total(&self, numbers: &[i64]) -> i64 {
        numbers.iter().sum()
    }

    #[exposed]
    fn remember(&self, value: i64) {
        self.set_memory(value);
    }

    #[exposed]
    fn who(&self, cx: &Context<'_>) -> String {
        cx.connection().connid().to_owned()
    }

    #[exposed(name = "make")]
    fn counter(&self, #[default] start: i64) -> Counter {
        Counter {
            value: AtomicI64::new(start),
        }
    }

    #[exposed]
    fn itself(this: &Exposed<Self>) -> Exposed<CalculatorService> {
        this.clone()
    }

    #[exposed]
    fn add_counter(&self, counter: &Exposed<Counter>) -> i64 {
        counter.value.fetch_add(10, Ordering::Relaxed) + 10
    }

    #[exposed]
    fn connected(&self) -> usize {
        self.connected.load(Ordering::Relaxed)
    }

    #[getter]
    fn memory(&self) -> i64 {
        self.memory.load(Ordering::Relaxed)
    }

    fn set_memory(&self, value: i64) {
        self.memory.store(value, Ordering::Relaxed);
    }

    #[on_connect]
    fn greet(&self, cx: &Context<'_>) -> Result<(), Exception> {
        self.connected.fetch_add(1, Ordering::Relaxed);
        match cx.connection().config().logger.as_str() {
            "refused" => Err(Exception::builtin("PermissionError").with_arg("no")),
            _ => Ok(()),
        }
    }

    #[on_disconnect]
    fn bye(&self, _connection: &Connection) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    #[configure]
    fn set_up(&self, _: &mut Config, peer: &mut PeerInfo) {
        peer.connid = Some("calc-7".to_owned());
    }

    #[allow(dead_code)] // that it can't be reached is what it is here for
    fn secret(&self) -> &'static str {
        "secret"
    }
}

struct Counter {
    value: AtomicI64,
}

#[expose(module = "calc")]
impl Counter {
    #[exposed]
    fn __iter__(&self) -> Iter {
        Iter::new(0..self.value.load(Ordering::Relaxed))
    }

    #[exposed]
    fn __len__(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    #[exposed]
    fn __call__(&self, #[default = 1] step: i64) -> i64 {
        self.value.fetch_add(step, Ordering::Relaxed) + step
    }

    #[exposed]
    fn __enter__(this: &Exposed<Self>) -> Exposed<Self> {
        this.clone()
    }

    #[exposed]
    fn __exit__(&self, exc: Option<Exception>) -> bool {
        exc.is_some_and(|exc| exc.is("KeyError"))
    }

    #[exposed]
    fn __repr__(&self) -> String {
        format!("Counter({})", self.value.load(Ordering::Relaxed))
    }

    #[getter]
    fn value(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    #[setter]
    fn set_value(&self, value: i64) {
        self.value.store(value, Ordering::Relaxed);
    }
}

fn calculator() -> Exposed<CalculatorService> {
    Exposed::new(CalculatorService::default())
}

#[test]
fn marked_methods_take_typed_arguments_with_defaults() {
    let session = session(calculator(), Config::default());
    assert_eq!(session.value("add", args![1, 2]), Value::from(3));
    assert_eq!(session.value("add", args![1]), Value::from(2));
    assert_eq!(
        session.value("exposed_add", args![b = 5, a = 1]),
        Value::from(6)
    );
    assert_eq!(
        session.value("sum", args![1, 2.5, x = true]),
        Value::from(4.5)
    );
    let numbers = Any::tuple([1, 2, 3].map(Any::from));
    assert_eq!(session.value("total", args![numbers]), Value::from(6));
}

#[test]
fn what_does_not_fit_is_a_type_error_in_the_words_of_python() {
    let session = session(calculator(), Config::default());
    let message = |outcome| raised(outcome).to_string();
    assert_eq!(
        message(session.call("add", args![])),
        "TypeError: CalculatorService.add() missing 1 required positional argument: 'a'"
    );
    assert_eq!(
        message(session.call("add", args![1, 2, 3])),
        "TypeError: CalculatorService.add() takes from 2 to 3 positional arguments but 4 were given"
    );
    assert_eq!(
        message(session.call("add", args!["x"])),
        "TypeError: CalculatorService.add() argument 'a' must be int, not str"
    );
    assert_eq!(
        message(session.call("total", args![Any::tuple([Any::from(1), Any::from("x")])])),
        "TypeError: CalculatorService.total() argument 'numbers': item 1 must be int, not str"
    );
    assert_eq!(
        message(session.call("divide", args![i64::MAX - 1, Any::from(1_u64 << 63)])),
        "OverflowError: CalculatorService.divide() argument 'b' is out of range for i64"
    );
}

#[test]
fn an_error_is_raised_at_the_caller_with_class_arguments_and_place() {
    let session = session(calculator(), Config::default());
    let error = raised(session.call("divide", args![1, 0]));
    assert!(error.is("ZeroDivisionError"), "{error}");
    assert_eq!(error.args(), [Value::from("division by zero")]);
    let traceback = error.traceback().expect("tracebacks are on").to_string();
    assert!(
        traceback.starts_with("Traceback (most recent call last):\n"),
        "{traceback}"
    );
    assert!(traceback.contains("attributes.rs\", line "), "{traceback}");
    assert!(
        traceback.contains("in CalculatorService.divide"),
        "{traceback}"
    );
    let error = raised(session.call("parse", args!["1x"]));
    assert_eq!(
        error.to_string(),
        "ValueError: invalid digit found in string"
    );
}

#[test]
fn the_state_is_the_value_s_own_and_shared_where_the_handle_is() {
    let shared = calculator();
    let one = session(shared.clone(), Config::default());
    let two = session(shared.clone(), Config::default());
    one.value("remember", args![42]);
    assert_eq!(
        two.root.attr("memory").expect("it is exposed").as_value(),
        Some(&Value::from(42))
    );
    assert_eq!(two.value("connected", args![]), Value::from(2));
    let other = session(calculator(), Config::default());
    assert_eq!(other.value("connected", args![]), Value::from(1));
}

#[test]
fn the_hooks_run_once_at_each_end_of_a_connection() {
    let service = calculator();
    let session = session(service.clone(), Config::default());
    assert_eq!(session.value("who", args![]), Value::from("calc-7"));
    drop(session);
    assert_eq!(service.connected.load(Ordering::Relaxed), 1);
    assert_eq!(service.ended.load(Ordering::Relaxed), 1);
}

#[test]
fn on_connect_can_refuse_a_connection() {
    let config = Config::new().logger("refused");
    let refused = Connection::pair(
        Arc::new(rpyc_core::VoidService),
        Config::default(),
        Arc::new(calculator()),
        config,
    );
    let text = format!("{:?}", refused.err());
    assert!(text.contains("PermissionError: no"), "{text}");
}

#[test]
fn a_service_tells_its_names() {
    let session = session(calculator(), Config::default());
    assert_eq!(
        session.value("get_service_name", args![]),
        Value::from("CALC")
    );
    let aliases = Value::tuple([Value::from("CALC"), Value::from("SUMS")]);
    assert_eq!(session.value("get_service_aliases", args![]), aliases);
}

#[test]
fn what_is_not_marked_can_not_be_reached_and_a_service_can_not_be_changed() {
    let config = Config::new()
        .allow_all_attrs(true)
        .allow_setattr(true)
        .allow_delattr(true);
    let session = session(calculator(), config);
    for name in [
        "secret",
        "exposed_secret",
        "connected_",
        "ended",
        "bye",
        "set_memory",
    ] {
        let error = raised(session.root.attr(name));
        assert!(error.is("AttributeError"), "{name}: {error}");
    }
    let error = raised(session.root.set_attr("memory", 1).map(|()| Any::NONE));
    assert_eq!(error.to_string(), "AttributeError: access denied");
    let error = raised(session.root.del_attr("memory").map(|()| Any::NONE));
    assert_eq!(error.to_string(), "AttributeError: access denied");
}

#[test]
fn names_and_docstrings_are_those_of_the_source() {
    let session = session(calculator(), Config::default());
    assert_eq!(&*session.root.id_pack().name, "calc.CalculatorService");
    let doc = session.root.attr("__doc__").expect("it is safe");
    assert_eq!(doc.as_str(), Some("Calculates.\n\nAnd remembers."));
    let methods = session.root.inspect().expect("it is a request like any");
    let doc = |wanted: &str| {
        let found = methods.iter().find(|(name, _)| &**name == wanted);
        found.and_then(|(_, doc)| doc.clone()).map(String::from)
    };
    assert_eq!(doc("add").as_deref(), Some("Adds two numbers."));
    assert_eq!(doc("exposed_add").as_deref(), Some("Adds two numbers."));
    assert!(
        methods
            .iter()
            .any(|(name, doc)| &**name == "divide" && doc.is_none())
    );
    let Ok(Any::Netref(add)) = session.root.attr("add") else {
        panic!("a method is an object");
    };
    assert_eq!(&*add.id_pack().name, "builtins.method");
    assert_eq!(
        add.attr("__doc__").ok().as_ref().and_then(Any::as_str),
        Some("Adds two numbers.")
    );
    let sum = add.call(args![1, 1]).expect("it can be called");
    assert_eq!(sum.as_value(), Some(&Value::from(2)));
}

#[test]
fn results_that_are_objects_come_by_reference_and_come_back_as_themselves() {
    let config = Config::new().allow_setattr(true);
    let session = session(calculator(), config);
    let counter = session.object("make", args![3]);
    assert_eq!(&*counter.id_pack().name, "calc.Counter");
    assert_eq!(counter.repr().ok().as_deref(), Some("Counter(3)"));
    let step = counter.call(args![step = 4]).expect("it can be called");
    assert_eq!(step.as_value(), Some(&Value::from(7)));
    assert_eq!(
        session.value("add_counter", args![counter.clone()]),
        Value::from(17)
    );
    counter.set_attr("value", 2).expect("it has a setter");
    let len = counter
        .call_method("__len__", args![])
        .expect("it has a length");
    assert_eq!(len.as_value(), Some(&Value::from(2)));
    let wrong = raised(session.call("add_counter", args![session.root.clone()]));
    assert_eq!(
        wrong.to_string(),
        "TypeError: CalculatorService.add_counter() argument 'counter' must be Counter, \
         not calc.CalculatorService"
    );
}

#[test]
fn a_context_manager_is_given_the_exception_that_leaves_it() {
    let session = session(calculator(), Config::default());
    let counter = session.object("make", args![1]);
    let leave = |exception: Exception| {
        let entered = counter.enter().expect("it can be entered");
        entered.exit::<(), Error>(Err(Error::Remote(exception)))
    };
    let swallowed = leave(Exception::key_error("x")).expect("a KeyError is swallowed");
    assert_eq!(swallowed, None);
    let raised = leave(Exception::value_error("x")).expect_err("nothing else is");
    assert_eq!(raised.to_string(), "ValueError: x");
}

#[test]
fn the_path_of_a_module_is_written_with_dots_wherever_it_is_given() {
    use rpyc_core::object::{Class, Function};
    let class = Class::<()>::builder("lab::parts", "Probe").build();
    let object = Exposed::of_class(class, ()).object();
    let function = Function::new("f", |_, _| Ok(Any::NONE)).of_module("lab::parts");
    assert_eq!(&*object.id_parts().name, "lab.parts.Probe");
    let session = session(calculator(), Config::default());
    let cx = Context::new(&session.client);
    let module = Any::object(function);
    let Any::Local(function) = module else {
        unreachable!("it is an object");
    };
    let module = function.attr(&cx, "__module__").expect("it has one");
    assert_eq!(module.as_str(), Some("lab.parts"));
    assert_eq!(
        &**Exception::new("lab::parts", "Broken").module(),
        "lab.parts"
    );
}

#[test]
fn the_same_object_is_the_same_reference() {
    let session = session(calculator(), Config::default());
    let itself = session.object("itself", args![]);
    assert_eq!(itself, session.root);
}

#[test]
fn a_factory_makes_a_service_for_each_connection_or_shares_one() {
    use rpyc_core::service::{IntoFactory, ServiceFactory};
    let each = CalculatorService::default.into_factory();
    let handle = calculator();
    let shared = handle.clone();
    let ones = [
        CalculatorService::default().into_factory(),
        calculator().into_factory(),
        Arc::new(calculator()).into_factory(),
        handle.clone().into_factory(),
        (move || shared.clone()).into_factory(),
    ];
    let root = |factory: &dyn ServiceFactory| {
        let service = factory.create().expect("it refuses nobody");
        service.root().id_parts().instance
    };
    let first = each.create().expect("it refuses nobody");
    assert_ne!(Some(first.root().id_parts().instance), Some(root(&*each)));
    for one in &ones {
        assert_eq!(root(&**one), root(&**one));
    }
    assert_eq!(root(&*ones[3]), handle.object().id_parts().instance);
}
