//! Exceptions of the server at the client, and back.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn a_builtin_exception_arrives_as_its_class_with_its_arguments() {
    Server::start().check(
        r#"
        with raises(ZeroDivisionError):
            conn.eval('1 / 0')
        with raises(ValueError) as raised:
            conn.execute('raise ValueError("text", 2, None)')
        same(raised.value.args, ('text', 2, None))
        with raises(KeyError) as raised:
            conn.eval('{}[1, "k"]')
        same(raised.value.args, ((1, 'k'),))
        with raises(NameError, 'undefined_name') as raised:
            conn.eval('undefined_name')
        with raises(AttributeError) as raised:
            conn.eval('[].nothing')
        same(raised.value.name, 'nothing')
        for name in ('ArithmeticError', 'AssertionError', 'BufferError', 'EOFError', 'IndexError', 'LookupError', 'MemoryError',
                     'NotImplementedError', 'OverflowError', 'ReferenceError', 'RuntimeError', 'TimeoutError', 'TypeError',
                     'UnicodeError', 'UserWarning', 'BrokenPipeError', 'ConnectionResetError', 'StopAsyncIteration',
                     'GeneratorExit', 'Exception', 'BaseException'):
            with raises(getattr(__import__('builtins'), name)) as raised:
                conn.execute(f'raise {name}("x")')
            same(raised.value.args, ('x',))
            same(type(raised.value).__name__, name)
        same(conn.eval('1'), 1)
        "#,
    );
}

#[test]
fn stop_iteration_arrives_as_such() {
    Server::start().check(
        r#"
        with raises(StopIteration):
            conn.execute('raise StopIteration')
        with raises(StopIteration):
            conn.eval('next(iter([]))')
        "#,
    );
}

#[test]
fn an_os_error_keeps_errno_and_filename() {
    Server::start().check(
        r#"
        import errno
        with raises(FileNotFoundError) as raised:
            conn.builtins.open('/no/such/file')
        same(raised.value.errno, errno.ENOENT)
        same(raised.value.filename, '/no/such/file')
        same(raised.value.strerror, 'No such file or directory')
        with raises(OSError) as raised:
            conn.modules.os.rmdir('/')
        assert raised.value.errno
        with raises(OSError) as raised:
            conn.execute('raise OSError(5, "broken", "a name")')
        same((raised.value.errno, raised.value.strerror, raised.value.filename), (5, 'broken', 'a name'))
        same(raised.value.args[:2], (5, 'broken'))
        "#,
    );
}

#[test]
fn a_system_error_reads_at_the_client_as_it_does_at_the_server() {
    if better_than_stock("it sets what wasn't given to None, and that is shown") {
        return;
    }
    Server::start().check(
        r#"
        for code in [
            'OSError("x")', 'OSError()', 'OSError(2, "b")', 'OSError(2, "b", "f")', 'OSError(2, "b", "f", None, "g")',
            'PermissionError("p")', 'TimeoutError()', 'ConnectionError("q")', 'BlockingIOError(11, "x", 5)',
        ]:
            with raises(OSError) as raised:
                conn.execute('raise ' + code)
            same(str(raised.value).split('\n')[0], str(eval(code)))
            same(raised.value.filename2, eval(code).filename2)
        "#,
    );
}

#[test]
fn a_unicode_error_keeps_what_could_not_be_decoded() {
    Server::start().check(
        r#"
        with raises(UnicodeDecodeError) as raised:
            conn.eval(r"b'ab\xff'.decode('utf-8')")
        e = raised.value
        same((e.encoding, e.object, e.start, e.end), ('utf-8', b'ab\xff', 2, 3))
        with raises(UnicodeEncodeError) as raised:
            conn.eval(r"'a\u20ac'.encode('ascii')")
        same((raised.value.start, raised.value.object), (1, 'a\u20ac'))
        "#,
    );
}

#[test]
fn attributes_and_notes_of_an_exception_arrive() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            def fail():
                error = RuntimeError("with more")
                error.code = 77
                error.thing = [1, 2]
                if hasattr(error, "add_note"):
                    error.add_note("a note")
                raise error
        '''))
        with raises(RuntimeError) as raised:
            conn.namespace['fail']()
        same(raised.value.code, 77)
        same(raised.value.thing, '[1, 2]')
        "#,
    );
}

#[test]
fn arguments_that_are_no_plain_values_arrive_as_their_repr() {
    Server::start().check(
        r#"
        with raises(ValueError) as raised:
            conn.execute('raise ValueError([1, 2], {"k": 3}, int)')
        same(raised.value.args, ('[1, 2]', "{'k': 3}", "<class 'int'>"))
        "#,
    );
}

#[test]
fn a_class_of_the_servers_own_arrives_under_its_full_name() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class CustomError(Exception):
                def __init__(self, code):
                    super().__init__("custom", code)
                    self.code = code
        '''))
        with raises(Exception, 'custom') as raised:
            conn.execute('raise CustomError(9)')
        assert 'CustomError' in type(raised.value).__name__, type(raised.value)
        same(raised.value.args, ('custom', 9))
        same(raised.value.code, 9)
        "#,
    );
}

