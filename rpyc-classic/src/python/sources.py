"""The text of what clients evaluate, kept so that tracebacks can show its lines."""

import itertools
from _collections import deque

_PYTHON_NAME = "<string>"

# Of one session.
MAX_EVALS = 64
_MAX_EXECUTES = 1024
_MAX_BYTES = 4 << 20

# So many names rest before one is used again: code of a session that has ended may live on.
_MIN_RESTING = 16_384

_made = itertools.count(1)
# Those that were given back first are the first to be used again. Some interpreters never free one.
_resting = deque()


def as_python_name(name):
    """The name that Python has for evaluated text, in place of ours."""
    return _PYTHON_NAME if _is_ours(name) else name


def _is_ours(name):
    return name[:6] == "<text " and name[-1] == ">" and name[6:-1].isdigit()


def as_python_names(text):
    """The same within the text of a traceback."""
    if "<text " not in text:
        return text
    return "\n".join(map(_line_as_python_names, text.split("\n")))


def _line_as_python_names(line):
    before, _, rest = line.partition('"')
    if before.strip() == "File":
        name, end, rest = rest.partition('"')
        if end and _is_ours(name):
            return f'{before}"{_PYTHON_NAME}"{rest}'
    return line


def is_own_code(code):
    """Whether the code is the evaluator's, not a client's."""
    return code.co_filename.startswith("<_rpyc_")


class Sources:
    """The texts of one session, under the names by which code objects refer to them."""

    def __init__(self):
        # The names of expressions are used in turn.
        self.evals, self._turns = [], itertools.count()
        self._executes = deque()
        # What tracebacks can show, oldest first: names to lengths.
        self._shown, self._bytes = {}, 0

    def compile(self, text, mode):
        """The code of the text, and its name."""
        name = self.name_of_eval() if mode == "eval" else self._name_of_execute()
        if mode == "exec" or "lambda" in text:
            # What defines functions may raise much later.
            self.show(text, name)
        try:
            return compile(text, name, mode, 0, True), name
        except BaseException:
            self.show(text, name)
            raise

    def show(self, text, name):
        """Lets tracebacks show the text's lines."""
        # Not at the start: it brings much along.
        import linecache

        self._bytes += len(text) - self._shown.pop(name, 0)
        self._shown[name] = len(text)
        # No time of modification: it isn't looked for in the file system.
        linecache.cache[name] = len(text), None, text.splitlines(True), name
        if self._bytes > _MAX_BYTES:
            self._make_room()

    def clear(self):
        """Forgets the texts: the session has ended."""
        for name in self._shown.copy():
            self._hide(name)
        _resting.extend(itertools.chain(self.evals, self._executes))
        self.evals, self._executes = [], deque()

    def _make_room(self):
        # Threads may run this at the same time: of a copy, and counted anew.
        shown = self._shown.copy()
        self._bytes = sum(shown.values())
        for name in shown:
            if self._bytes <= _MAX_BYTES:
                return
            self._hide(name)

    def _hide(self, name):
        import linecache

        self._bytes -= self._shown.pop(name, 0)
        linecache.cache.pop(name, None)

    def name_of_eval(self):
        """The name for the next expression."""
        if len(self.evals) >= MAX_EVALS:
            return self.evals[next(self._turns) % MAX_EVALS]
        name = _new_name()
        self.evals.append(name)
        return name

    def _name_of_execute(self):
        names = self._executes
        name = names.popleft() if len(names) >= _MAX_EXECUTES else _new_name()
        names.append(name)
        return name


def _new_name():
    if len(_resting) > _MIN_RESTING:
        return _resting.popleft()
    return f"<text {next(_made)}>"
