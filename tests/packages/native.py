"""ctypes: structures of C, functions of C, and C that calls a client's functions."""


def structures_of_c(conn):
    conn.execute(dedent("""
        import ctypes as c
        class Point(c.Structure):
            _fields_ = [('x', c.c_int), ('y', c.c_double)]
        class Word(c.Union):
            _fields_ = [('whole', c.c_uint32), ('bytes', c.c_uint8 * 4)]
        class Flags(c.LittleEndianStructure):
            _fields_ = [('low', c.c_uint, 3), ('high', c.c_uint, 5), ('at', Point), ('name', c.c_char * 8)]
    """))
    point = conn.eval("Point(3, 4.5)")
    point.x += 1
    show(point.x, point.y, type(point).__name__, conn.modules.ctypes.sizeof(point), said(lambda: point.z))
    flags = conn.eval("Flags(low=5, high=17)")
    flags.at.x, flags.name = 7, b"axis"
    show(flags.low, flags.high, flags.at.x, flags.name, conn.modules.ctypes.sizeof(flags))
    show(said(setattr, flags, "low", "a"), said(setattr, point, "x", 1.5), said(conn.namespace["Point"], 1, 2, 3))
    word = conn.eval("Word(0x01020304)")
    word.whole += 1
    there = conn.modules.ctypes
    show(hex(word.whole), there.c_uint8(300).value, there.c_int(-1).value, there.sizeof(there.c_void_p))
    packed = conn.modules.struct.pack("<id", 1, 2.0)
    show(conn.eval("Point.from_buffer_copy")(b"\x05\x00\x00\x00" + bytes(12)).x, packed)


def arrays_and_pointers_of_c(conn):
    if PEER_KIND == "stock":
        return  # Python's own server loses the connection over them.
    there = conn.modules.ctypes
    conn.execute("import ctypes as c\nclass Word(c.Union): _fields_ = [('whole', c.c_uint32), ('bytes', c.c_uint8 * 4)]")
    word = conn.eval("Word(0x01020304)")
    word.bytes[0] = 0xFF
    same((hex(word.whole), list(word.bytes), len(word.bytes)), ("0x10203ff", [255, 3, 2, 1], 4))
    numbers = (there.c_int * 4)(3, 1, 2)
    same((list(numbers), len(numbers), 2 in numbers, numbers[1]), ([3, 1, 2, 0], 4, True, 1))
    with raises(IndexError, "invalid index"):
        numbers[4]
    text = there.create_string_buffer(b"abc", 8)
    same((text.value, text.raw, len(text), there.string_at(text, 2)), (b"abc", b"abc" + bytes(5), 8, b"ab"))
    number = there.c_int(7)
    pointer = there.pointer(number)
    pointer.contents.value = 40
    same((number.value, pointer[0], bool(pointer)), (40, 40, True))
    null = there.POINTER(there.c_int)()
    same(bool(null), False)
    with raises(ValueError, "NULL pointer"):
        null.contents


def functions_of_c(conn):
    libc = conn.modules.ctypes.CDLL(None, use_errno=True)
    there = conn.modules.ctypes
    show(libc.abs(-5), libc.strlen(b"hello"), libc.toupper(ord("a")))
    libc.strtod.restype, libc.strtod.argtypes = there.c_double, [there.c_char_p, there.c_void_p]
    show(libc.strtod(b"2.5rest", None), said(libc.strtod, 1, None), said(lambda: libc.no_such_function))
    buffer = there.create_string_buffer(32)
    show(libc.snprintf(buffer, 32, b"%s=%d", b"n", 7), buffer.value)
    libc.getenv.restype = there.c_char_p
    show(libc.getenv(b"NO_SUCH_VARIABLE"), libc.close(-1), there.get_errno())
    number = there.c_int(0)
    show(libc.sscanf(b"42", b"%d", there.byref(number)), number.value)


def c_calls_a_clients_function(conn):
    conn.execute(dedent("""
        import ctypes as c
        libc = c.CDLL(None)
        Compare = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_int), c.POINTER(c.c_int))
        def qsort(numbers, compare):
            items = (c.c_int * len(numbers))(*numbers)
            libc.qsort(items, len(items), c.sizeof(c.c_int), Compare(lambda a, b: compare(a[0], b[0])))
            return tuple(items)
        def qsort_raw(numbers, compare):
            items = (c.c_int * len(numbers))(*numbers)
            libc.qsort(items, len(items), c.sizeof(c.c_int), compare)
            return tuple(items)
    """))
    asked = []

    def compare(a, b):
        asked.append((a, b))
        return a - b

    numbers = (5, 3, 9, 1, 7)
    show(conn.namespace["qsort"](numbers, compare), len(asked) > 3)
    # The very function of the client's in a pointer that is made from here.
    pointer = conn.namespace["Compare"](lambda a, b: b[0] - a[0])
    got = conn.namespace["qsort_raw"](numbers, pointer)
    if PEER_KIND != "stock":
        same(got, (9, 7, 5, 3, 1))
    # What the callback asks for meanwhile.
    show(conn.namespace["qsort"](numbers, lambda a, b: conn.eval(f"{a} - {b}")))
    show(conn.eval("1 + 1"))


def an_exception_in_a_callback_of_cs_is_reported_there(conn):
    conn.execute(dedent("""
        import ctypes, sys
        Call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
        def call(function):
            seen, before = [], sys.unraisablehook
            sys.unraisablehook = lambda info: seen.append(info.exc_type.__name__)
            try:
                result = Call(function)(3)
                # What a function that has failed returns is anything.
                return None if seen else result, tuple(seen)
            finally:
                sys.unraisablehook = before
    """))

    def fails(number):
        raise ValueError(number)

    show(conn.namespace["call"](lambda number: number * 2), conn.namespace["call"](fails))


def threads_of_c_s_own_call_back(conn):
    # A thread that Python didn't start, with a function of the client's.
    conn.execute(dedent("""
        import ctypes as c, threading
        libc = c.CDLL(None)
        Start = c.CFUNCTYPE(c.c_void_p, c.c_void_p)
        def in_a_thread_of_c(function):
            got = []
            @Start
            def start(_):
                got.append(function(threading.current_thread() is threading.main_thread()))
                return None
            thread = c.c_ulong()
            assert libc.pthread_create(c.byref(thread), None, start, None) == 0
            libc.pthread_join.argtypes = [c.c_ulong, c.c_void_p]
            assert libc.pthread_join(thread, None) == 0
            return tuple(got)
    """))
    show(conn.namespace["in_a_thread_of_c"](lambda is_main: ("called", is_main)))
    show(conn.eval("1 + 1"))
