# Exercises for modules of the standard library. Each function is sent to the server as text and
# called there; its name is the module's, with __ for dots.


def abc():
    from abc import ABC, abstractmethod
    class Base(ABC):
        @abstractmethod
        def f(self): ...
    try:
        Base()
    except TypeError:
        return
    raise AssertionError


def argparse():
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=3)
    parser.add_argument("files", nargs="*")
    parsed = parser.parse_args(["-n", "5", "a", "b"])
    assert (parsed.n, parsed.files) == (5, ["a", "b"])


def array():
    import array
    numbers = array.array("d", [1.5, 2.5])
    assert array.array("d", numbers.tobytes()) == numbers


def ast():
    import ast
    assert ast.literal_eval("{'a': [1, (2, None)]}") == {"a": [1, (2, None)]}
    assert ast.unparse(ast.parse("x=1+ 2")) == "x = 1 + 2"


def asyncio():
    import asyncio
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        answer = await asyncio.wait_for(reader.readline(), 20)
        writer.close()
        server.close()
        squares = await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(3)))
        return answer, squares
    assert asyncio.run(main()) == (b"HELLO\n", [0, 1, 4])


def base64():
    import base64
    assert base64.b64decode(base64.b64encode(b"\0\xff text")) == b"\0\xff text"
    assert base64.b85encode(b"text") == b"bY*yS"


def binascii():
    import binascii
    assert binascii.crc32(b"123456789") == 0xCBF43926
    assert binascii.unhexlify(binascii.hexlify(b"\0\x7f")) == b"\0\x7f"


def bisect():
    import bisect
    assert bisect.bisect([1, 3, 5], 3) == 2


def bz2():
    import bz2
    assert bz2.decompress(bz2.compress(b"text" * 999)) == b"text" * 999


def calendar():
    import calendar
    assert calendar.monthrange(2024, 2) == (3, 29)


def cmath():
    import cmath
    assert abs(cmath.exp(1j * cmath.pi) + 1) < 1e-12


def code():
    import code
    console = code.InteractiveInterpreter({})
    assert console.runsource("x = 6 * 7") is False and console.locals["x"] == 42


def codecs():
    import codecs
    for name in "utf-8", "utf-16", "latin-1", "cp1252", "ascii", "rot13", "idna":
        if name != "rot13":
            assert codecs.decode(codecs.encode("text", name), name) == "text"
    assert codecs.encode("abc", "rot13") == "nop"


def collections():
    from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
    assert Counter("abba").most_common(1) == [("a", 2)]
    assert list(deque([1, 2, 3], maxlen=2)) == [2, 3]
    assert namedtuple("P", "x y")(1, 2).y == 2
    assert ChainMap({"a": 1}, {"b": 2})["b"] == 2
    counts = defaultdict(int)
    counts["x"] += 1
    assert counts == {"x": 1} and list(OrderedDict(a=1)) == ["a"]


def concurrent__futures():
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
    import math, multiprocessing
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(math.sqrt, [1, 4])) == [1.0, 2.0]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(math.sqrt, [9, 16])) == [3.0, 4.0]


def configparser():
    import configparser
    config = configparser.ConfigParser()
    config.read_string("[a]\nb = 1\nc = %(b)s2")
    assert config.getint("a", "c") == 12


def contextlib():
    import contextlib
    told = []
    @contextlib.contextmanager
    def manager():
        told.append("in")
        yield 1
        told.append("out")
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(manager()) == 1
    with contextlib.suppress(ValueError):
        raise ValueError
    assert told == ["in", "out"]


def contextvars():
    import contextvars
    var = contextvars.ContextVar("v", default=1)
    assert contextvars.copy_context().run(lambda: (var.set(2), var.get())[1]) == 2
    assert var.get() == 1


def copy():
    import copy
    x = [1, {"a": [2]}]
    y = copy.deepcopy(x)
    y[1]["a"].append(3)
    assert x == [1, {"a": [2]}] and copy.copy(x)[1] is x[1]


def csv():
    import csv, io
    out = io.StringIO()
    csv.writer(out).writerow(["a,b", 'c"d', 3])
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [["a,b", 'c"d', "3"]]


