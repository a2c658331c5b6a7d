//! What a CPython of the user's does that the built-in Python can't (`RPYC_TEST_PYTHON`).

use std::process::Command;

use rpyc_tests::python::clear_environment;
use rpyc_tests::server::{Evaluator, Server, binary, only_on};

#[track_caller]
fn with_cpython(options: &[&str], code: &str) {
    if only_on(Evaluator::CPython, "RustPython has no such thing") {
        Server::with_options(options).check(code);
    }
}

#[test]
fn a_fork_is_the_clients_own_business_and_the_child_leaves_the_connections_alone() {
    with_cpython(
        &[],
        r#"
        conn.execute(dedent('''
            import multiprocessing, os, signal
            def exit_code(pid):
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            def calls_back_in_a_child(callback):
                pid = os.fork()
                if pid == 0:
                    try: callback()
                    except EOFError: os._exit(7)
                    os._exit(1)
                return exit_code(pid)
            def lets_go_in_a_child(callbacks):
                pid = os.fork()
                if pid == 0:
                    callbacks.clear()
                    os._exit(8)
                return exit_code(pid)
            def work():
                with multiprocessing.get_context('fork').Pool(2) as pool:
                    return tuple(pool.map(abs, [-1, -2, -3]))
            def terminated():
                child = multiprocessing.get_context('fork').Process(target=signal.pause)
                child.start()
                child.terminate()
                child.join(60)
                return child.exitcode
        '''))
        said = []
        same(conn.namespace['calls_back_in_a_child'](lambda: said.append(1)), 7)
        same(said, [])
        callbacks = conn.eval('[]')
        callbacks.append(said.append)
        same(conn.namespace['lets_go_in_a_child'](callbacks), 8)
        callbacks[0](2)
        same(said, [2])
        # The child that comes back to the server ends there.
        conn.execute('pid = os.fork()')
        same(conn.eval('exit_code(pid)'), 0)
        same(conn.namespace['work'](), (1, 2, 3))
        # The server's own signals aren't the child's: a pool ends its processes by one.
        same(conn.eval('terminated() == -signal.SIGTERM'), True)
        same(conn.eval('1 + 1'), 2)
        "#,
    );
}

#[test]
fn a_terminal_and_posix_spawn_take_what_is_a_clients_own() {
    with_cpython(
        &[],
        r#"
        remote = conn.modules.os
        arguments, names = ['sh', '-c', 'exit $CODE'], {'CODE': '5'}
        child = remote.posix_spawn('/bin/sh', tuple(arguments), names)
        same(remote.waitstatus_to_exitcode(remote.waitpid(child, 0)[1]), 5)
        conn.execute(dedent("""
            import os, pty
            def nothing_typed(descriptor): return b''
            def read(descriptor):
                text.append(os.read(descriptor, 100))
                return text[-1]
            text = []
        """))
        status = conn.modules.pty.spawn(['echo', 'said'], conn.namespace['read'], conn.namespace['nothing_typed'])
        same(remote.waitstatus_to_exitcode(status), 0)
        same(conn.eval("b'said' in b''.join(text)"), True)
        "#,
    );
}

#[test]
fn functions_go_there_as_bytecode_where_both_run_one_version() {
    with_cpython(
        &[],
        r#"
        import importlib.util
        def far(n, step=2, *, plus=1):
            def inner(x): return x * 10
            return [inner(i) * step + plus for i in range(n)]
        is_same = conn.modules['importlib.util'].MAGIC_NUMBER == importlib.util.MAGIC_NUMBER
        if is_same:
            remote = conn.teleport(far)
            same(list(remote(3)), [1, 21, 41])
            same(list(remote(2, step=5, plus=0)), [0, 50])
            same(list(conn.eval('far(1)')), [1])
        else:
            with raises(TypeError, 'bytecode'):
                conn.teleport(far)
        "#,
    );
}

#[test]
fn thread_locals_last_between_the_requests_of_a_client() {
    with_cpython(
        &[],
        "
        conn.execute('import threading; local = threading.local(); local.x = 1')
        for _ in range(20):
            same(conn.eval('local.x'), 1)
        same(conn.eval('threading.current_thread() is threading.main_thread()'), False)
        ",
    );
}

#[test]
fn threading_forgets_the_threads_that_have_served_clients() {
    with_cpython(
        &[],
        "
        for _ in range(10):
            with connect() as other:
                other.execute('import threading; here = threading.current_thread()')
                same(other.eval('here in threading.enumerate()'), True)
        conn.execute('import threading')
        eventually(lambda: conn.eval('len(threading.enumerate())') <= 2, 'the main thread and its own are left')
        ",
    );
}

#[test]
fn a_thread_waits_half_a_millisecond_for_another_ones_loop() {
    with_cpython(
        &[],
        "
        interval = conn.modules.sys.getswitchinterval()
        assert abs(interval - 0.0005) < 0.0001, interval
        ",
    );
}

