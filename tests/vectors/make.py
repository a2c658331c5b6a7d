#!/usr/bin/env python3
"""Writes the golden vectors: what Python's rpyc 6.0.2 puts on the wire.

    pip install rpyc==6.0.2 && python make.py

Each line of a file is `name TAB hex TAB repr`. The output is the same on every run: addresses are replaced, ids are
fixed. It was made with CPython 3.11, whose exceptions have the attributes listed; the compressed frames depend on
the zlib library, so nobody compares their bytes, only what they inflate to.
"""
import pathlib
import re
import struct
import sys
from collections import OrderedDict

import rpyc
from rpyc.core import brine, channel, consts, protocol, vinegar
from rpyc.core.service import VoidService

HERE = pathlib.Path(__file__).resolve().parent


def write(file_name, rows):
    lines = []
    for name, data, meaning in rows:
        text = meaning if len(meaning) <= 300 else meaning[:300] + "..."
        lines.append("\t".join((name, data.hex(), text)) + "\n")
    (HERE / file_name).write_text("".join(lines), encoding="utf-8")


def ascii_repr(value):
    # Stable: a set's own order depends on the hash seed.
    if type(value) is frozenset:
        return "frozenset(%s)" % ascii(tuple(value))
    return ascii(value)


# ---------------------------------------------------------------------------------------------------------- values

def nan(bits):
    return struct.unpack("!d", struct.pack("!Q", bits))[0]


def values():
    yield "none", None
    yield "true", True
    yield "false", False
    yield "not_implemented", NotImplemented
    yield "ellipsis", Ellipsis

    for n in (0, 1, -1, 2, 80, 127, 128, 158, 159, 160, -47, -48, -49, 255, 256, 999, 1000, -1000):
        yield "int_%s" % str(n).replace("-", "minus_"), n
    for bits in (31, 32, 53, 62, 63, 64, 65, 127, 128):
        for off in (-1, 0, 1):
            yield "int_2_to_%d_%s" % (bits, {-1: "less_1", 0: "even", 1: "plus_1"}[off]), 2**bits + off
            yield "int_minus_2_to_%d_%s" % (bits, {-1: "less_1", 0: "even", 1: "plus_1"}[off]), -(2**bits) + off
    for digits in (254, 255, 256, 257, 1000, 4299, 4300):
        yield "int_of_%d_digits" % digits, 10**digits - 1
        yield "int_minus_of_%d_digits" % digits, -(10**digits - 1)
    yield "int_round_4300_digits", 10**4299

    for name, x in (
        ("zero", 0.0), ("minus_zero", -0.0), ("one", 1.0), ("minus_one", -1.0), ("half", 0.5), ("tenth", 0.1),
        ("pi", 3.141592653589793), ("1e16", 1e16), ("1e300", 1e300), ("max", sys.float_info.max),
        ("min_normal", sys.float_info.min), ("min_subnormal", 5e-324), ("inf", float("inf")),
        ("minus_inf", float("-inf")), ("nan", nan(0x7ff8000000000000)), ("minus_nan", nan(0xfff8000000000000)),
        ("nan_with_payload", nan(0x7ff8000000c0ffee)),
    ):
        yield "float_" + name, x
    yield "complex_zero", 0j
    yield "complex_1_minus_2", complex(1.0, -2.0)
    yield "complex_signed_zeros", complex(-0.0, -0.0)
    yield "complex_inf_nan", complex(float("inf"), nan(0x7ff8000000000000))

    for n in (0, 1, 2, 3, 4, 5, 6, 254, 255, 256, 257, 5000):
        yield "bytes_of_%d" % n, bytes(i % 251 for i in range(n))
    yield "bytes_of_all", bytes(range(256))

    for n in (0, 1, 2, 3, 4, 5, 254, 255, 256, 257, 5000):
        yield "str_of_%d" % n, "".join(chr(97 + i % 26) for i in range(n))
    yield "str_2_byte", "\u00e9"
    yield "str_3_byte", "\u20ac"
    yield "str_4_byte", "\U0001f600"
    yield "str_mixed", "a\u00e9\u20ac\U0001f600z"
    yield "str_combining", "e\u0301"
    yield "str_nul", "a\0b"
    yield "str_newlines", "a\nb\r\nc"
    yield "str_bom", "\ufeffx"
    yield "str_last", "\U0010ffff"
    yield "str_3_byte_of_300", "\u20ac" * 100

    for n in (0, 1, 2, 3, 4, 5, 6, 254, 255, 256, 257, 1000):
        yield "tuple_of_%d" % n, tuple(range(n))
    yield "tuple_mixed", (None, True, 1, 1.5, "x", b"y", (), ((),), Ellipsis, NotImplemented, 2j)
    yield "tuple_bools_and_ints", (True, 1, False, 0)
    yield "tuple_of_tuples", ((1, 2), (3, (4, (5, ()))))
    nested = ()
    for _ in range(64):
        nested = (nested,)
    yield "tuple_64_deep", nested
    yield "tuple_of_strs", ("a", "bb", "ccc", "")

    yield "frozenset_empty", frozenset()
    yield "frozenset_of_one", frozenset(["x"])
    yield "frozenset_of_ints", frozenset(range(5))
    yield "frozenset_of_300", frozenset(range(300))
    yield "frozenset_nested", frozenset([frozenset([frozenset()])])
    yield "frozenset_in_tuple", (frozenset([1]), frozenset([b"b"]))

    yield "slice_stop", slice(3)
    yield "slice_full", slice(1, 10, 2)
    yield "slice_none", slice(None)
    yield "slice_negative", slice(-1, None, -1)
    yield "slice_of_tuples", slice((1, 2), "b", 2.5)
    yield "slice_in_slice", slice(slice(1), None, None)

    yield "vinegar_like", (("builtins", "ValueError"), ("bad",), (("add_note", "x"),), "Traceback")
    yield "id_pack", ("builtins.list", 9499488, 140737350000000)
    yield "id_pack_of_class", ("builtins.type", 9499488, 0)


