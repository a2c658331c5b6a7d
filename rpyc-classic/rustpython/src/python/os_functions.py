"""Functions of `os` that RustPython 0.6 lacks, as CPython has them on Linux."""

import os
import posix
import stat
import sys

import _rpyc_os as native

_CONSTANTS = {
    "EFD_CLOEXEC": 0x80000,
    "EFD_NONBLOCK": 0x800,
    "EFD_SEMAPHORE": 1,
    "F_LOCK": 1,
    "F_TEST": 3,
    "F_TLOCK": 2,
    "F_ULOCK": 0,
    "MFD_ALLOW_SEALING": 2,
    "MFD_CLOEXEC": 1,
    "MFD_HUGETLB": 4,
    "POSIX_FADV_DONTNEED": 4,
    "POSIX_FADV_NOREUSE": 5,
    "POSIX_FADV_NORMAL": 0,
    "POSIX_FADV_RANDOM": 1,
    "POSIX_FADV_SEQUENTIAL": 2,
    "POSIX_FADV_WILLNEED": 3,
    "RWF_APPEND": 16,
    "RWF_DSYNC": 2,
    "RWF_HIPRI": 1,
    "RWF_NOWAIT": 8,
    "RWF_SYNC": 4,
    "XATTR_CREATE": 1,
    "XATTR_REPLACE": 2,
    "XATTR_SIZE_MAX": 65536,
    "confstr_names": {
        "CS_PATH": 0,
        "CS_V6_WIDTH_RESTRICTED_ENVS": 1,
        "CS_GNU_LIBC_VERSION": 2,
        "CS_GNU_LIBPTHREAD_VERSION": 3,
        "CS_LFS_CFLAGS": 1000,
        "CS_LFS_LDFLAGS": 1001,
        "CS_LFS_LIBS": 1002,
        "CS_LFS_LINTFLAGS": 1003,
        "CS_LFS64_CFLAGS": 1004,
        "CS_LFS64_LDFLAGS": 1005,
        "CS_LFS64_LIBS": 1006,
        "CS_LFS64_LINTFLAGS": 1007,
    },
}


def setxattr(path, attribute, value, flags=0, *, follow_symlinks=True):
    """Sets an extended attribute of a file."""
    place = _place(path, follow_symlinks)
    with _naming(path):
        native.setxattr(*place, os.fsencode(attribute), bytes(value), flags)


def getxattr(path, attribute, *, follow_symlinks=True):
    """The value of an extended attribute of a file."""
    place = _place(path, follow_symlinks)
    with _naming(path):
        return native.getxattr(*place, os.fsencode(attribute))


def removexattr(path, attribute, *, follow_symlinks=True):
    """Removes an extended attribute of a file."""
    place = _place(path, follow_symlinks)
    with _naming(path):
        native.removexattr(*place, os.fsencode(attribute))


def listxattr(path=None, *, follow_symlinks=True):
    """The names of a file's extended attributes."""
    path = "." if path is None else path
    place = _place(path, follow_symlinks)
    with _naming(path):
        names = native.listxattr(*place)
    return [os.fsdecode(name) for name in names.split(b"\0") if name]


def mkfifo(path, mode=0o666, *, dir_fd=None):
    """Makes a named pipe."""
    os.mknod(path, (mode & ~stat.S_IFMT(mode)) | stat.S_IFIFO, dir_fd=dir_fd)


def readv(fd, buffers, /):
    """Reads into buffers, one after the other."""
    views = _views(buffers)
    return _scatter(os.read(fd, sum(map(len, views))), views)


def preadv(fd, buffers, offset, flags=0, /):
    """Reads from that offset into buffers, one after the other."""
    views = _views(buffers)
    return _scatter(native.preadv2(fd, sum(map(len, views)), offset, flags), views)


def writev(fd, buffers, /):
    """Writes the buffers, one after the other."""
    return os.write(fd, b"".join(map(_bytes, buffers)))


def pwritev(fd, buffers, offset, flags=0, /):
    """Writes the buffers at that offset, one after the other."""
    return native.pwritev2(fd, b"".join(map(_bytes, buffers)), offset, flags)


def posix_fallocate(fd, offset, length, /):
    """Makes sure that the file has so much room on its disk."""
    native.fallocate(_descriptor(fd), offset, length)


def posix_fadvise(fd, offset, length, advice, /):
    """Tells the system how the file will be used."""
    native.fadvise(_descriptor(fd), offset, length, advice)


def fdatasync(fd):
    """Has the file's data written to its disk."""
    native.fdatasync(_descriptor(fd))