def ctypes():
    import ctypes, ctypes.util
    libc = ctypes.CDLL(None)
    assert libc.abs(-5) == 5
    libc.strlen.argtypes, libc.strlen.restype = [ctypes.c_char_p], ctypes.c_size_t
    assert libc.strlen(b"four") == 4
    class Pair(ctypes.Structure):
        _fields_ = [("a", ctypes.c_int32), ("b", ctypes.c_double)]
    assert ctypes.sizeof(Pair) == 16 and Pair(1, 2.5).b == 2.5


def curses():
    import curses
    assert curses.KEY_UP


def dataclasses():
    import dataclasses
    @dataclasses.dataclass(order=True, frozen=True)
    class P:
        x: int
        y: list = dataclasses.field(default_factory=list, compare=False)
    assert P(1) < P(2) and dataclasses.asdict(P(1, [2])) == {"x": 1, "y": [2]}


def datetime():
    from datetime import date, datetime, timedelta, timezone
    assert date(2024, 2, 29) + timedelta(1) == date(2024, 3, 1)
    then = datetime(2024, 1, 2, 3, 4, 5, 6, timezone.utc)
    assert datetime.fromisoformat(then.isoformat()) == then
    assert then.strftime("%Y-%m-%d %H:%M:%S") == "2024-01-02 03:04:05"
    assert datetime.strptime("2024-01-02", "%Y-%m-%d").day == 2


def dbm():
    import dbm, os, tempfile
    with tempfile.TemporaryDirectory() as folder:
        with dbm.open(os.path.join(folder, "x"), "c") as db:
            db[b"a"] = b"1"
            assert db[b"a"] == b"1"


def decimal():
    from decimal import Decimal, getcontext, localcontext
    assert Decimal("0.1") + Decimal("0.2") == Decimal("0.3")
    with localcontext() as context:
        context.prec = 50
        assert str(Decimal(2).sqrt())[:20] == "1.414213562373095048"


def difflib():
    import difflib
    assert difflib.get_close_matches("appel", ["ape", "apple"])[0] == "apple"


def dis():
    import dis
    assert list(dis.get_instructions(lambda: 1))


def doctest():
    import doctest
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n2\n", {}, "t", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def email():
    import email, email.policy
    from email.message import EmailMessage
    message = EmailMessage()
    message["Subject"], message["To"] = "Grüße", "a@example.org"
    message.set_content("text\n")
    message.add_attachment(b"\0\1", maintype="application", subtype="octet-stream")
    parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert parsed["Subject"] == "Grüße"
    assert parsed.get_body().get_content() == "text\n"


def enum():
    import enum
    class Color(enum.Enum):
        RED = 1
        BLUE = enum.auto()
    class Perm(enum.Flag):
        R = 4
        W = 2
    assert Color(2) is Color.BLUE and (Perm.R | Perm.W).value == 6


def errno():
    import errno
    assert errno.errorcode[errno.ENOENT] == "ENOENT"


def faulthandler():
    import faulthandler, tempfile
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)


def fcntl():
    import fcntl, tempfile
    with tempfile.TemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert fcntl.fcntl(file, fcntl.F_GETFL) & 3 == 2


def filecmp():
    import filecmp, os, tempfile
    with tempfile.TemporaryDirectory() as folder:
        for name in "ab":
            with open(os.path.join(folder, name), "w") as file:
                file.write("same")
        assert filecmp.cmp(os.path.join(folder, "a"), os.path.join(folder, "b"), shallow=False)


def fnmatch():
    import fnmatch
    assert fnmatch.filter(["a.py", "b.txt"], "*.py") == ["a.py"]


def fractions():
    from fractions import Fraction
    assert Fraction(1, 3) + Fraction("1/6") == Fraction(1, 2)


def ftplib():
    import ftplib
    assert ftplib.parse227("227 (127,0,0,1,1,2)") == ("127.0.0.1", 258)


def functools():
    import functools
    @functools.lru_cache
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
    assert fib(80) == 23416728348467685
    @functools.singledispatch
    def kind(x): return "object"
    @kind.register
    def _(x: int): return "int"
    assert kind(1) == "int" and functools.partial(pow, 2)(5) == 32


def gc():
    import gc, time, weakref
    class Node: pass
    node = Node()
    node.self, gone = node, weakref.ref(node)
    del node
    # It does nothing while another thread collects, and the server may, when a client has gone.
    until = time.monotonic() + 20
    while gone() and time.monotonic() < until:
        gc.collect()
        time.sleep(0.001)
    assert gone() is None


