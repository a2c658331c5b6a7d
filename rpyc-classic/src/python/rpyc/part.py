"""A file that has its name once it is whole. It runs at peers, too: in any Python, from 2.7 on."""

import binascii
import errno
import gc
import hashlib
import os
import shutil
import stat

try:
    import fcntl
except ImportError:
    # Windows.
    fcntl = None


def part_of(path, mark=""):
    """The name beside a file's own under which it is written: `.NAME.rpyc-part`, where a long name has its
    beginning and a hash of the whole."""
    folder, name = os.path.split(os.path.realpath(_as_text(path)))
    whole = _as_bytes(name)
    if len(whole) > _MAX_NAME:
        while len(_as_bytes(name)) > _MAX_NAME:
            name = name[:-1]
        name += "-" + hashlib.sha256(whole).hexdigest()[:8]
    return os.path.join(folder, "." + name + mark + _PART)


class Part(object):
    """A file that is being written.

    It has its name when it is whole, so that the one of before is there as long. Until then it has another one,
    under which one that `stays` does so where the connection is lost, for the next one to go on with behind the
    bytes that are `kept`; another one, and whoever comes second, has a name of its own and is removed.
    Written in place is what is no file (a device, a pipe), a file that has other names, which stay its names, and
    what can't be replaced: a file that is mounted, whose owner can't be kept, or in a folder that nothing can be
    added to. So is one that `grows`: it goes on
    behind the `kept` bytes that are there under its own name.
    """

    def __init__(self, path, kept=0, grows=False, stays=False):
        self._part = self._file = None
        self._whole = os.path.realpath(_as_text(path))
        self._stays = stays
        self.kept = kept
        if not grows and can_be_replaced(self._whole):
            self._open_part()
        if self._file is None:
            self._file = open(self._whole, "r+b" if grows else "wb")
        if not (self._part or grows):
            self.kept = 0
        else:
            self._file.seek(self.kept)
            self._file.truncate()

    def _open_part(self):
        before = _found(self._whole)
        try:
            part, fd = self._opened(before)
        except OSError as error:
            if before is not None and error.errno in _REFUSALS:
                return
            if error.filename is None:
                raise
            raise OSError(error.errno, error.strerror, self._whole)
        self._part, self._file = part, os.fdopen(fd, "wb")
        if before is None or fcntl is None:
            return
        try:
            found = os.fstat(fd)
            if (found.st_uid, found.st_gid) != (before.st_uid, before.st_gid):
                os.fchown(fd, before.st_uid, before.st_gid)
            # Who may not read the file that is replaced may not read its part either, whatever its ACL says.
            os.fchmod(fd, stat.S_IMODE(before.st_mode) & 0o700 | stat.S_IWUSR)
        except OSError as error:
            self.discard()
            if error.errno not in _REFUSALS:
                raise
            self._file = None

    def _opened(self, before):
        """The name of a part and its descriptor."""
        if self._stays:
            part = part_of(self._whole)
            fd = _open(part, before)
            if fd is not None:
                if os.fstat(fd).st_size != self.kept:
                    # Another one has written it since it was looked at.
                    self.kept = 0
                return part, fd
            self._stays, self.kept = False, 0
        part = part_of(self._whole, "." + binascii.hexlify(os.urandom(6)).decode("ascii"))
        return part, os.open(part, _FLAGS | os.O_EXCL, _mode_beside(before))

    def write(self, data):
        self._file.write(data)

    def flush(self):
        """Writes all that came, and returns the name of what has it."""
        self._file.flush()
        return _as_bytes(self._part or self._whole)

    def finish(self):
        """The file is whole."""
        self._file.flush()
        if self._part:
            self._keep_permissions()
            if fcntl is None:
                # Windows renames no open file.
                self._file.close()
            try:
                getattr(os, "replace", os.rename)(self._part, self._whole)
                self._part = None
            except OSError as error:
                # A file of the same file system that is mounted there.
                if error.errno != errno.EBUSY:
                    raise
                self._copy()
        self._file.close()

    def _copy(self):
        """Writes in place what the part has."""
        with open(self._part, "rb") as part, open(self._whole, "wb") as whole:
            shutil.copyfileobj(part, whole)
        self.discard()

    def _keep_permissions(self):
        """Those of the file that is replaced, where there is one; ACLs are attributes."""
        found = _found(self._whole)
        if found is None or fcntl is None:
            return
        fd = self._file.fileno()
        try:
            names = os.listxattr(self._whole)
        except (AttributeError, OSError):
            names = ()
        for name in names:
            # What is written to has no capabilities any more.
            if name != "security.capability":
                _try(lambda: os.setxattr(fd, name, os.getxattr(self._whole, name)))
        # Nor does it run as its owner any more.
        os.fchmod(fd, stat.S_IMODE(found.st_mode) & 0o777)

    def discard(self):
        """Nobody will go on with it."""
        part, self._part = self._part, None
        if part and fcntl is not None:
            # As long as it is locked: the next one may have the name at once.
            _try(lambda: os.remove(part))
        # A disk that is full fails here again.
        _try(self._file.close)
        if part and fcntl is None:
            _try(lambda: os.remove(part))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.finish()
        else:
            self.discard()

    def __del__(self):
        # The connection was lost.
        if self._part and not self._stays:
            self.discard()