#[test]
fn a_clients_process_is_that_python_started_anew_by_the_program_itself() {
    let only = only_on(Evaluator::CPython, "its processes are the program itself");
    if !only {
        return;
    }
    let server = Server::with_options(&["--mode", "process"]);
    let program = std::fs::read_link(format!("/proc/{}/exe", server.process_id()));
    let itself = binary().canonicalize().expect("it is there");
    assert_eq!(program.expect("it runs"), itself);
    let script = server.client(
        "
        import subprocess
        there = conn.modules.os
        same(there.getppid(), int(os.environ['SERVER']))
        same(there.readlink('/proc/self/exe'), there.path.realpath(conn.modules.sys.executable))
        # A fork would have had the other threads' client.
        with connect() as other:
            assert other.modules.os.getpid() != there.getpid()
            same(other.modules.os.getppid(), there.getppid())
        ",
    );
    let script = script.variable("SERVER", server.process_id().to_string());
    server.succeed(script.outcome());
}

#[test]
fn a_process_of_one_client_runs_its_code_on_pythons_main_thread() {
    for mode in ["process", "oneshot"] {
        on_the_main_thread(mode);
    }
}

fn on_the_main_thread(mode: &str) {
    with_cpython(
        &["--mode", mode],
        r#"
        same(conn.eval("(t := __import__('threading')).current_thread() is t.main_thread()"), True)
        conn.execute('import signal')
        conn.execute('seen = []; before = signal.signal(signal.SIGUSR1, lambda *args: seen.append(args[0]))')
        conn.execute('signal.raise_signal(signal.SIGUSR1)')
        same(conn.eval('seen == [signal.SIGUSR1]'), True)
        same(conn.eval("(a := __import__('asyncio')).run(a.sleep(0, 5))"), 5)
        "#,
    );
}

#[test]
fn the_recursion_limit_is_what_the_stack_of_that_version_holds() {
    let code = "
        there = conn.modules.sys
        there.setrecursionlimit(1_000_000)
        soft, _ = conn.modules.resource.getrlimit(conn.modules.resource.RLIMIT_STACK)
        main = soft if 0 < soft < 1 << 30 else 8 << 20
        is_old = tuple(there.version_info)[:2] < (3, 12)
        same(there.getrecursionlimit(), (OLD if is_old else NEW))
    ";
    let code = |old, new| code.replace("OLD", old).replace("NEW", new);
    with_cpython(&["--mode", "threaded"], &code("21_845", "100_000"));
    for mode in ["process", "oneshot"] {
        with_cpython(&["--mode", mode], &code("main // 3072", "1_000_000"));
    }
}

#[test]
fn ctypes_calls_into_c_and_c_calls_back() {
    with_cpython(
        &[],
        r#"
        conn.execute(dedent('''
            import ctypes
            libc = ctypes.CDLL(None)
            class Point(ctypes.Structure):
                _fields_ = [('x', ctypes.c_int), ('y', ctypes.c_int)]
            Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
            def in_order(compare, numbers):
                items = (ctypes.c_int * len(numbers))(*numbers)
                libc.qsort(items, len(items), ctypes.sizeof(ctypes.c_int), Compare(lambda a, b: compare(a[0], b[0])))
                return list(items)
        '''))
        point = conn.eval('Point(3, y=4)')
        point.x += 1
        same((point.x, point.y), (4, 4))
        same(list(conn.namespace['in_order'](lambda a, b: b - a, (3, 1, 2))), [3, 2, 1])
        "#,
    );
}

#[test]
fn memory_beyond_the_limit_of_a_process_is_a_memory_error() {
    with_cpython(
        &["--mode", "process", "--max-memory", "512MiB"],
        "
        with raises(MemoryError):
            conn.eval('bytearray(1 << 30)')
        same(conn.eval('1 + 1'), 2)
        ",
    );
}

#[test]
fn the_logs_first_line_and_a_check_name_the_python_in_every_mode() {
    if !only_on(Evaluator::CPython, "RustPython comes with the program") {
        return;
    }
    for mode in ["threaded", "pool", "process", "oneshot"] {
        let server = Server::with_options(&["--mode", mode]);
        let log = server.log();
        let first = log.lines().next().unwrap_or_default();
        assert!(is_description(first), "{mode}: {log}");
        let mut check = Command::new(binary());
        check.args(["--classic", "--port", "0", "--mode", mode, "--check"]);
        let checked = clear_environment(&mut check).output().expect("it runs");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(said.lines().any(is_description), "{mode}: {said}");
    }
}

fn is_description(line: &str) -> bool {
    line.contains("CPython 3.") && line.contains("packages in ")
}

#[test]
fn a_startup_script_is_the_main_module() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("bench.py");
    let text = "device = [1]\nif __name__ == '__main__': device.append(2)\n_hidden = 3\n";
    std::fs::write(&script, text).expect("a script");
    let init = script.to_string_lossy();
    with_cpython(
        &["--init", &init],
        "
        same(conn.eval('tuple(device)'), (1, 2))
        same(tuple(conn.modules.__main__.device), (1, 2))
        conn.execute('device.append(4)')
        with connect() as other:
            same(other.eval('len(device)'), 3)
            with raises(NameError):
                other.eval('_hidden')
        ",
    );
}
