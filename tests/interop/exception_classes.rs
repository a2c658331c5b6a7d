//! Exceptions of every class of the standard library, across the connection both ways.

use std::time::Duration;

use rpyc_tests::{Server, better_than_stock};

/// `importing()` imports the whole standard library; `classes()` are the exception classes then.
const CLASSES: &str = r#"
import builtins, contextlib, importlib, io, pkgutil, sys, tarfile, warnings, xml.sax.xmlreader
# They open a browser or a window, print, or are other programs.
SKIPPED = {"antigravity", "idlelib", "test", "this", "turtle", "turtledemo", "__main__"}
def importing():
    warnings.simplefilter("ignore")
    def attempt(name):
        try:
            return importlib.import_module(name)
        except BaseException:
            return None
    for name in sorted(set(sys.stdlib_module_names) - SKIPPED):
        module = attempt(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), name + ".", lambda name: None):
            if not {"test", "tests", "__main__", "idle_test"} & set(found.name.split(".")):
                attempt(found.name)
def nearest(cls):
    return next(base for base in cls.__mro__ if vars(builtins).get(base.__name__) is base)
def classes():
    found, left = set(), [BaseException]
    while left:
        cls = left.pop()
        if cls not in found:
            found.add(cls)
            left.extend(type.__subclasses__(cls))
    names = set(sys.stdlib_module_names) - SKIPPED
    found = [cls for cls in found if cls.__module__.split(".")[0] in names]
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))
def made(cls):
    if issubclass(cls, BaseExceptionGroup):
        return cls("text", [ValueError(5) if issubclass(cls, Exception) else BaseException(5)])
    for args in ARGUMENTS:
        with contextlib.suppress(Exception):
            raised = cls(*args)
            str(raised), repr(raised)
            break
    else:
        # An abstract class, or one of the interpreter's own.
        bases = (base for base in cls.__mro__ if isinstance(vars(base).get("__new__"), type(object.__new__)))
        raised = next(bases).__new__(cls, "text", 2)
    with contextlib.suppress(AttributeError):
        raised.extra_attribute = ("kept", 7)
    return raised
def travelling(args):
    return repr(tuple(arg if arg is None or type(arg) in (bytes, int, str) else repr(arg) for arg in args))
ARGUMENTS = [
    ("text", 2, None), ("text",), ("text", "more"), ("text", 2), (2, "text"), ("text", "more", 3), ("text", "more", None, 4), ("utf-8", b"text", 1, 2, "why"),
    ("utf-8", "text", 1, 2, "why"), ("text", 1, 2, "why"), ({"k": (5, b"x")},), (5, b"text", "more"), (), ("text", "more", 5, 6),
    ("text", 404, "more", {}, None), (None, "text"), (ValueError, ValueError("text"), "file"),
    ("file", (ValueError, ValueError("text"), None)), (tarfile.TarInfo("text"),), (tarfile.TarInfo("text"), "path"),
    ("text", None, xml.sax.xmlreader.Locator()),
]
"#;

#[test]
fn each_class_of_the_client_is_caught_as_its_nearest_builtin_class() {
    if better_than_stock("it makes a class of its own of what it doesn't know") {
        return;
    }
    for load in ["", "importing()\n"] {
        let server = Server::start();
        let script = format!(
            r#"{CLASSES}
BaseExceptionGroup = getattr(builtins, "BaseExceptionGroup", ())
with contextlib.redirect_stdout(io.StringIO()):
    importing()
# The whole library takes its time on a busy machine.
conn._config['sync_request_timeout'] = None
conn.execute({CLASSES:?})
conn.execute({load:?})
conn.execute(dedent('''
    def catch(f, builtin):
        try:
            f()
        except getattr(builtins, builtin) as error:
            stated = str(error), repr(error)
            extra = getattr(error, "extra_attribute", None)
            return type(error).__name__, repr(error.args), extra, "Remote Traceback" in str(error) + str(getattr(error, "__notes__", ""))
        except BaseException as error:
            return type(error).__name__, "not caught as " + builtin, type(error).__mro__, repr(error)
    def passing(f):
        f()
'''))
catch, passing = conn.namespace['catch'], conn.namespace['passing']
tried = 0
for cls in classes():
    # Raises on the side where it is raised.
    if issubclass(cls, KeyboardInterrupt):
        continue
    builtin = nearest(cls).__name__
    def failing():
        raise made(cls)
    if cls is StopIteration:
        same(catch(failing, builtin)[0], builtin)
        continue
    if not conn.eval(f'hasattr(builtins, {{builtin!r}})'):
        continue
    raised = made(cls)
    assert type(raised) is cls, raised
    own_args = travelling(raised.args)
    name, args, extra, told = catch(failing, builtin)
    # 3.13 has renamed one, and has the old name for it.
    there = conn.eval(f'getattr(getattr(sys.modules.get({{cls.__module__!r}}), {{cls.__name__!r}}, None), "__name__", None)')
    assert name.rpartition('.')[2] in (cls.__name__, there), (cls, name, args)
    is_group = BaseExceptionGroup and issubclass(cls, BaseExceptionGroup)
    assert is_group or args == own_args, (cls, args, own_args)
    assert told, cls
    assert extra == getattr(raised, 'extra_attribute', None), (cls, extra)
    # And back: as itself, where the client's rpyc can make it.
    try:
        passing(failing)
    except BaseException as error:
        wanted = rpyc.GenericException if is_group or getattr(sys.modules[cls.__module__], cls.__name__, None) is not cls else cls
        assert isinstance(error, wanted) or type(error).__name__.endswith(cls.__name__), (cls, type(error))
        assert is_group or repr(error.args) == own_args, (cls, error.args, own_args)
    tried += 1
assert tried > 150, tried
"#
        );
        let script = server.client(&script).deadline(Duration::from_secs(300));
        server.succeed(script.outcome());
    }
}