def getpass():
    import getpass
    assert callable(getpass.getpass)


def gettext():
    import gettext
    assert gettext.gettext("hello") == "hello"


def glob():
    import glob, os, tempfile
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "a", "b"))
        assert len(glob.glob(folder + "/**/", recursive=True)) == 3


def graphlib():
    from graphlib import TopologicalSorter
    assert list(TopologicalSorter({"b": ["a"], "c": ["b"]}).static_order()) == ["a", "b", "c"]


def grp():
    import grp
    assert grp.getgrgid(0).gr_gid == 0


def gzip():
    import gzip
    assert gzip.decompress(gzip.compress(b"text" * 999)) == b"text" * 999


def hashlib():
    import hashlib
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hashlib.sha256().hexdigest() == empty
    for name in "md5", "sha1", "sha512", "sha3_256", "blake2b", "blake2s":
        assert hashlib.new(name, b"x").digest()
    assert len(hashlib.pbkdf2_hmac("sha256", b"p", b"s", 1)) == 32
    assert len(hashlib.shake_128(b"x").digest(7)) == 7


def heapq():
    import heapq
    heap = [3, 1, 2]
    heapq.heapify(heap)
    assert heapq.heappop(heap) == 1 and heapq.nlargest(1, heap) == [3]


def hmac():
    import hmac
    digest = hmac.new(b"key", b"text", "sha256").digest()
    assert hmac.compare_digest(digest, hmac.digest(b"key", b"text", "sha256"))


def html():
    import html, html.parser
    assert html.unescape(html.escape("<a & b>")) == "<a & b>"


def http():
    import http.client, http.cookies, http.server, threading
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())
        def log_message(self, *args): pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
            client.request("GET", "/path")
            response = client.getresponse()
            assert (response.status, response.read()) == (200, b"/path")
            client.close()
        finally:
            server.shutdown()
            thread.join()
    assert http.cookies.SimpleCookie("a=b")["a"].value == "b"


def imaplib():
    import imaplib
    assert imaplib.Int2AP(5)


def importlib():
    import importlib, importlib.metadata, importlib.resources, importlib.util
    assert importlib.import_module("os.path").basename("/a/b") == "b"
    assert importlib.util.find_spec("json").name == "json"


def inspect():
    import inspect
    def f(a, b: int = 2, *args, c, **kwargs): pass
    assert str(inspect.signature(f)) == "(a, b: int = 2, *args, c, **kwargs)"
    assert inspect.isfunction(f)


def io():
    import io
    text = io.TextIOWrapper(io.BytesIO("a\r\nü".encode()), "utf-8")
    assert text.read() == "a\nü"
    assert io.StringIO("x\ny").readlines() == ["x\n", "y"]


def ipaddress():
    import ipaddress
    assert ipaddress.ip_address("10.0.0.7") in ipaddress.ip_network("10.0.0.0/29")


def itertools():
    import itertools
    assert list(itertools.batched(range(5), 2)) == [(0, 1), (2, 3), (4,)]
    assert len(list(itertools.permutations("abc"))) == 6
    assert list(itertools.islice(itertools.count(5), 2)) == [5, 6]


def json():
    import json
    text = json.dumps({"a": [1, 2.5, None, True, "ü\n"]}, indent=1, sort_keys=True)
    assert json.loads(text) == {"a": [1, 2.5, None, True, "ü\n"]}


def keyword():
    import keyword
    assert keyword.iskeyword("yield")


def linecache():
    import linecache
    assert linecache.getline("/no/such/file", 1) == ""


def locale():
    import locale
    assert locale.getlocale(locale.LC_CTYPE) and locale.localeconv()["decimal_point"] == "."


def logging():
    import io, logging, logging.handlers
    out = io.StringIO()
    logger = logging.Logger("exercise")
    logger.addHandler(logging.StreamHandler(out))
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("caught %s", "it")
    assert out.getvalue().startswith("caught it\nTraceback")


def lzma():
    import lzma
    assert lzma.decompress(lzma.compress(b"text" * 999)) == b"text" * 999


def mailbox():
    import mailbox
    assert mailbox.mbox


def marshal():
    import marshal
    assert marshal.loads(marshal.dumps([1, "a", (None, 2.5)])) == [1, "a", (None, 2.5)]


def math():
    import math
    assert math.isclose(math.sin(math.pi / 6), 0.5) and math.comb(10, 3) == 120
    assert math.isqrt(10**40) == 10**20 and math.prod([2, 3]) == 6


