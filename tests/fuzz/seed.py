"""Writes the fuzzers' seeds: one file for each line of the vectors.

Usage: seed.py VECTORS CORPUS
"""

import pathlib
import sys
import zlib


def lines(path):
    for line in path.read_text().splitlines():
        name, digits, _ = line.split("\t", 2)
        yield name, bytes.fromhex(digits)


# The dialects of targets/dialects.rs that have pairs: rpyc 6 or rpyc-ng, rpyc-ng, rpyc 6.
NG = 8
PAIRS = (0, NG, 9)
# Those that have triples with id_packs: nothing known yet, id_packs from Python 3 and Python 2.
# Those that have numbers read them from messages made for them, below.
TRIPLES = (1, 2, 3)
WITH_NUMBERS = (1, 4, 5, 6, 7)
# What the bits for the threads put in front of a message.
THREADS = (b"", bytes(8), bytes(16))


def triple(message):
    """A message of rpyc 6 as the ones before have it."""
    kind, pair = message[0], message[1:]
    assert pair[0] == 0x11, pair
    return bytes([0x12, 0x50 + kind]) + pair[1:]


def numbered():
    """Messages of rpyc 3 and 4.0: references are numbers."""
    text = b"\x08\x0a"
    yield "getroot", b"\x12\x51\x50\x11\x53\x11\x51\x02"
    yield "repr_bare", b"\x12\x51\x51\x11\x59\x11\x51\x10\x57"
    yield "repr_boxed", b"\x12\x51\x51\x11\x59\x11\x52\x10\x11\x53\x57"
    yield "getattr_bare", b"\x12\x51\x52\x11\x54\x11\x51\x11\x57" + text + b"a"
    yield "inspect", b"\x12\x51\x53\x11\x60\x11\x51\x10\x57"
    yield "del", b"\x12\x51\x54\x11\x5f\x11\x51\x10\x57"
    yield "reply_ours", b"\x12\x52\x50\x11\x53\x57"
    yield "reply_theirs", b"\x12\x52\x50\x11\x54\x12\x57" + text + b"a" + text + b"a"
    yield "reply_theirs_of_python_2", b"\x12\x52\x50\x11\x54\x12\x57\x0a\x61\x0a\x61"
    yield "reply_long_of_python_2", b"\x12\x52\x50\x11\x51\x09\x16\x01\x35"


def dialects(name, message):
    """The message with the byte of each dialect that can mean it, and without threads."""
    for number in PAIRS:
        yield "%s_%d" % (name, number), bytes([number]), message
    for number in TRIPLES:
        yield "%s_%d" % (name, number), bytes([number]), triple(message)


def payload(frame):
    return zlib.decompress(frame[5:-1]) if frame[4] else frame[5:-1]


def framed(payload):
    """The payload as the session target has it: behind two bytes of length."""
    return len(payload).to_bytes(2, "big") + payload


def add_message(seeds, name, dialect, message):
    """The message alone, for every target that is about messages, and with threads in front of it."""
    for bits, threads in enumerate(THREADS):
        if bits == 1 and dialect[0] in PAIRS:
            continue
        byte = bytes([dialect[0] | bits << 4])
        seeds["message"][f"{name}_threads_{bits}"] = byte + threads + message
        seeds["session"][f"{name}_threads_{bits}"] = b"\x01" + byte + framed(threads + message)


def main():
    vectors, corpus = map(pathlib.Path, sys.argv[1:])
    seeds = {target: {} for target in ("exception", "frame", "message", "registry", "session", "value")}
    for name, data in lines(vectors / "brine.txt"):
        seeds["value"][name] = data
        seeds["message"]["reply_" + name] = b"\0\x02\x11\x50\x11\x51" + data
        seeds["registry"][name] = data
        # ("RPYC", "QUERY", value) and ("RPYC", "REGISTER", value)
        seeds["registry"]["query_" + name] = b"\x12\x08\x0dRPYC\x08\x0e\x05QUERY" + data
        seeds["registry"]["register_" + name] = b"\x12\x08\x0dRPYC\x08\x0e\x08REGISTER" + data
    for name, data in lines(vectors / "exceptions.txt"):
        seeds["exception"][name] = data
    for name, data in lines(vectors / "frames.txt"):
        seeds["frame"][name] = b"\xff" + data
    conversations = {}
    for name, data in lines(vectors / "messages.txt"):
        for name, dialect, message in dialects(name, data):
            add_message(seeds, name, dialect, message)
            # A conversation is in one dialect.
            if not name.startswith("request_close"):
                conversations[dialect] = conversations.get(dialect, b"") + framed(message)
    for name, message in numbered():
        for number in WITH_NUMBERS:
            add_message(seeds, "%s_%d" % (name, number), bytes([number]), message)
            conversations[bytes([number])] = conversations.get(bytes([number]), b"") + framed(message)
    for dialect, conversation in conversations.items():
        for options in (*range(16), 32):
            seeds["session"][f"conversation_{dialect[0]}_{options}"] = bytes([options]) + dialect + conversation
    for path in (vectors / "sessions").glob("*.txt"):
        frames = [line.split() for line in path.read_text().splitlines() if line[:1] in "<>"]
        # What the client sends, to a server; what the server sends, to a client who has asked for its root.
        for side, options in ((">", 1), ("<", 33)):
            messages = [payload(bytes.fromhex(digits)) for direction, digits in frames if direction == side]
            first = next((message for message in messages), b"")
            dialect = bytes([0 if first[:1] in (b"\x01", b"\x02", b"\x03") else 1])
            name = path.stem + side.replace("<", "_back").replace(">", "")
            seeds["session"][name] = bytes([options]) + dialect + b"".join(map(framed, messages))
            if path.stem.endswith("-7.0.15"):
                # Its words alone, to a side that knows whom it talks to.
                for number, message in enumerate(messages):
                    add_message(seeds, f"{name}_{number}", bytes([NG]), message)
    for target, files in seeds.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