#[test]
fn each_class_of_the_server_is_caught_as_its_nearest_builtin_class() {
    if better_than_stock("a group is lost to a TypeError") {
        return;
    }
    let server = Server::start();
    let script = format!(
        r#"{CLASSES}
with contextlib.redirect_stdout(io.StringIO()):
    importing()
# The whole library takes its time on a busy machine.
conn._config['sync_request_timeout'] = None
conn.execute({CLASSES:?})
conn.execute('importing()\nall_classes = classes()')
conn.execute(dedent('''
    import builtins
    BaseExceptionGroup = getattr(builtins, "BaseExceptionGroup", ())
    def told(index):
        cls = all_classes[index]
        return cls.__module__, cls.__name__, nearest(cls).__name__, issubclass(cls, BaseExceptionGroup), travelling(made(cls).args), hasattr(made(cls), "extra_attribute")
    def fail(index):
        raise made(all_classes[index])
'''))
told, fail = conn.namespace['told'], conn.namespace['fail']
count = conn.eval('len(all_classes)')
assert count > 150, count
for index in range(count):
    module, name, builtin, is_group, args, has_extra = told(index)
    if name == 'KeyboardInterrupt':
        continue
    known = getattr(sys.modules.get(module), name, None)
    try:
        fail(index)
    except BaseException as error:
        assert type(error).__name__.rpartition('.')[2] in (name, getattr(known, '__name__', None)), (module, name, type(error))
        if name == 'StopIteration':
            continue
        if isinstance(known, type) and not is_group:
            assert isinstance(error, known) and isinstance(error, getattr(builtins, builtin, known)), (module, name, type(error).__mro__)
        assert is_group or repr(error.args) == args, (module, name, error.args, args)
        assert not has_extra or error.extra_attribute == ('kept', 7), (module, name)
        assert 'Remote Traceback' in str(error)
    else:
        raise AssertionError(name)
"#
    );
    let script = server.client(&script).deadline(Duration::from_secs(300));
    server.succeed(script.outcome());
}

#[test]
fn a_test_runner_of_the_server_writes_to_the_clients_stream() {
    Server::start().check(
        r#"
        import io
        # Its fileno() raises io.UnsupportedOperation.
        stream = io.StringIO()
        conn.execute(dedent('''
            import unittest
            class Case(unittest.TestCase):
                def test_it(self): self.assertEqual(1, 1)
            suite = unittest.defaultTestLoader.loadTestsFromTestCase(Case)
        '''))
        result = conn.modules.unittest.TextTestRunner(stream=stream).run(conn.namespace['suite'])
        assert result.wasSuccessful()
        assert 'Ran 1 test' in stream.getvalue(), stream.getvalue()
        "#,
    );
}

#[test]
fn an_exception_keeps_its_methods() {
    if better_than_stock("texts take their places") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import sys
            def noted(f):
                try: f()
                except Exception as error:
                    assert error.with_traceback(None) is error
                    if sys.version_info < (3, 11):
                        return 'a note'
                    error.add_note("a note")
                    return tuple(error.__notes__)[-1]
        '''))
        def failing(): raise ValueError('text')
        same(conn.namespace['noted'](failing), 'a note')
        with raises(ValueError) as raised:
            conn.execute('raise ValueError("text")')
        if sys.version_info >= (3, 11):
            raised.value.add_note('of the client')
        "#,
    );
}