#[test]
fn an_exception_of_a_module_that_the_client_has_is_that_modules() {
    Server::start().check(
        r#"
        import json, subprocess, decimal
        with raises(json.JSONDecodeError) as raised:
            conn.modules.json.loads('{"a": ')
        same(raised.value.pos, 6)
        with raises(decimal.InvalidOperation):
            conn.modules.decimal.Decimal('x')
        "#,
    );
}

#[test]
fn the_remote_traceback_names_functions_lines_and_files() {
    Server::start().check(
        r#"
        import tempfile
        folder = tempfile.mkdtemp()
        with open(os.path.join(folder, 'failing_module.py'), 'w') as f:
            f.write('def inner():\n    raise LookupError("deep inside")\n\ndef outer():\n    inner()\n')
        conn.modules.sys.path.append(folder)
        with raises(LookupError) as raised:
            conn.modules.failing_module.outer()
        text = str(raised.value)
        assert '========= Remote Traceback (1) =========' in text, text
        for part in ('failing_module.py', 'line 2', 'line 5', 'in inner', 'in outer',
                     'raise LookupError("deep inside")', 'LookupError: deep inside'):
            assert part in text, (part, text)
        assert text.index('in outer') < text.index('in inner')
        assert 'WARNING' not in text, text
        assert raised.value._remote_tb in text
        "#,
    );
}

#[test]
fn the_remote_traceback_of_executed_text_names_function_and_line() {
    Server::start().check(
        r#"
        conn.execute('def first():\n    second()\n\ndef second():\n    raise KeyError("missing")\n')
        with raises(KeyError) as raised:
            conn.namespace['first']()
        text = raised.value._remote_tb
        for part in ('File "<string>", line 2, in first', 'File "<string>", line 5, in second', "KeyError: 'missing'"):
            assert part in text, (part, text)
        "#,
    );
}

#[test]
fn a_chain_of_causes_stands_in_the_traceback() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            def chained():
                try:
                    {}["first"]
                except KeyError as error:
                    raise RuntimeError("second") from error
        '''))
        with raises(RuntimeError) as raised:
            conn.namespace['chained']()
        text = raised.value._remote_tb
        assert "KeyError: 'first'" in text and 'direct cause' in text and 'RuntimeError: second' in text, text
        "#,
    );
}

#[test]
fn an_exception_of_a_callback_passes_through_the_server() {
    Server::start().check(
        r#"
        def callback():
            raise LookupError('of the client', 5)
        conn.execute(dedent('''
            def catching(f):
                try:
                    f()
                except LookupError as error:
                    return ("caught", error.args)
            def passing(f):
                f()
        '''))
        same(conn.namespace['catching'](callback), ('caught', ('of the client', 5)))
        with raises(LookupError) as raised:
            conn.namespace['passing'](callback)
        same(raised.value.args, ('of the client', 5))
        assert 'Remote Traceback (2)' in str(raised.value), str(raised.value)
        "#,
    );
}

#[test]
fn an_exception_object_can_be_held_by_reference() {
    Server::start().check(
        r#"
        error = conn.eval('ValueError("kept", 1)')
        same(error.args, ('kept', 1))
        same(str(error), "('kept', 1)")
        assert isinstance(error, ValueError)
        conn.namespace['error'] = error
        with raises(ValueError) as raised:
            conn.execute('raise error')
        same(raised.value.args, ('kept', 1))
        "#,
    );
}

#[test]
fn the_last_traceback_is_kept_by_the_servers_connection() {
    Server::start().check(
        r#"
        conn.execute('def failing():\n    local = 5\n    1 / 0\n')
        with raises(ZeroDivisionError):
            conn.namespace['failing']()
        traceback = conn.root.getconn()._last_traceback
        while traceback.tb_next is not None:
            traceback = traceback.tb_next
        same(traceback.tb_frame.f_code.co_name, 'failing')
        same(traceback.tb_lineno, 3)
        same(traceback.tb_frame.f_locals['local'], 5)
        "#,
    );
}

#[test]
fn pm_debugs_the_last_exception() {
    Server::start().check(
        r#"
        import io
        conn.execute('def failing():\n    local = 4242\n    1 / 0\n')
        with raises(ZeroDivisionError):
            conn.namespace['failing']()
        stdin, stdout = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = io.StringIO('p local\nq\n'), io.StringIO()
        try:
            rpyc.classic.pm(conn)
            text = sys.stdout.getvalue()
        finally:
            sys.stdin, sys.stdout = stdin, stdout
        assert '4242' in text, text
        "#,
    );
}

#[test]
fn a_raise_in_attribute_access_arrives() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Touchy:
                @property
                def value(self): raise OverflowError("touched")
                def __repr__(self): raise BufferError("no repr")
                def __hash__(self): raise TypeError("no hash")
                def __len__(self): return -1
                def __bool__(self): return "yes"
                def __eq__(self, other): raise ValueError("no eq")
        '''))
        t = conn.eval('Touchy()')
        with raises(OverflowError, 'touched'):
            t.value
        with raises(BufferError, 'no repr'):
            repr(t)
        with raises(TypeError, 'no hash'):
            hash(t)
        with raises(ValueError):
            len(t)
        with raises(TypeError):
            bool(t)
        with raises(ValueError, 'no eq'):
            t == 1
        conn.ping()
        "#,
    );
}

