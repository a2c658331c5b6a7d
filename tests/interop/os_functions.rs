//! Functions of `os` on the server's system.

use rpyc_tests::Server;
use rpyc_tests::server::{Evaluator, only_on};

#[test]
fn extended_attributes_of_files_are_set_read_listed_and_removed() {
    Server::start().check(
        r#"
        import errno
        remote = conn.modules.os
        path = os.path.abspath('attributed')
        with open(path, 'w') as file:
            file.write('text')
        def supported():
            try:
                os.setxattr(path, 'user.probe', b'')
            except OSError as error:
                assert error.errno in (errno.ENOTSUP, errno.EPERM), error
                return False
            os.removexattr(path, 'user.probe')
            return True
        if supported():
            remote.setxattr(path, 'user.name', b'value')
            same(os.getxattr(path, 'user.name'), b'value')
            same(remote.getxattr(path, b'user.name'), b'value')
            same(tuple(remote.listxattr(path)), ('user.name',))
            with raises(FileExistsError) as raised:
                remote.setxattr(path, 'user.name', b'', remote.XATTR_CREATE)
            same(raised.value.filename, path)
            descriptor = remote.open(path, remote.O_RDONLY)
            same(remote.getxattr(descriptor, 'user.name'), b'value')
            remote.close(descriptor)
            remote.removexattr(path, 'user.name')
            same(os.listxattr(path), [])
            with raises(OSError) as raised:
                remote.getxattr(path, 'user.name')
            same((raised.value.errno, raised.value.filename), (errno.ENODATA, path))
        with raises(FileNotFoundError) as raised:
            remote.listxattr('/no/such/file')
        same(raised.value.filename, '/no/such/file')
        with raises(ValueError):
            remote.listxattr(1, follow_symlinks=False)
        "#,
    );
}

