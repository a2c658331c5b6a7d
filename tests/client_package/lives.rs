//! The ends of things: netrefs on other threads, forks, signals, the interpreter's end.

use crate::{benches, same_on, written};

#[test]
fn netrefs_are_let_go_of_on_any_thread_and_a_connection_with_its_last() {
    same_on(
        benches(),
        r#"
        conn = connect()
        root = conn.root
        held = [[root.open(), root.thing()] for _ in range(50)]
        def let_go():
            while held:
                cycle = held.pop()
                cycle.append(cycle)
                del cycle
                gc.collect()
        threads = [threading.Thread(target=let_go) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            assert root.add(1, 1) == 2
        for thread in threads:
            thread.join()
        print(root.add(2, 2), len(held))
        class Told(rpyc.Service):
            def on_disconnect(self, conn):
                ended.append(1)
        ended = []
        items = connect(service=Told).root.items
        gc.collect()
        print(list(items), ended)
        del items
        gc.collect()
        wait_until(lambda: ended)
        print(ended)
        "#,
    );
}

#[test]
fn the_child_of_a_fork_is_told_that_the_connection_is_its_parents_which_goes_on() {
    let said = written(
        r#"
        import faulthandler, warnings
        warnings.simplefilter("ignore")
        faulthandler.cancel_dump_traceback_later() # a child would wait for its thread
        conn = connect()
        add = conn.root.add
        result = rpyc.async_(add)(3)
        pid = os.fork()
        if pid == 0:
            for what, function in ("call", add), ("conn", lambda it: conn.root), ("wait", lambda it: result.value):
                try:
                    function(1)
                except EOFError as error:
                    print(what, error)
            try:
                connect()
            except EOFError as error:
                print("connect", "fork" in str(error))
            del add, conn, result
            gc.collect()
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), add(1), result.value, conn.root.add(2))
        "#,
    );
    let told = "the connection is the parent process's: this one is the child of a fork";
    let expected = format!("call {told}\nconn {told}\nwait {told}\nconnect True\n3 2 4 3");
    assert_eq!(said, expected);
}

#[test]
fn a_program_ends_at_once_with_connections_open_and_threads_that_wait_on_them() {
    for ends in ["", "sys.exit(0)", "raise SystemExit"] {
        let said = written(&format!(
            r#"
            import atexit
            conn, other = connect(), connect()
            atexit.register(lambda: print("last words", conn.root.add(1)))
            serving = rpyc.BgServingThread(conn)
            sleep = other.root.sleep
            threading.Thread(target=sleep, args=(300,), daemon=True).start()
            threading.Thread(target=other.serve_all, daemon=True).start()
            pending = rpyc.async_(sleep)(300)
            items = conn.root.items
            print(len(items))
            {ends}
            "#
        ));
        assert_eq!(said, "3\nlast words 2");
    }
}

#[test]
fn ctrl_c_interrupts_whatever_waits_and_the_connection_goes_on() {
    let said = written(
        r#"
        # It is ignored where the tests were started in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def interrupted(wait):
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            try:
                wait()
                print("it has ended by itself")
            except KeyboardInterrupt as error:
                print(repr(error))
            timer.join()
        def fresh():
            return connect(config={"sync_request_timeout": 600})
        for wait in (
            lambda: fresh().root.sleep(100),
            lambda: rpyc.async_(fresh().root.sleep)(100).wait(),
            lambda: fresh().serve(100),
            lambda: fresh().serve_all(),
            lambda: fresh().poll_all(100),
        ):
            interrupted(wait)
        served = fresh()
        threading.Thread(target=served.serve_all, daemon=True).start()
        interrupted(lambda: served.root.sleep(100))
        signal.signal(signal.SIGUSR1, lambda *_: print("handled", called.add(1)))
        called = fresh().root
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        print(called.sleep(2))
        waits = rpyc.async_(called.sleep)(100)
        interrupted(lambda: rpyc.async_(called.sleep)(100).wait())
        print(waits.ready)
        "#,
    );
    let expected = format!(
        "{}handled 2\nslept\nKeyboardInterrupt()\nFalse",
        "KeyboardInterrupt()\n".repeat(6)
    );
    assert_eq!(said, expected);
}