#[test]
fn a_syntax_errors_arguments_tell_its_place_as_cpythons_do() {
    Server::start().check(
        r#"
        with raises(SyntaxError) as raised:
            conn.execute('x = 1\ny = = 2\n')
        message, (name, line, column, text, *_) = raised.value.args
        same((name, line, column, text.strip()), ('<string>', 2, 5, 'y = = 2'))
        same((raised.value.filename, raised.value.lineno, raised.value.msg), ('<string>', 2, message))
        with raises(SyntaxError) as raised:
            conn.execute('raise SyntaxError("own")')
        same(raised.value.args, ('own',))
        "#,
    );
}

#[test]
fn errors_of_the_system_have_two_arguments() {
    Server::start().check(
        r#"
        import errno
        with raises(ConnectionRefusedError) as raised:
            conn.modules.socket.create_connection(('127.0.0.1', 1), timeout=5)
        same(raised.value.args[0], errno.ECONNREFUSED)
        same(len(raised.value.args), 2)
        with raises(FileNotFoundError) as raised:
            conn.modules.os.stat('/no/such/file')
        same((len(raised.value.args), raised.value.filename), (2, '/no/such/file'))
        "#,
    );
}

#[test]
fn import_and_name_errors_name_what_was_not_found() {
    Server::start().check(
        r#"
        with raises(ModuleNotFoundError) as raised:
            conn.execute('import no_such_module')
        same(raised.value.name, 'no_such_module')
        with raises(ImportError) as raised:
            conn.execute('from os import no_such_name')
        same(raised.value.name, 'os')
        with raises(ImportError) as raised:
            conn.execute('raise ImportError("text", name="a name", path="a path")')
        same((raised.value.name, raised.value.path, raised.value.msg), ('a name', 'a path', 'text'))
        with raises(NameError) as raised:
            conn.eval('no_such_name')
        same(raised.value.name, 'no_such_name')
        "#,
    );
}

#[test]
fn a_group_arrives_as_an_exception_that_tells_what_is_in_it() {
    if better_than_stock("the client fails to make the exception, and loses it") {
        return;
    }
    Server::start().check(
        r#"
        if conn.modules.sys.version_info < (3, 11):
            sys.exit()  # there are none
        with raises(rpyc.GenericException) as raised:
            conn.execute('raise ExceptionGroup("several", [ValueError(1), TypeError("two")])')
        assert type(raised.value).__name__.endswith('ExceptionGroup')
        same(raised.value.message, 'several')
        for part in ('ValueError: 1', 'TypeError: two', 'several (2 sub-exceptions)'):
            assert part in raised.value._remote_tb, raised.value._remote_tb
        # Of a client's group the server gets one whose member is what has come as text.
        conn.execute(dedent('''
            def catch(f):
                try: f()
                except* Exception as group:
                    caught = group.message, str(group.exceptions[0])
                return caught
        '''))
        def failing():
            raise ExceptionGroup('mine', [KeyError('k')])
        if sys.version_info >= (3, 11):
            same(eval("conn.namespace['catch'](failing)"), ('mine', "[KeyError('k')]"))
        "#,
    );
}