def mimetypes():
    import mimetypes
    assert mimetypes.guess_type("a.html") == ("text/html", None)


def mmap():
    import mmap
    with mmap.mmap(-1, 4096) as memory:
        memory[:4] = b"text"
        assert memory.find(b"xt") == 2


def multiprocessing():
    import math, multiprocessing
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        assert pool.map(math.sqrt, [1, 4, 9]) == [1.0, 2.0, 3.0]
    a, b = context.Pipe()
    a.send({"x": 1})
    assert b.recv() == {"x": 1}
    process = context.Process(target=math.sqrt, args=(4,))
    process.start()
    process.join()
    assert process.exitcode == 0


def netrc():
    import netrc, os, tempfile
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("machine h login l password p\n")
    assert netrc.netrc(file.name).authenticators("h")[0] == "l"
    os.unlink(file.name)


def numbers():
    import numbers
    assert isinstance(1, numbers.Integral) and not isinstance("1", numbers.Number)


def operator():
    import operator
    assert operator.itemgetter(1)([5, 6]) == 6 and operator.methodcaller("upper")("a") == "A"


def optparse():
    import optparse
    parser = optparse.OptionParser()
    parser.add_option("-n", type="int")
    assert parser.parse_args(["-n", "5"])[0].n == 5


def os():
    import os, tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x")
        with open(path, "wb") as file:
            file.write(b"12345")
        assert os.stat(path).st_size == 5 and os.listdir(folder) == ["x"]
        os.rename(path, path + "y")
        os.symlink("xy", path)
        assert os.readlink(path) == "xy" and [e.name for e in os.scandir(folder) if e.is_symlink()] == ["x"]
    assert os.environ["PATH"] and os.getpid() > 0 and os.cpu_count() > 0 and len(os.urandom(8)) == 8
    reading, writing = os.pipe()
    os.write(writing, b"x")
    assert os.read(reading, 9) == b"x"
    os.close(reading)
    os.close(writing)


def pathlib():
    import pathlib, tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "a" / "b.txt"
        path.parent.mkdir()
        path.write_text("ü")
        assert path.read_bytes() == "ü".encode() and path.suffix == ".txt"
        assert [p.name for p in pathlib.Path(folder).rglob("*.txt")] == ["b.txt"]


def pdb():
    import io, pdb
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("p x\nq\n"), stdout=out, readrc=False)
    try:
        1 / 0
    except ZeroDivisionError as error:
        x = 17
        debugger.reset()
        debugger.interaction(None, error.__traceback__)
    assert "17" in out.getvalue()


def pickle():
    import datetime, pickle
    value = {"a": [1, (2,), {3}], "d": datetime.date(2024, 1, 2), "b": b"x", "c": 1 + 2j}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(value, protocol)) == value


def pkgutil():
    import json, pkgutil
    assert any(module.name == "decoder" for module in pkgutil.iter_modules(json.__path__))


def platform():
    import platform
    assert platform.system() and platform.python_implementation() == "RustPython"


def plistlib():
    import plistlib
    assert plistlib.loads(plistlib.dumps({"a": [1, b"x"]})) == {"a": [1, b"x"]}


def poplib():
    import poplib
    assert poplib.POP3_PORT == 110


def posixpath():
    import posixpath
    assert posixpath.normpath("/a/../b//c") == "/b/c"


def pprint():
    import pprint
    assert pprint.pformat({"b": 1, "a": [2] * 3}) == "{'a': [2, 2, 2], 'b': 1}"


def profile():
    import profile, pstats
    profiler = profile.Profile()
    profiler.runcall(sorted, [2, 1])
    assert pstats.Stats(profiler).total_calls >= 1


def pty():
    import os, pty
    ours, theirs = pty.openpty()
    os.write(theirs, b"x")
    assert os.read(ours, 1) == b"x"
    os.close(ours)
    os.close(theirs)


def pwd():
    import os, pwd
    assert pwd.getpwuid(0).pw_uid == 0


def pydoc():
    import pydoc
    assert "sorted" in pydoc.render_doc(sorted)


def queue():
    import queue, threading
    q = queue.PriorityQueue()
    threading.Thread(target=lambda: [q.put(n) for n in (3, 1, 2)]).start()
    assert {q.get(timeout=20) for _ in range(3)} == {1, 2, 3}


