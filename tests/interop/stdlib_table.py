# Has the server run every exercise, each in a connection of its own, and prints a table.
import inspect


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
print("| module | |")
print("|---|---|")
for name, result in sorted(rows):
    print(f"| `{name}` | {result} |")