#[test]
fn notes_stand_in_the_traceback() {
    Server::start().check(
        r#"
        if conn.modules.sys.version_info < (3, 11):
            sys.exit()  # there are none
        with raises(ValueError) as raised:
            conn.execute('error = ValueError("text")\nerror.add_note("first note")\nerror.add_note("second note")\nraise error')
        assert 'first note\nsecond note' in raised.value._remote_tb, raised.value._remote_tb
        "#,
    );
}

/// A class of the client's own, where its module has it.
const OWN_ERROR: &str = r#"
class OwnError(Exception):
    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code
def failing():
    raise OwnError('of the client', code=5)
"#;

#[test]
fn the_clients_own_exception_passes_through_the_server_as_itself() {
    if better_than_stock("it comes back as a class made for the occasion") {
        return;
    }
    Server::start().check(&format!(
        r#"{OWN_ERROR}
conn.execute('def passing(f): f()')
with raises(OwnError, 'of the client') as raised:
    conn.namespace['passing'](failing)
same((raised.value.args, raised.value.code), (('of the client',), 5))
assert 'Remote Traceback (2)' in str(raised.value)
"#
    ));
}

#[test]
fn the_clients_own_exception_keeps_its_attributes_at_the_server() {
    Server::start().check(&format!(
        r#"{OWN_ERROR}
conn.execute('def catch(f):\n    try: f()\n    except Exception as error: return type(error).__name__, error.args, error.code')
same(conn.namespace['catch'](failing)[1:], (('of the client',), 5))
"#
    ));
}

#[test]
fn a_child_that_fails_is_told_with_its_code_command_and_output() {
    Server::start().check(
        r#"
        import subprocess
        with raises(subprocess.CalledProcessError) as raised:
            conn.execute('import subprocess\nsubprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=True, capture_output=True)')
        error = raised.value
        same((error.returncode, error.output, error.stdout, error.stderr), (3, b'out\n', b'out\n', b'err\n'))
        assert 'exit 3' in error.cmd
        with raises(subprocess.TimeoutExpired):
            conn.execute('subprocess.run(["sleep", "9"], timeout=0.01)')
        "#,
    );
}

#[test]
fn an_attribute_that_fails_to_be_read_is_left_out() {
    if better_than_stock("it loses the connection") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            class Odd(Exception):
                @property
                def bad(self): raise RuntimeError("no")
                @property
                def fixed(self): return 9
        '''))
        with raises(Exception, 'text') as raised:
            conn.execute('raise Odd("text")')
        same(raised.value.fixed, 9)
        assert not hasattr(raised.value, 'bad')
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn tracebacks_show_the_lines_of_each_sessions_own_text() {
    if better_than_stock("it shows no lines of executed text") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute('def failing():\n    raise KeyError("mine")  # of the first session\n')
        failing = conn.namespace['failing']
        with connect() as other:
            for i in range(1100):
                other.execute(f'def failing():\n    raise KeyError("theirs {i}")  # of the second session\n')
            with raises(KeyError) as raised:
                other.namespace['failing']()
            assert '# of the second session' in raised.value._remote_tb
        with raises(KeyError) as raised:
            failing()
        assert '# of the first session' in raised.value._remote_tb, raised.value._remote_tb
        # What a session has executed isn't kept beyond its end.
        kept = 'any("second" + " session" in line for entry in list(__import__("linecache").cache.values()) for line in entry[2])'
        eventually(lambda: not conn.eval(kept), 'the texts of the ended session are gone')
        "#,
    );
}

#[test]
fn the_last_traceback_is_the_connections_own() {
    Server::start().check(
        r#"
        import io
        def debugged(c, commands):
            real = sys.stdin, sys.stdout
            sys.stdin, sys.stdout = io.StringIO(commands), io.StringIO()
            try:
                rpyc.classic.pm(c)
                return sys.stdout.getvalue()
            finally:
                sys.stdin, sys.stdout = real
        with connect() as other:
            with raises(ZeroDivisionError):
                other.execute('def failing():\n    theirs = 99\n    1 / 0\nfailing()')
            with raises(KeyError):
                conn.execute('def failing():\n    mine = 77\n    {}["k"]\nfailing()')
            assert '77' in debugged(conn, 'p mine\nw\nu\nd\nq\n')
            assert '99' in debugged(other, 'p theirs\nq\n')
        with connect() as fresh:
            assert fresh.root.getconn()._last_traceback is None
            with raises(ValueError):
                rpyc.classic.pm(fresh)
        "#,
    );
}