def random():
    import random
    generator = random.Random(1)
    assert generator.random() == 0.13436424411240122
    assert generator.choice([5]) == 5 and sorted(generator.sample(range(3), 3)) == [0, 1, 2]


def re():
    import re
    assert re.sub(r"(?P<x>\w+)@(\w+)", r"\2 at \g<x>", "me@home") == "home at me"
    assert re.findall(r"(?<=a)b+?", "abb ab", re.I) == ["b", "b"]
    assert re.fullmatch(r"\d{4}-\d\d", "2024-01").span() == (0, 7)


def readline():
    import readline
    assert readline.get_history_length


def reprlib():
    import reprlib
    assert reprlib.repr(list(range(100))).endswith("...]")


def resource():
    import resource
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0


def runpy():
    import runpy
    assert runpy.run_module("keyword")["iskeyword"]("if")


def sched():
    import sched, time
    told = []
    scheduler = sched.scheduler(time.monotonic, time.sleep)
    scheduler.enter(0.01, 1, told.append, (1,))
    scheduler.run()
    assert told == [1]


def secrets():
    import secrets
    assert len(secrets.token_hex(8)) == 16 and secrets.compare_digest("a", "a")


def select():
    import select, socket
    a, b = socket.socketpair()
    a.send(b"x")
    assert select.select([b], [], [], 20)[0] == [b]
    poll = select.poll()
    poll.register(b, select.POLLIN)
    assert poll.poll(20_000) == [(b.fileno(), select.POLLIN)]
    with select.epoll() as epoll:
        epoll.register(b, select.EPOLLIN)
        assert epoll.poll(20) == [(b.fileno(), select.EPOLLIN)]
    a.close()
    b.close()


def selectors():
    import selectors, socket
    a, b = socket.socketpair()
    with selectors.DefaultSelector() as selector:
        selector.register(b, selectors.EVENT_READ, "b")
        a.send(b"x")
        assert [key.data for key, _ in selector.select(20)] == ["b"]
    a.close()
    b.close()


def shelve():
    import os, shelve, tempfile
    with tempfile.TemporaryDirectory() as folder:
        with shelve.open(os.path.join(folder, "x")) as shelf:
            shelf["a"] = [1]
            assert shelf["a"] == [1]


def shlex():
    import shlex
    assert shlex.split("a 'b c' d\\ e") == ["a", "b c", "d e"] and shlex.quote("a b") == "'a b'"


def shutil():
    import os, shutil, tempfile
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "a", "b"))
        with open(os.path.join(folder, "a", "b", "f"), "w") as file:
            file.write("text")
        shutil.copytree(os.path.join(folder, "a"), os.path.join(folder, "c"))
        archive = shutil.make_archive(os.path.join(folder, "z"), "gztar", os.path.join(folder, "c"))
        shutil.rmtree(os.path.join(folder, "c"))
        shutil.unpack_archive(archive, os.path.join(folder, "d"))
        assert os.path.isfile(os.path.join(folder, "d", "b", "f"))
    assert shutil.which("sh") and shutil.disk_usage("/").total > 0


def signal():
    import signal
    assert signal.Signals(15).name == "SIGTERM" and signal.strsignal(9)
    try:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    except ValueError:
        return
    raise AssertionError("clients' code doesn't run on the main thread")


def smtplib():
    import smtplib
    assert smtplib.quoteaddr("a@b") == "<a@b>"


def socket():
    import socket, threading
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"hello"))
        thread.start()
        with socket.create_connection(server.getsockname(), timeout=20) as client:
            assert client.recv(5, socket.MSG_WAITALL) == b"hello"
        thread.join()
    assert socket.getaddrinfo("localhost", 80) and socket.gethostname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.sendto(b"x", udp.getsockname())
        assert udp.recvfrom(9)[0] == b"x"


def socketserver():
    import socket, socketserver, threading
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(self.rfile.readline().upper())
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with socket.create_connection(server.server_address, timeout=20) as client:
            client.sendall(b"hello\n")
            assert client.recv(6, socket.MSG_WAITALL) == b"HELLO\n"
        server.shutdown()
        thread.join()


def sqlite3():
    import sqlite3
    with sqlite3.connect(":memory:") as db:
        db.execute("create table t (a integer primary key, b text)")
        db.executemany("insert into t (b) values (?)", [("x",), ("y",)])
        db.create_function("twice", 1, lambda x: x * 2)
        assert db.execute("select a, twice(b) from t order by a desc").fetchall() == [(2, "yy"), (1, "xx")]