# ---------------------------------------------------------------------------------------------------------- frames

class Recorder:
    """A stream that keeps what is written to it."""

    MAX_IO_CHUNK = 64000

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(bytes(data))


def frames():
    for name, payload, compress in (
        ("empty", b"", True),
        ("one_byte", b"x", True),
        ("newline", b"\n", True),
        ("getroot", bytes.fromhex("0111501153115102"), True),
        ("plain_3000", b"ab" * 1500, True),
        ("plain_3001_uncompressed", b"ab" * 1500 + b"c", False),
        ("compressed_3001", b"ab" * 1500 + b"c", True),
        ("compressed_zeros_100000", bytes(100000), True),
        ("compressed_brine", brine.dump(tuple(range(2000))), True),
        ("plain_all_bytes", bytes(range(256)), False),
    ):
        stream = Recorder()
        channel.Channel(stream, compress).send(payload)
        yield name, b"".join(stream.written), ascii(payload)


# -------------------------------------------------------------------------------------------------------- messages

class Tap:
    """A channel that keeps the payloads sent to it."""

    def __init__(self):
        self.sent = []

    def send(self, data):
        self.sent.append(bytes(data))

    def close(self):
        pass

    def fileno(self):
        return -1

    closed = True


FIXED_IDS = OrderedDict()


def fixed_id_pack(obj):
    if isinstance(obj, type):
        return ("%s.%s" % (obj.__module__, obj.__name__), 94000000000000 + len(obj.__name__), 0)
    key = FIXED_IDS.setdefault(id(obj), (len(FIXED_IDS), obj))[0]
    cls = type(obj)
    return ("%s.%s" % (cls.__module__, cls.__name__), 94000000000000 + len(cls.__name__), 140000000000000 + key)


