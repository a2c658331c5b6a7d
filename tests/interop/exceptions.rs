//! Exceptions of the server at the client, and back.

use rpyc_tests::Server;

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
