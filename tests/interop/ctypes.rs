//! `ctypes` at the server: what passes through it is right, or refused.

use rpyc_tests::Server;
use rpyc_tests::server::{Evaluator, only_on};

#[test]
fn callbacks_from_c_get_and_give_what_their_types_say() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import ctypes
            from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_int, pointer
            libc = ctypes.CDLL(None)
            Compare = CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))
            def compare(a, b): return a[0] - b[0]
            def sorted_by_c(declared):
                numbers = (c_int * 5)(3, 1, 5, 2, 4)
                qsort = ctypes.CDLL(None).qsort
                if declared:
                    qsort.argtypes, qsort.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, Compare], None
                qsort(numbers, 5, ctypes.sizeof(c_int), Compare(compare))
                return tuple(numbers)
            def through(result, kinds, values, function):
                return CFUNCTYPE(result, *kinds)(function)(*values)
            class Point(Structure):
                _fields_ = [("x", c_int), ("y", ctypes.c_double)]
            def moved():
                def move(point):
                    point.contents.x += 5
                point = Point(1, 2.5)
                through(None, [POINTER(Point)], [byref(point)], move)
                return point.x, point.y
            class Table(Structure):
                _fields_ = [("compare", Compare), ("point", Point)]
            def from_table():
                table, empty = Table(Compare(compare), Point(4, 0.5)), Table()
                empty.point.x = 7
                outcome = table.compare(pointer(c_int(9)), pointer(c_int(2))), table.point.x, bool(empty.compare), empty.point.x
                empty.compare = table.compare
                return *outcome, empty.compare(pointer(c_int(1)), pointer(c_int(2)))
            def function_to_function():
                Outer = CFUNCTYPE(c_int, Compare)
                return Outer(lambda inner: inner(pointer(c_int(9)), pointer(c_int(2))))(Compare(compare))
        '''))
        same(conn.namespace['sorted_by_c'](False), (1, 2, 3, 4, 5))
        same(conn.namespace['sorted_by_c'](True), (1, 2, 3, 4, 5))
        same(conn.namespace['moved'](), (6, 2.5))
        same(conn.namespace['from_table'](), (7, 4, False, 7, -1))
        same(conn.namespace['function_to_function'](), 7)
        for code, outcome in (
            ('through(ctypes.c_ubyte, [ctypes.c_char], [b"a"], lambda c: c[0] + 1)', 98),
            ('through(ctypes.c_int8, [ctypes.c_int64], [300], lambda v: v)', 44),
            ('through(ctypes.c_uint64, [], [], lambda: -1)', 2 ** 64 - 1),
            ('through(ctypes.c_bool, [ctypes.c_double], [2.5], lambda d: d == 2.5)', True),
            ('through(ctypes.c_double, [ctypes.c_float, ctypes.c_char_p], [1.5, b"ab"], lambda f, s: f + len(s))', 3.5),
            ('through(ctypes.c_size_t, [ctypes.c_char_p, ctypes.c_void_p], [None, None], lambda s, p: 1 if s is p is None else 2)', 1),
            ('through(ctypes.c_void_p, [ctypes.c_void_p], [5], lambda p: p + 1)', 6),
            ('through(ctypes.c_void_p, [], [], lambda: None)', None),
            ('through(c_int, [ctypes.c_wchar_p], ["wide"], len)', 4),
            ('CFUNCTYPE(c_int, c_int)(("abs", libc))(-3)', 3),
        ):
            same(conn.eval(code), outcome)
        "#,
    );
}

#[test]
fn a_callback_that_raises_gives_c_a_zero_and_tells_of_it() {
    if !only_on(
        Evaluator::RustPython,
        "CPython gives C what happens to be there",
    ) {
        return;
    }
    Server::start().check(
        r#"
        import io
        conn.execute(dedent('''
            import ctypes
            def failing():
                return ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1 / 0)()
        '''))
        stderr = io.StringIO()
        conn.modules.sys.stderr = stderr
        same(conn.namespace['failing'](), 0)
        text = stderr.getvalue()
        assert 'ctypes callback' in text and 'ZeroDivisionError' in text, text
        "#,
    );
}

#[test]
fn what_ctypes_would_get_wrong_is_refused() {
    if !only_on(Evaluator::RustPython, "CPython has all of ctypes") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import ctypes
            class Point(ctypes.Structure):
                _fields_ = [("x", ctypes.c_int)]
            def assigned():
                class Late(ctypes.Structure): pass
                Late._fields_ = [("a", ctypes.c_int), ("b", ctypes.c_int, 3)]
            def defined(base):
                class Early(base):
                    _fields_ = [("a", ctypes.c_int32, 3)]
        '''))
        for code in (
            'assigned()', 'defined(ctypes.Structure)', 'defined(ctypes.Union)', 'defined(ctypes.BigEndianStructure)',
            'ctypes.CFUNCTYPE(ctypes.c_int, Point)(print)', 'ctypes.CFUNCTYPE(ctypes.c_char_p)(print)',
            'ctypes.CFUNCTYPE(ctypes.c_int, ctypes.py_object)(print)',
        ):
            with raises(NotImplementedError, 'RustPython'):
                conn.eval(code)
        with raises(TypeError, 'invalid result type'):
            conn.eval('ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_int))(print)')
        "#,
    );
}