def messages():
    protocol.get_id_pack = fixed_id_pack
    tap = Tap()
    conn = protocol.Connection(VoidService(), tap)

    def sent(msg, seq, args):
        del tap.sent[:]
        conn._send(msg, seq, args)
        return tap.sent[-1]

    def request(seq, handler, *args):
        return sent(consts.MSG_REQUEST, seq, (handler, conn._box(args)))

    def reply(seq, result):
        return sent(consts.MSG_REPLY, seq, conn._box(result))

    # A ready-made class of the proxy exists for builtins, so that nothing is asked of the peer.
    theirs = conn._netref_factory(("builtins.list", 7, 9))
    their_class = conn._netref_factory(("builtins.type", 7, 0))
    theirs_64 = conn._netref_factory(("builtins.dict", 2**64 - 1, 2**63))
    unicode_name = conn._netref_factory(("builtins.function", 1, 2))
    object.__setattr__(unicode_name, "____id_pack__", ("m\u00f6dule.Kla\u00dfe", 1, 2))

    def local(x):
        return x

    ours = [1, 2]
    rows = [
        ("request_ping", request(0, consts.HANDLE_PING, "hello"), "PING 'hello'"),
        ("request_ping_empty", request(1, consts.HANDLE_PING, b""), "PING b''"),
        ("request_close", request(2, consts.HANDLE_CLOSE), "CLOSE"),
        ("request_getroot", request(0, consts.HANDLE_GETROOT), "GETROOT"),
        ("request_getattr", request(3, consts.HANDLE_GETATTR, theirs, "append"), "GETATTR LocalRef 'append'"),
        ("request_setattr", request(4, consts.HANDLE_SETATTR, theirs, "x", 5), "SETATTR LocalRef 'x' 5"),
        ("request_setattr_ours", request(4, consts.HANDLE_SETATTR, theirs, "x", local), "SETATTR LocalRef 'x' RemoteRef"),
        ("request_delattr", request(5, consts.HANDLE_DELATTR, theirs, "x"), "DELATTR LocalRef 'x'"),
        ("request_call", request(6, consts.HANDLE_CALL, theirs, (1, 2), ()), "CALL LocalRef (1, 2) ()"),
        ("request_call_kwargs", request(7, consts.HANDLE_CALL, theirs, (), (("key", None),)), "CALL LocalRef () (('key', None),)"),
        ("request_call_callback", request(8, consts.HANDLE_CALL, theirs, (ours, 3), (("key", local),)), "CALL LocalRef (RemoteRef, 3) (('key', RemoteRef),)"),
        ("request_callattr", request(9, consts.HANDLE_CALLATTR, theirs, "append", (1,), ()), "CALLATTR LocalRef 'append' (1,) ()"),
        ("request_repr", request(10, consts.HANDLE_REPR, theirs), "REPR LocalRef"),
        ("request_str", request(11, consts.HANDLE_STR, theirs), "STR LocalRef"),
        ("request_cmp", request(12, consts.HANDLE_CMP, theirs, theirs, "__eq__"), "CMP LocalRef LocalRef '__eq__'"),
        ("request_hash", request(13, consts.HANDLE_HASH, theirs), "HASH LocalRef"),
        ("request_dir", request(14, consts.HANDLE_DIR, theirs), "DIR LocalRef"),
        ("request_pickle", request(15, consts.HANDLE_PICKLE, theirs, -1), "PICKLE LocalRef -1"),
        ("request_del", request(16, consts.HANDLE_DEL, theirs, 3), "DEL LocalRef 3"),
        ("request_inspect", request(17, consts.HANDLE_INSPECT, ("a.B", 1, 2)), "INSPECT ('a.B', 1, 2)"),
        ("request_buffiter", request(18, consts.HANDLE_BUFFITER, theirs, 10), "BUFFITER LocalRef 10"),
        ("request_oldslicing", request(19, consts.HANDLE_OLDSLICING, theirs, "__getitem__", "__getslice__", 0, None, ()), "OLDSLICING"),
        ("request_ctxexit", request(20, consts.HANDLE_CTXEXIT, theirs, None), "CTXEXIT LocalRef None"),
        ("request_instancecheck", request(21, consts.HANDLE_INSTANCECHECK, their_class, ("a.B", 1, 2)), "INSTANCECHECK LocalRef ('a.B', 1, 2)"),
        ("request_ids_of_64_bits", request(22, consts.HANDLE_REPR, theirs_64), "REPR LocalRef(2**64-1, 2**63)"),
        ("request_unicode_name", request(23, consts.HANDLE_REPR, unicode_name), "REPR LocalRef"),
        ("request_seq_159", request(159, consts.HANDLE_PING, 1), "seq 159"),
        ("request_seq_160", request(160, consts.HANDLE_PING, 1), "seq 160"),
        ("request_seq_2_to_63", request(2**63, consts.HANDLE_PING, 1), "seq 2**63"),
        ("request_unknown_handler", request(24, 99, 1), "handler 99"),
        ("request_300_args", request(25, consts.HANDLE_PING, *range(300)), "300 arguments"),
        ("reply_none", reply(0, None), "None"),
        ("reply_int", reply(1, 42), "42"),
        ("reply_tuple", reply(2, (1, "a", b"b")), "(1, 'a', b'b')"),
        ("reply_ours", reply(3, local), "RemoteRef"),
        ("reply_our_class", reply(3, int), "RemoteRef of a class"),
        ("reply_theirs", reply(4, theirs), "LocalRef"),
        ("reply_mixed_tuple", reply(5, (1, ours, (theirs, "x"), ())), "(1, RemoteRef, (LocalRef, 'x'), ())"),
        ("reply_bytes_5000", reply(6, bytes(5000)), "bytes(5000)"),
    ]
    for name, dumped, _ in exceptions():
        rows.append(("exception_" + name, sent(consts.MSG_EXCEPTION, len(rows), dumped), "exception " + name))
    # Nobody is there to say goodbye to.
    conn._closed = True
    return rows