#[test]
fn buffers_are_read_and_written_in_one_go() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import os, tempfile
            def exercise():
                with tempfile.TemporaryFile() as file:
                    fd, results = file.fileno(), []
                    results.append(os.writev(fd, [b"abc", bytearray(b"de"), memoryview(b"f")]))
                    results.append(os.pwritev(fd, [b"X", b"YZ"], 1))
                    buffers = bytearray(2), bytearray(3), bytearray(9)
                    results.append(os.preadv(fd, buffers, 0))
                    results.append(b"|".join(buffers))
                    os.lseek(fd, 1, os.SEEK_SET)
                    buffers = bytearray(1), bytearray(2)
                    results.append(os.readv(fd, buffers))
                    results.append(b"|".join(buffers))
                    results.append(os.preadv(fd, [bytearray(4)], 100))
                    os.posix_fallocate(fd, 0, 1000)
                    results.append(os.fstat(fd).st_size)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
                    os.fdatasync(file)
                    for wrong in (lambda: os.readv(fd, [b"fixed"]), lambda: os.posix_fadvise(fd, 0, 0, 77),
                                  lambda: os.preadv(-1, [bytearray(1)], 0), lambda: os.posix_fallocate(fd, 0, 0)):
                        try: wrong()
                        except (BufferError, OSError) as error: results.append(getattr(error, "errno", "fixed"))
                    return tuple(results)
        '''))
        import errno
        same(conn.namespace['exercise'](), (6, 3, 6, b'aX|YZe|f' + bytes(8), 3, b'X|YZ', 0, 1000,
                                            'fixed', errno.EINVAL, errno.EBADF, errno.EINVAL))
        "#,
    );
}

#[test]
fn pipes_counters_memory_and_the_system_are_there_by_name() {
    Server::start().check(
        r#"
        import stat
        remote = conn.modules.os
        path = os.path.abspath('pipe')
        remote.mkfifo(path, 0o600)
        same(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        assert stat.S_ISFIFO(os.stat(path).st_mode)
        with raises(FileExistsError):
            remote.mkfifo(path)
        counter = remote.eventfd(3)
        remote.eventfd_write(counter, 4)
        same(remote.eventfd_read(counter), 7)
        remote.close(counter)
        memory = remote.memfd_create('name')
        same(remote.write(memory, b'kept'), 4)
        same(remote.pread(memory, 9, 0), b'kept')
        same(remote.get_inheritable(memory), False)
        remote.close(memory)
        same(set(remote.sched_getaffinity(0)), os.sched_getaffinity(0))
        same(remote.ctermid(), os.ctermid())
        same(remote.confstr('CS_PATH'), os.confstr('CS_PATH'))
        same(remote.confstr('CS_GNU_LIBC_VERSION'), os.confstr('CS_GNU_LIBC_VERSION'))
        with raises(ValueError):
            remote.confstr('CS_NOTHING')
        for number in (os.stat('/dev/null').st_rdev, os.makedev(4000, 300000)):
            same((remote.major(number), remote.minor(number)), (os.major(number), os.minor(number)))
            same(remote.makedev(os.major(number), os.minor(number)), number)
        "#,
    );
}

#[test]
fn parts_of_files_are_locked_against_other_processes() {
    Server::start().check(
        r#"
        import subprocess
        remote = conn.modules.os
        path = os.path.abspath('locked')
        with open(path, 'w') as file:
            file.write('0123456789')
        descriptor = remote.open(path, remote.O_RDWR)
        remote.lockf(descriptor, remote.F_LOCK, 5)
        here = open(path, 'r+')
        with raises((BlockingIOError, PermissionError)):
            os.lockf(here.fileno(), os.F_TLOCK, 5)
        os.lseek(here.fileno(), 5, os.SEEK_SET)
        os.lockf(here.fileno(), os.F_TLOCK, 5)
        remote.lockf(descriptor, remote.F_TEST, 5)
        remote.lseek(descriptor, 5, os.SEEK_SET)
        with raises(PermissionError):
            remote.lockf(descriptor, remote.F_TEST, 5)
        with raises((BlockingIOError, PermissionError)):
            remote.lockf(descriptor, remote.F_TLOCK, 5)
        # A wait for the lock ends with it.
        threading.Timer(0.2, lambda: os.lockf(here.fileno(), os.F_ULOCK, 5)).start()
        remote.lockf(descriptor, remote.F_LOCK, 5)
        with raises((BlockingIOError, PermissionError)):
            os.lockf(here.fileno(), os.F_TLOCK, 5)
        remote.close(descriptor)
        "#,
    );
}

#[test]
fn programs_are_spawned_and_waited_for() {
    Server::start().check(
        r#"
        import signal
        remote = conn.modules.os
        for name, file in (('spawnv', '/bin/sh'), ('spawnvp', 'sh')):
            spawn = getattr(remote, name)
            same(spawn(remote.P_WAIT, file, ('sh', '-c', 'exit 7')), 7)
            same(spawn(remote.P_WAIT, file, ('sh', '-c', 'kill -9 $$')), -signal.SIGKILL)
            same(spawn(remote.P_WAIT, '/no/such/program', ('x',)), 127)
            child = spawn(remote.P_NOWAIT, file, ('sh', '-c', 'exit 3'))
            same(remote.waitstatus_to_exitcode(remote.waitpid(child, 0)[1]), 3)
            child = spawn(remote.P_NOWAIT, '/no/such/program', ('x',))
            same(remote.waitstatus_to_exitcode(remote.waitpid(child, 0)[1]), 127)
        for name, file in (('spawnve', '/bin/sh'), ('spawnvpe', 'sh')):
            same(getattr(remote, name)(remote.P_WAIT, file, ('sh', '-c', 'exit $CODE'), {'CODE': '5', 'PATH': '/bin:/usr/bin'}), 5)
        same(remote.spawnl(remote.P_WAIT, '/bin/sh', 'sh', '-c', 'exit 4'), 4)
        same(remote.spawnlp(remote.P_WAIT, 'sh', 'sh', '-c', 'exit 4'), 4)
        with raises(ValueError):
            remote.spawnv(remote.P_WAIT, '/bin/sh', ('',))
        with raises(TypeError):
            remote.spawnv(remote.P_WAIT, '/bin/sh', 'sh')
        "#,
    );
}

/// Where the system makes a copy of the process for it, the copy can't ask the client for them.
#[test]
fn programs_are_started_with_a_clients_own_lists_and_dicts() {
    Server::start().check(
        r#"
        remote = conn.modules.os
        arguments, names = ['sh', '-c', 'exit $CODE'], {'CODE': '5', 'PATH': '/bin:/usr/bin'}
        same(remote.spawnv(remote.P_WAIT, '/bin/sh', ['sh', '-c', 'exit 4']), 4)
        same(remote.spawnve(remote.P_WAIT, '/bin/sh', arguments, names), 5)
        same(remote.spawnvpe(remote.P_WAIT, 'sh', arguments, names), 5)
        child = remote.spawnvpe(remote.P_NOWAIT, 'sh', arguments, names)
        same(remote.waitstatus_to_exitcode(remote.waitpid(child, 0)[1]), 5)
        same(conn.modules.subprocess.call(arguments, env=names), 5)
        "#,
    );
}

#[test]
fn whoever_asks_for_a_copy_of_the_process_is_told_what_else_works() {
    if !only_on(Evaluator::RustPython, "CPython's users expect to fork") {
        return;
    }
    Server::start().check(
        r#"
        with raises(RuntimeError, 'subprocess'):
            conn.modules.os.fork()
        "#,
    );
}
