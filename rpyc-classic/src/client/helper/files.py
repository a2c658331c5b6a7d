"""The files of the server. Names cross as bytes, so that any name does."""

import errno
import hashlib
import os
import stat
import sys


def kind_and_size(path):
    """'file', 'dir', 'other' or 'missing', and the size in bytes."""
    try:
        found = os.stat(os.fsdecode(path))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return "missing", 0
        raise
    if stat.S_ISDIR(found.st_mode):
        return "dir", 0
    if stat.S_ISREG(found.st_mode):
        return "file", found.st_size
    return "other", 0


def entries(path):
    """An iterator over the names in a directory, each with its kind and size."""
    folder = os.fsdecode(path)
    for name in sorted(os.listdir(folder)):
        full = os.fsencode(os.path.join(folder, name))
        yield (os.fsencode(name), full) + kind_and_size(full)


def real_path(path):
    return os.fsencode(os.path.realpath(os.fsdecode(path)))


def join(folder, name):
    return os.fsencode(os.path.join(os.fsdecode(folder), os.fsdecode(name)))


def make_dirs(path):
    os.makedirs(os.fsdecode(path), exist_ok=True)


def _is(path, other):
    try:
        found = os.stat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size) == other


def _check_other(path, other):
    """Refuses the other end's file, which would be emptied before it is read."""
    if other is not None and _is(path, other):
        raise OSError(path + " is the same file on both sides")


def open_file(path, position, other):
    """The file, opened to be read from there on."""
    path = os.fsdecode(path)
    _check_other(path, other)
    file = open(path, "rb")
    file.seek(position)
    return file


def part_to_resume(path):
    """The name of the part of a file, or b"" where it has none."""
    path = os.path.realpath(os.fsdecode(path))
    return os.fsencode(part_of(path)) if can_be_replaced(path) else b""


def open_part(path, kept, grows, other):
    """What writes the file, and how many bytes of what is there it keeps."""
    path = os.fsdecode(path)
    _check_other(path, other)
    part = Part(path, kept, grows, True)
    return part, part.kept


def site_packages():
    """Where pure Python packages belong: a folder that is on sys.path."""
    import sysconfig
    usual = sysconfig.get_paths().get("purelib")
    if usual and usual in sys.path:
        return os.fsencode(usual)
    for folder in sys.path:
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK):
            return os.fsencode(folder)
    raise OSError("no folder of sys.path can be written to: say where the package belongs")


class Digest:
    """The SHA-256 of the beginning of a file, step by step: no request takes long."""

    def __init__(self, path, length):
        self._file = open(os.fsdecode(path), "rb")
        self._left = length
        self._hash = hashlib.sha256()

    def step(self, most):
        """Reads so many bytes. None until the end; then the digest and how many bytes missed."""
        most = min(most, self._left)
        while most > 0:
            data = self._file.read(min(most, 1 << 20))
            if not data:
                break
            self._hash.update(data)
            self._left -= len(data)
            most -= len(data)
        if most == 0 and self._left > 0:
            return None
        self._file.close()
        return self._hash.hexdigest(), self._left