def ssl():
    import ssl
    context = ssl.create_default_context()
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    assert outgoing.read()[:2] == b"\x16\x03"


def stat():
    import stat
    assert stat.filemode(0o100644) == "-rw-r--r--"


def statistics():
    import statistics
    assert statistics.median([3, 1, 2]) == 2 and statistics.stdev([1, 2, 3]) == 1


def string():
    import string
    assert string.Template("$a b").substitute(a=1) == "1 b" and string.capwords("a b") == "A B"


def struct():
    import struct
    assert struct.unpack("<Hd4s", struct.pack("<Hd4s", 1, 2.5, b"text")) == (1, 2.5, b"text")


def subprocess():
    import subprocess, sys
    assert subprocess.run(["sh", "-c", "cat; exit 3"], input=b"x", capture_output=True).stdout == b"x"
    assert subprocess.check_output([sys.executable, "-c", "print(6 * 7)"], text=True) == "42\n"
    try:
        subprocess.run(["sleep", "60"], timeout=0.05)
    except subprocess.TimeoutExpired:
        return
    raise AssertionError


def symtable():
    import symtable
    assert symtable.symtable("x = 1", "f", "exec").lookup("x").is_assigned()


def sys():
    import sys
    assert sys.version_info >= (3, 13) and sys.implementation.name == "rustpython"
    assert sys.maxsize == 2**63 - 1 and sys.getsizeof([]) > 0 and sys._getframe().f_code.co_name


def sysconfig():
    import sysconfig
    assert sysconfig.get_path("stdlib") is not None


def syslog():
    import syslog
    assert syslog.LOG_ERR == 3


def tarfile():
    import io, tarfile
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        info = tarfile.TarInfo("a")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    data.seek(0)
    with tarfile.open(fileobj=data) as archive:
        assert archive.extractfile("a").read() == b"text"


def tempfile():
    import os, tempfile
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
        file.flush()
        assert os.path.getsize(file.name) == 1
    assert not os.path.exists(file.name)


def termios():
    import os, pty, termios
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    os.close(ours)
    os.close(theirs)


def textwrap():
    import textwrap
    assert textwrap.wrap("aa bb cc", 5) == ["aa bb", "cc"] and textwrap.dedent("  a\n  b") == "a\nb"


def threading():
    import threading
    barrier, local, seen, lock = threading.Barrier(4), threading.local(), [], threading.RLock()
    def work(n):
        local.n = n
        barrier.wait(20)
        with lock:
            seen.append(local.n)
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(seen) == [0, 1, 2, 3]
    done = threading.Event()
    threading.Timer(0.01, done.set).start()
    assert done.wait(20)


def time():
    import time
    start = time.monotonic()
    time.sleep(0.01)
    assert time.monotonic() - start >= 0.01 and time.strftime("%Y", time.gmtime(0)) == "1970"


def timeit():
    import timeit
    assert timeit.timeit("1 + 1", number=100) >= 0


def tkinter():
    import tkinter
    assert tkinter.TkVersion


def token():
    import token
    assert token.tok_name[token.NAME] == "NAME"


def tokenize():
    import io, tokenize
    tokens = tokenize.generate_tokens(io.StringIO("x = 1").readline)
    assert [token.string for token in tokens][:3] == ["x", "=", "1"]


def tomllib():
    import tomllib
    assert tomllib.loads("[a]\nb = [1, 2.5]") == {"a": {"b": [1, 2.5]}}


def trace():
    import trace
    tracer = trace.Trace(count=True, trace=False)
    tracer.runfunc(lambda: 1)
    assert tracer.results().counts


def traceback():
    import traceback
    try:
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise ValueError("second") from error
    except ValueError:
        text = traceback.format_exc()
    assert "ZeroDivisionError" in text and "direct cause" in text


def tracemalloc():
    import tracemalloc
    tracemalloc.start()
    tracemalloc.stop()


def types():
    import types
    assert types.SimpleNamespace(a=1).a == 1 and isinstance(lambda: 0, types.FunctionType)
    assert types.new_class("C", (int,))(5) == 5


