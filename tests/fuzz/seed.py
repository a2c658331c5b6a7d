"""Writes the fuzzers' seeds: one file for each line of the vectors.

Usage: seed.py VECTORS CORPUS
"""

import pathlib
import sys


def lines(path):
    for line in path.read_text().splitlines():
        name, digits, _ = line.split("\t", 2)
        yield name, bytes.fromhex(digits)


def main():
    vectors, corpus = map(pathlib.Path, sys.argv[1:])
    seeds = {target: {} for target in ("boxed", "exception", "frame", "message", "registry", "session", "value")}
    for name, data in lines(vectors / "brine.txt"):
        seeds["value"][name] = data
        seeds["boxed"][name] = b"\x11\x51" + data
        seeds["registry"][name] = data
        # ("RPYC", "QUERY", value) and ("RPYC", "REGISTER", value)
        seeds["registry"]["query_" + name] = b"\x12\x08\x0dRPYC\x08\x0e\x05QUERY" + data
        seeds["registry"]["register_" + name] = b"\x12\x08\x0dRPYC\x08\x0e\x08REGISTER" + data
    for name, data in lines(vectors / "exceptions.txt"):
        seeds["exception"][name] = data
    for name, data in lines(vectors / "frames.txt"):
        seeds["frame"][name] = b"\xff" + data
    conversation = b""
    for name, data in lines(vectors / "messages.txt"):
        seeds["message"][name] = data
        if name.startswith("reply_"):
            seeds["boxed"][name] = data[3:]
        # An option byte, then each message behind two bytes of length.
        framed = len(data).to_bytes(2, "big") + data
        if name != "request_close":
            conversation += framed
        seeds["session"][name] = b"\x01" + framed
    for options in range(16):
        seeds["session"][f"conversation_{options}"] = bytes([options]) + conversation
    for target, files in seeds.items():
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
