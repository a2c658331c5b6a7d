"""The text of what clients evaluate, kept so that tracebacks can show its lines."""

import collections
import itertools
import linecache
import re

_PYTHON_NAME = "<string>"
_OUR_NAME = re.compile(r"<text \d+>")
_OUR_FILE = re.compile(r'^(\s*File ")<text \d+>(?=")', re.MULTILINE)

# Of one session.
_MAX_EVALS = 64
_MAX_EXECUTES = 1024
_MAX_BYTES = 4 << 20

# So many names rest before one is used again: code of a session that has ended may live on.
_MIN_RESTING = 16_384

_made = itertools.count(1)
# Those that were given back first are the first to be used again. Some interpreters never free one.
_resting = collections.deque()


def as_python_name(name):
    """The name that Python has for evaluated text, in place of ours."""
    return _PYTHON_NAME if _OUR_NAME.fullmatch(name) else name


def as_python_names(text):
    """The same within the text of a traceback."""
    if "<text " not in text:
        return text
    # With a function: a template would be read by Python code, which clients may have broken.
    return _OUR_FILE.sub(lambda found: found[1] + _PYTHON_NAME, text)


def is_own_code(code):
    """Whether the code is the evaluator's, not a client's."""
    return code.co_filename.startswith("<_rpyc_")


class Sources:
    """The texts of one session, under the names by which code objects refer to them."""

    def __init__(self):
        self._evals, self._executes = collections.deque(), collections.deque()
        # What tracebacks can show, oldest first: names to lengths.
        self._shown, self._bytes = {}, 0

    def compile(self, text, mode):
        """The code of the text, and its name."""
        name = self._next_name(mode)
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
        self._bytes += len(text) - self._shown.pop(name, 0)
        self._shown[name] = len(text)
        while self._bytes > _MAX_BYTES and self._shown:
            self._hide(next(iter(self._shown)))
        # No time of modification: it isn't looked for in the file system.
        linecache.cache[name] = len(text), None, text.splitlines(True), name

    def clear(self):
        """Forgets the texts: the session has ended."""
        for name in list(self._shown):
            self._hide(name)
        _resting.extend(itertools.chain(self._evals, self._executes))
        self._evals.clear()
        self._executes.clear()

    def _hide(self, name):
        self._bytes -= self._shown.pop(name, 0)
        linecache.cache.pop(name, None)

    def _next_name(self, mode):
        names, most = self._evals, _MAX_EVALS
        if mode == "exec":
            names, most = self._executes, _MAX_EXECUTES
        name = names.popleft() if len(names) >= most else _new_name()
        names.append(name)
        return name


def _new_name():
    if len(_resting) > _MIN_RESTING:
        return _resting.popleft()
    return f"<text {next(_made)}>"