def lockf(fd, command, length, /):
    """Locks a part of the file, from where it stands; tests or undoes that."""
    import fcntl

    kinds = {
        _CONSTANTS["F_ULOCK"]: fcntl.LOCK_UN,
        _CONSTANTS["F_TLOCK"]: fcntl.LOCK_EX | fcntl.LOCK_NB,
        _CONSTANTS["F_LOCK"]: fcntl.LOCK_EX,
    }
    if command == _CONSTANTS["F_TEST"]:
        return _test_lock(fcntl, fd, length)
    if command not in kinds:
        raise OSError(22, os.strerror(22))
    fcntl.lockf(fd, kinds[command], length, 0, os.SEEK_CUR)


def _test_lock(fcntl, fd, length):
    import struct

    layout = "hhqqi4x"
    asked = struct.pack(layout, fcntl.F_WRLCK, os.SEEK_CUR, 0, length, 0)
    kind = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0]
    if kind != fcntl.F_UNLCK:
        raise PermissionError(13, os.strerror(13))


def sched_getaffinity(pid, /):
    """The processors that a process may run on."""
    return set(native.getaffinity(pid))


def memfd_create(name, flags=_CONSTANTS["MFD_CLOEXEC"]):
    """A file in memory."""
    return native.memfd_create(os.fsencode(name), flags)


def eventfd(initval, flags=_CONSTANTS["EFD_CLOEXEC"]):
    """A counter that can be waited for."""
    return native.eventfd(initval, flags)


def eventfd_read(fd):
    """Takes what has been counted; waits until it isn't zero."""
    return int.from_bytes(os.read(fd, 8), sys.byteorder)


def eventfd_write(fd, value):
    """Adds to the counter."""
    os.write(fd, value.to_bytes(8, sys.byteorder))


def confstr(name, /):
    """A text that describes the system, or None."""
    import ctypes

    names = _CONSTANTS["confstr_names"]
    if isinstance(name, str):
        if name not in names:
            raise ValueError("unrecognized configuration name")
        name = names[name]
    if not isinstance(name, int):
        raise TypeError("configuration names must be strings or integers")
    ask = ctypes.CDLL(None, use_errno=True).confstr
    ask.argtypes, ask.restype = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_size_t
    ctypes.set_errno(0)
    length = ask(name, None, 0)
    if not length:
        code = ctypes.get_errno()
        if code:
            raise OSError(code, os.strerror(code))
        return None
    text = ctypes.create_string_buffer(length)
    ask(name, text, length)
    return os.fsdecode(text.value)


def ctermid():
    """The name of the controlling terminal."""
    return "/dev/tty"


def makedev(major, minor, /):
    """The number of a device."""
    high = (major & ~0xFFF) << 32 | (minor & ~0xFF) << 12
    return high | (major & 0xFFF) << 8 | minor & 0xFF


def major(device, /):
    """The first part of a device's number."""
    return (device >> 32) & 0xFFFFF000 | (device >> 8) & 0xFFF


def minor(device, /):
    """The second part of a device's number."""
    return (device >> 12) & 0xFFFFFF00 | device & 0xFF


def _place(path, follow_symlinks):
    """Where a file is, for the native functions, and whether links are followed."""
    if isinstance(path, int):
        if not follow_symlinks:
            raise ValueError("cannot use fd and follow_symlinks together")
        return b"/proc/self/fd/%d" % path, True
    return os.fsencode(path), bool(follow_symlinks)


class _naming:
    """Errors within it name the file."""

    def __init__(self, path):
        self._path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, OSError) and not isinstance(self._path, int):
            raise type(error)(error.errno, error.strerror, self._path) from None


def _descriptor(file):
    return file if isinstance(file, int) else file.fileno()


def _bytes(buffer):
    return bytes(memoryview(buffer))


def _views(buffers):
    views = [memoryview(buffer) for buffer in buffers]
    for view in views:
        if view.readonly:
            raise BufferError("Object is not writable.")
    return [view.cast("B") for view in views]


def _scatter(data, views):
    place = 0
    for view in views:
        part = data[place : place + len(view)]
        view[: len(part)] = part
        place += len(part)
    return place


def install():
    """Puts what is missing into `os` and into `posix`, where `os` has it from."""
    functions = {
        name: value
        for name, value in globals().items()
        if not name.startswith("_") and getattr(value, "__module__", None) == __name__
    }
    del functions["install"]
    for name, value in {**functions, **_CONSTANTS}.items():
        if hasattr(posix, name):
            continue
        if name in functions:
            value.__module__ = "posix"
        setattr(posix, name, value)
        setattr(os, name, value)
        os.__all__.append(name)