# ------------------------------------------------------------------------------------------------------ exceptions

def without_addresses(value):
    if type(value) is str:
        return re.sub(r" at 0x[0-9a-fA-F]+", " at 0x7f0000000000", value)
    if type(value) is tuple:
        return tuple(without_addresses(item) for item in value)
    return value


SOURCES = (
    ("stop_iteration", "raise StopIteration"),
    ("value_error", "raise ValueError('bad', 1, None)"),
    ("key_error", "{}['missing']"),
    ("zero_division", "1 // 0"),
    ("os_error", "raise FileNotFoundError(2, 'No such file', 'x.txt')"),
    ("unicode_error", "b'\\xff'.decode('utf-8')"),
    ("attribute_error", "raise AttributeError('no such thing')"),
    ("unusual_args", "raise RuntimeError([1], {2: 3}, (4, [5]), frozenset([6]))"),
    ("custom", "class Custom(Exception):\n    def __init__(self):\n        self.code = 7\n        self.why = 'because'\nraise Custom()"),
    ("chained", "try:\n    1 // 0\nexcept ZeroDivisionError as e:\n    raise ValueError('outer') from e"),
    ("system_exit", "raise SystemExit(3)"),
    ("non_ascii", "raise ValueError('gr\u00fc\u00dfe \u20ac')"),
)


def exceptions():
    for with_details in (True, False):
        for name, source in SOURCES:
            try:
                exec(compile(source, "<vectors>", "exec"), {"__name__": "vectors"})
            except BaseException:
                typ, val, tb = sys.exc_info()
                # Without the line of this file.
                dumped = vinegar.dump(typ, val, tb.tb_next, with_details, with_details)
            yield name + ("" if with_details else "_denied"), without_addresses(dumped), None


def main():
    assert rpyc.__version__ == "6.0.2", rpyc.__version__
    write("brine.txt", [(name, brine.dump(value), ascii_repr(value)) for name, value in values()])
    write("frames.txt", frames())
    write("messages.txt", messages())
    write("exceptions.txt", [(name, brine.dump(dumped), ascii(dumped)) for name, dumped, _ in exceptions()])


if __name__ == "__main__":
    main()
