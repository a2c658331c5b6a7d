"""pdb, code.InteractiveInterpreter, profiles, and the stacks of threads that are stuck."""
import contextlib
import re

PLACES = re.compile(r"0x[0-9a-f]+|/[^ '\"(]*/")


@contextlib.contextmanager
def typed(text):
    """What a person types, and a list of what is printed meanwhile."""
    stdin, stdout, written = sys.stdin, sys.stdout, io.StringIO()
    sys.stdin, sys.stdout = io.StringIO(text), written
    printed = []
    try:
        yield printed
    finally:
        sys.stdin, sys.stdout = stdin, stdout
        printed.append(PLACES.sub("", written.getvalue()))


def a_post_mortem_debugger(conn):
    conn.execute(dedent("""
        def divide(a, b):
            local = 'seen'
            return a / b
        def outer(n):
            return divide(n, 0)
    """))
    show(said(conn.namespace["outer"], 5).split(":")[0])
    with typed("p local\np a, b\nup\np n\nw\np n * 100\nq\n") as printed:
        rpyc.classic.pm(conn)
    text = printed[0]
    show([part in text for part in ("'seen'", "(5, 0)", "500", "outer", "(Pdb)")])
    show(text.count("(Pdb)"))


def a_debugger_steps_through_code(conn):
    conn.execute(dedent("""
        import pdb, io
        def sums(n):
            total = 0
            for k in range(n):
                total += k
            return total
    """))
    with typed("s\ns\nn\nn\np k, total\np n\n!total = 100\np total\nw\nc\n") as printed:
        with rpyc.classic.redirected_stdio(conn):
            result = conn.eval("pdb.runcall(sums, 3)")
    show(result, [part in printed[0] for part in ("(0, 0)", "3", "100", "sums", "-> ")])
    # With streams of the client's own, a file a debugger writes to.
    commands, written = io.StringIO("p n\nc\n"), io.StringIO()
    debugger = conn.modules.pdb.Pdb(stdin=commands, stdout=written)
    debugger.use_rawinput = False
    show(debugger.runcall(conn.namespace["sums"], 4), "4" in written.getvalue())
    # It is over: nothing traces the next request.
    show(conn.modules.sys.gettrace(), conn.eval("sums(5)"))


def an_interpreter_as_editors_have_it(conn):
    conn.execute(dedent("""
        import code
        class Collects(code.InteractiveInterpreter):
            def __init__(self, write):
                super().__init__({})
                self.write = write
    """))
    written = []
    interpreter = conn.namespace["Collects"](written.append)
    with rpyc.classic.redirected_stdio(conn):
        show(interpreter.runsource("1 / 0"), interpreter.runsource("x = ["), interpreter.runsource("x = (5"), interpreter.runsource("x = 5"))
        show(interpreter.runsource("def f(:"), interpreter.runsource("print(x)"), interpreter.runsource("x"))
    text = "".join(written)
    show("ZeroDivisionError: division by zero" in text, "SyntaxError" in text)
    with typed("y = 6\nprint(y * 7)\ny / 0\n") as printed:
        errors, sys.stderr = sys.stderr, io.StringIO()
        try:
            rpyc.classic.interact(conn, {})
        finally:
            errors, sys.stderr = sys.stderr.getvalue(), errors
    show("42" in printed[0], "ZeroDivisionError" in printed[0] + errors)


def the_stacks_of_a_stuck_thread(conn):
    conn.execute(dedent("""
        import threading
        go_on, started = threading.Event(), threading.Event()
        def stuck(where):
            inside = where * 2
            started.set()
            go_on.wait()
            return inside
    """))
    waiting = rpyc.async_(conn.namespace["stuck"])("here")
    with connect() as other:
        # The other client looks: the first one's connection is busy.
        there = other.modules.sys
        eventually(lambda: "stuck" in names_of(there._current_frames()), "a thread that is stuck")
        for frame in list(there._current_frames().values()):
            while frame is not None and frame.f_code.co_name != "stuck":
                frame = frame.f_back
            if frame is not None:
                show(frame.f_code.co_name, frame.f_locals["where"], frame.f_locals["inside"])
                text = "".join(other.modules.traceback.format_stack(frame))
                show("in stuck" in text)
                go_on = frame.f_globals["go_on"]
        folder = other.modules.tempfile.mkdtemp()
        with other.builtin.open(folder + "/stacks", "w+") as file:
            other.modules.faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            text = file.read()
        show("in stuck" in text, "in wait" in text)
        names = [thread.name for thread in other.modules.threading.enumerate()]
        show(len(names) >= 1, names.count("MainThread"))
        go_on.set()
    show(waiting.value)


def names_of(frames):
    found = set()
    for frame in list(frames.values()):
        while frame is not None:
            found.add(frame.f_code.co_name)
            frame = frame.f_back
    return found


def code_is_traced_and_profiled(conn):
    conn.execute("def leaf(n): return n + 1\ndef tree(n): return sum(leaf(k) for k in range(n))")
    profile = conn.modules.cProfile.Profile()
    show(profile.runcall(conn.namespace["tree"], 10))
    written = io.StringIO()
    conn.modules.pstats.Stats(profile, stream=written).sort_stats("ncalls").print_stats()
    show(any("leaf" in line and line.split()[0] == "10" for line in written.getvalue().splitlines()))
    conn.execute(dedent("""
        import sys
        def traced(function, n):
            seen = []
            def trace(frame, event, arg):
                seen.append((frame.f_code.co_name, event))
                return trace
            sys.settrace(trace)
            try:
                function(n)
            finally:
                sys.settrace(None)
            return tuple(event for event in seen if event[0] == 'leaf')
    """))
    show(conn.namespace["traced"](conn.namespace["leaf"], 1))
    show(conn.modules.timeit.timeit(conn.namespace["leaf"].__get__(1), number=3) >= 0)
    show(conn.modules.inspect.getsource(conn.modules.textwrap.dedent).splitlines()[0], str(conn.modules.inspect.signature(conn.namespace["leaf"])))
    conn.modules.tracemalloc.start()
    show(conn.modules.tracemalloc.is_tracing(), conn.modules.tracemalloc.get_traced_memory()[0] > 0)
    conn.modules.tracemalloc.stop()
    show(conn.modules.sys.getsizeof(()) > 0, conn.modules.gc.collect() >= 0, conn.modules.dis.Bytecode(conn.namespace["leaf"]).codeobj.co_name)