def typing():
    import typing
    class Named(typing.NamedTuple):
        x: int
    assert typing.get_type_hints(Named) == {"x": int} and typing.Optional[int] == int | None
    assert typing.get_args(dict[str, list[int]]) == (str, list[int])


def unicodedata():
    import unicodedata
    assert unicodedata.name("ü") == "LATIN SMALL LETTER U WITH DIAERESIS"
    assert unicodedata.normalize("NFD", "ü") == "u\u0308"


def unittest():
    import io, unittest, unittest.mock
    class Case(unittest.TestCase):
        def test_good(self): self.assertEqual(1 + 1, 2)
        def test_bad(self): self.assertIn(1, [])
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Case)
    result = unittest.TextTestRunner(io.StringIO()).run(suite)
    assert (result.testsRun, len(result.failures)) == (2, 1)
    mock = unittest.mock.Mock(return_value=3)
    assert mock(1) == 3 and mock.call_args == unittest.mock.call(1)


def urllib():
    import threading, urllib.error, urllib.parse, urllib.request
    from http.server import BaseHTTPRequestHandler, HTTPServer
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/?q=%C3%BC" else 404)
            self.end_headers()
        def log_message(self, *args): pass
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/?" + urllib.parse.urlencode({"q": "ü"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=20) as response:
            assert response.status == 200
        thread.join()
    assert urllib.parse.urljoin("http://a/b/c", "../d") == "http://a/d"


def uuid():
    import uuid
    assert uuid.UUID(str(uuid.uuid4())).version == 4
    assert str(uuid.uuid5(uuid.NAMESPACE_DNS, "example.org")) == "aad03681-8b63-5304-89e0-8ca8f49461b5"


def venv():
    import venv
    assert venv.EnvBuilder(with_pip=False)


def warnings():
    import warnings
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("careful", DeprecationWarning)
    assert [str(w.message) for w in caught] == ["careful"]


def wave():
    import io, wave
    data = io.BytesIO()
    with wave.open(data, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"\0\0" * 10)
    data.seek(0)
    assert wave.open(data).getnframes() == 10


def weakref():
    import weakref
    class Thing: pass
    thing, told = Thing(), []
    weak = weakref.WeakValueDictionary(a=thing)
    weakref.finalize(thing, told.append, 1)
    assert weak["a"] is thing
    del thing
    assert told == [1] and "a" not in weak


def wsgiref():
    import wsgiref.util
    environ = {}
    wsgiref.util.setup_testing_defaults(environ)
    assert environ["REQUEST_METHOD"] == "GET"


def xml():
    import io, xml.dom.minidom, xml.etree.ElementTree, xml.sax
    root = xml.etree.ElementTree.fromstring("<a x='1'><b>t</b></a>")
    assert root.find("b").text == "t" and xml.etree.ElementTree.tostring(root) == b'<a x="1"><b>t</b></a>'
    assert xml.dom.minidom.parseString("<a><b/></a>").documentElement.tagName == "a"
    seen = []
    class Handler(xml.sax.ContentHandler):
        def startElement(self, name, attributes): seen.append(name)
    xml.sax.parseString(b"<a><b/></a>", Handler())
    assert seen == ["a", "b"]


def xmlrpc():
    import xmlrpc.client
    text = xmlrpc.client.dumps((1, "a", [2.5]), "method")
    assert xmlrpc.client.loads(text) == ((1, "a", [2.5]), "method")


def zipfile():
    import io, zipfile
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b", "text" * 99)
    with zipfile.ZipFile(data) as archive:
        assert archive.namelist() == ["a/b"] and archive.testzip() is None


def zipimport():
    import zipimport
    assert zipimport.zipimporter


def zlib():
    import zlib
    assert zlib.decompress(zlib.compress(b"text" * 999, 9)) == b"text" * 999
    assert zlib.crc32(b"123456789") == 0xCBF43926 and zlib.adler32(b"a") == 0x620062


def zoneinfo():
    import datetime, io, struct, zoneinfo
    # A zone without transitions, an hour ahead.
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    data = b"TZif" + bytes(16) + counts + struct.pack(">lbb", 3600, 0, 0) + b"HRE\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data), "Hour")
    there = datetime.datetime(2024, 7, 1, tzinfo=zone)
    assert there.utcoffset() == datetime.timedelta(hours=1) and there.tzname() == "HRE"


EXERCISES = [f for f in list(globals().values()) if getattr(f, "__module__", None) == __name__]
