# Has the server run every exercise, each in a connection of its own, and prints a table.
import inspect

# What modules lack that CPython's have on Linux.
LACKING = {
    "os": "grantpt posix_openpt ptsname sched_rr_get_interval sched_setaffinity setns splice timerfd_create "
    "timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns unlockpt unshare waitid waitid_result",
}


def lacking(conn):
    """The functions of LACKING, by module: the lists are exact."""
    for name, functions in LACKING.items():
        functions = functions.split()
        there = [function for function in functions if hasattr(conn.root.getmodule(name), function)]
        assert not there, f"{name} has {there}"
        theirs = set(conn.root.eval(f"tuple(dir(__import__({name!r})))"))
        ours = {key for key in __import__(name).__all__ if callable(getattr(__import__(name), key))}
        missing = ours - theirs - set(functions)
        assert not missing, f"{name} lacks {missing}"
        yield name, ", ".join(f"`{function}`" for function in functions)


def outcome(exercise):
    """What the table says of a module."""
    # The function has the name of its module, and must not stand in its way.
    source = f"{inspect.getsource(exercise)}\nexercise = {exercise.__name__}\ndel {exercise.__name__}"
    config = {"sync_request_timeout": 120}
    with rpyc.connect(HOST, PORT, service=rpyc.SlaveService, config=config) as conn:
        try:
            conn.root.execute(source)
            conn.root.namespace["exercise"]()
        except ModuleNotFoundError as error:
            return f"isn't there (no module named `{error.name}`)"
        except Exception as error:
            say(f"{exercise.__name__}: {error}")
            return f"its exercise ends with {type(error).__name__}"
    return "works"


def rest(known):
    """The modules without an exercise: whether they can be imported."""
    # They open a browser or a window, print, or are no modules for programs.
    skipped = {"antigravity", "idlelib", "this", "turtle", "turtledemo"}
    with rpyc.connect(HOST, PORT, service=rpyc.SlaveService, config={"sync_request_timeout": 120}) as conn:
        conn.root.execute("import importlib, sys")
        for name in sorted(conn.root.eval("tuple(sys.stdlib_module_names)")):
            if name.startswith("_") or name in known or name in skipped:
                continue
            try:
                conn.root.getmodule(name)
            except ImportError as error:
                yield name, "isn't there"
            else:
                yield name, "can be imported"


# One after the other: `dataclasses` looks for `typing` among the modules, and finds half of it while
# another thread imports that, in CPython as well.
names = [exercise.__name__.replace("__", ".") for exercise in EXERCISES]
rows = list(zip(names, map(outcome, EXERCISES)))
rows += rest({name.split(".")[0] for name in names})
with rpyc.connect(HOST, PORT, service=rpyc.SlaveService) as conn:
    lacks = dict(lacking(conn))
rows = [(name, f"{result}, without {lacks[name]}" if name in lacks else result) for name, result in rows]
print("| module | |")
print("|---|---|")
for name, result in sorted(rows):
    print(f"| `{name}` | {result} |")