def can_be_replaced(path):
    """Whether a file may have another one in its place, or there is none. One that has other names keeps them."""
    found = _found(path)
    if found is None:
        return True
    is_mounted = found.st_dev != os.stat(os.path.dirname(path)).st_dev
    has_one_name = stat.S_ISREG(found.st_mode) and found.st_nlink < 2
    return has_one_name and not is_mounted and os.access(path, os.W_OK)


def _as_text(path):
    return os.fsdecode(path) if hasattr(os, "fsdecode") else path


def _as_bytes(name):
    if isinstance(name, bytes):
        return name
    return os.fsencode(name) if hasattr(os, "fsencode") else name.encode("utf-8")


def _mode_beside(before):
    return 0o666 if before is None else 0o600


def _found(path):
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise


def _open(part, before):
    """Opens a part, which is nobody else's until it is closed, or None if it is another's now. Neither is a link
    followed, which somebody may have put there, nor a pipe waited for."""
    for tried in range(_TRIES):
        try:
            _check(part, os.lstat(part), before)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        fd = os.open(part, _FLAGS, _mode_beside(before))
        try:
            found = os.fstat(fd)
            _check(part, found, before)
            is_ours = _lock(fd)
            # Whoever had the lock may have given the file its name meanwhile.
            named = _found(part)
            if is_ours and named and (named.st_dev, named.st_ino) == (found.st_dev, found.st_ino):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if not is_ours:
            if tried:
                break
            # The other one may be a connection's that was lost: Python's rpyc leaves what such a one had to the
            # collector of garbage, which an idle server never runs.
            gc.collect()
    return None


def _check(part, found, before):
    if not stat.S_ISREG(found.st_mode):
        raise OSError(part + " is no file: remove it, or copy to another place")
    if hasattr(os, "geteuid"):
        owners = [os.geteuid()] + ([] if before is None else [before.st_uid])
        if found.st_uid not in owners or found.st_nlink > 1:
            raise OSError(part + " is a file of others: remove it, or copy to another place")


def _lock(fd):
    """False where another has it."""
    try:
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, IOError) as error:
        # Some file systems have no locks.
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK)
    return True


def _try(function):
    try:
        function()
    except (OSError, IOError):
        pass


_FLAGS = os.O_WRONLY | os.O_CREAT
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)
# Errors of a folder that nothing can be added to, and of an owner that can't be kept.
_REFUSALS = errno.EACCES, errno.EPERM
_PART = ".rpyc-part"
# Bytes of a name that are taken whole: most file systems have no more than 255.
_MAX_NAME = 200
# How often a part is opened anew that others gave its name, or removed.
_TRIES = 16
