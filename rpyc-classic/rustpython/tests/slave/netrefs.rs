//! Objects of the client inside the interpreter.

use rpyc_core::object::{Dict, Function, List};
use rpyc_core::object::{FromAny, IdParts, MethodInfo, ObjectResult};
use rpyc_core::{Any, Args, Context, Exception, Object, Value};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::client::{Client, doubling};

#[test]
fn a_client_function_is_a_sort_key() {
    let client = Client::connect();
    let negated = Function::new("negated", |_, args| {
        let number = args.positional[0]
            .as_value()
            .and_then(|value| value.as_i64());
        Ok(Any::from(-number.unwrap_or_default()))
    });
    client.execute("def ordered(key): return tuple(sorted([3, 1, 2], key=key))");
    let ordered = client.call("ordered", Any::object(negated));
    assert_eq!(
        ordered.extract::<(i64, i64, i64)>().expect("numbers"),
        (3, 2, 1)
    );
    client.close();
}

#[test]
fn a_client_function_takes_keywords_and_is_called_by_threads_of_the_server() {
    let client = Client::connect();
    client.execute(
        "import threading
def in_threads(f):
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(f(n))) for n in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return tuple(sorted(results))",
    );
    let doubled = client.call("in_threads", doubling());
    assert_eq!(
        doubled.extract::<(i64, i64, i64, i64)>().expect("numbers"),
        (0, 2, 4, 6)
    );
    client.execute("def keyword(f): return f(1, scale=5)");
    let scaling = Function::new("scaling", |_, args| {
        let scale = args.keyword.iter().find(|(name, _)| &**name == "scale");
        Ok(scale.map_or(Any::NONE, |(_, value)| value.clone()))
    });
    assert_is!(client.call("keyword", Any::object(scaling)), 5);
    client.close();
}

#[test]
fn containers_of_the_client_compare_as_containers() {
    let client = Client::connect();
    let list = Any::from(List::of([1, 2]).expect("a list"));
    client.execute("def compared(theirs): return [1, 2] == theirs, [1, 3] == theirs, theirs == [1, 2], [] != theirs");
    let compared = client.call("compared", list).into_items().expect("a tuple");
    for (place, expected) in [true, false, true, true].into_iter().enumerate() {
        assert_is!(compared[place], expected);
    }
    let dict = Dict::new();
    dict.insert("a", 1).expect("an item");
    client.execute(
        "def looked_up(d): return d['a'], len(d), 'a' in d, sorted(d.keys())[0], dict(**d)['a']",
    );
    let looked_up = client
        .call("looked_up", Any::from(dict))
        .into_items()
        .expect("a tuple");
    assert_is!(looked_up[0], 1);
    assert_is!(looked_up[4], 1);
    client.close();
}

#[test]
fn a_client_object_is_of_the_class_of_that_name() {
    let client = Client::connect();
    client.execute(
        "import types
def kind(x): return isinstance(x, types.FunctionType), isinstance(x, int), callable(x), type(x).__name__",
    );
    let kind = client
        .call("kind", doubling())
        .into_items()
        .expect("a tuple");
    assert_is!(kind[0], true);
    assert_is!(kind[1], false);
    assert_is!(kind[2], true);
    client.close();
}

#[test]
fn a_client_object_is_copied_only_if_the_client_pickles_it() {
    let client = Client::connect();
    client.execute(
        "import copy
def copied(x):
    outcomes = []
    for copying in copy.copy, copy.deepcopy:
        try: copying(x); outcomes.append('copied')
        except ValueError as error: outcomes.append('pickling is disabled' in str(error))
    for name in '__array__', '__array_interface__', '__array_struct__':
        outcomes.append(hasattr(x, name))
    return tuple(outcomes)",
    );
    let outcomes = client.call("copied", doubling());
    let outcomes = outcomes
        .extract::<(bool, bool, bool, bool, bool)>()
        .expect("outcomes");
    assert_eq!(outcomes, (true, true, false, false, false));
    client.close();
}

#[test]
fn a_context_manager_of_the_client_gets_the_exception_with_its_arguments() {
    let client = Client::connect();
    client.execute(
        "def leave(manager):
    with manager:
        raise ValueError('left', 5)",
    );
    let (left, leaving) = std::sync::mpsc::channel();
    client.call("leave", Any::object(Manager(left)));
    let exception = leaving.try_recv().expect("left");
    assert!(exception.is("ValueError"), "{exception}");
    assert_eq!(exception.args(), [Value::from("left"), Value::from(5)]);
    client.close();
}

/// A context manager that swallows what it is left by, and tells of it.
struct Manager(Sender<Exception>);

impl Object for Manager {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("tests.Manager", self)
    }

    fn call_method(&self, _: &Context<'_>, name: &str, _: Args) -> ObjectResult {
        assert_eq!(name, "__enter__");
        Ok(Any::NONE)
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([
            ("__enter__".into(), None),
            ("__exit__".into(), None),
        ]))
    }

    fn exit(&self, _: &Context<'_>, exc: Any) -> ObjectResult {
        let exception = Exception::from_any(exc).map_err(Exception::from)?;
        let _ = self.0.send(exception);
        Ok(Any::from(true))
    }
}

#[test]
fn objects_of_this_process_serve_python_code_as_well() {
    let client = Client::connect();
    client.execute(
        "def use(root): return root.eval('6 * 7'), root.getconn().closed, hasattr(root, 'nothing')",
    );
    let used = client
        .call("use", client.root())
        .into_items()
        .expect("a tuple");
    assert_is!(used[0], 42);
    assert_is!(used[1], false);
    assert_is!(used[2], false);
    client.close();
}
