//! Asynchronous calls, serving, time-outs.

use crate::{benches, same_on};

#[test]
fn asynchronous_results_have_callbacks_expiries_errors_and_values() {
    same_on(
        benches(),
        r#"
        root = connect().root
        result = rpyc.async_(root.add)(1, 2)
        print(type(result).__name__, result.value, result.ready, result.error, result.expired)
        failed = rpyc.async_(root.fails)("key")
        failed.wait()
        print(failed.ready, failed.error)
        show("failed", lambda: failed.value)
        called = []
        result = rpyc.async_(root.sleep)(0.2)
        result.add_callback(lambda it: called.append((it is result, it.value)))
        print(result.ready, called)
        result.wait()
        result.add_callback(lambda it: called.append("at once"))
        print(called)
        slow = rpyc.async_(root.sleep)(0.5)
        slow.set_expiry(0.05)
        try:
            slow.wait()
        except rpyc.AsyncResultTimeout as error:
            print(slow.expired, slow.ready, isinstance(error, TimeoutError))
        timed = rpyc.timed(root.sleep, 5)
        print(timed(0).value, rpyc.timed(root.sleep, 0.05)(0.5).expired)
        try:
            rpyc.timed(root.sleep, 0.05)(0.5).value
        except rpyc.AsyncResultTimeout as error:
            print(error)
        many = [rpyc.async_(root.add)(number) for number in range(64)]
        print(sum(each.value for each in many))
        show("no netref", rpyc.async_, len)
        print(connect().async_request(1, "ping").value, connect().sync_request(1, b"x"))
        "#,
    );
}

#[test]
fn calls_that_take_too_long_raise_what_pythons_do_and_the_connection_goes_on() {
    same_on(
        benches(),
        r#"
        conn = connect(config={"sync_request_timeout": 0.3})
        try:
            conn.root.sleep(1)
        except rpyc.AsyncResultTimeout as error:
            print(isinstance(error, TimeoutError))
        print(conn.closed)
        conn = connect(config={"sync_request_timeout": None})
        print(conn.root.sleep(0.01))
        "#,
    );
}

#[test]
fn what_the_server_calls_by_itself_waits_until_this_side_serves() {
    same_on(
        benches(),
        r#"
        conn = connect()
        called = []
        conn.root.later(called.append)
        print(called)
        wait_until(lambda: conn.poll_all(0.05) or called)
        print(called)
        with_thread = rpyc.BgServingThread(conn)
        conn.root.later(lambda word: called.append((word, threading.current_thread() is threading.main_thread())))
        wait_until(lambda: len(called) == 2)
        print(called, conn.root.add(1))
        with_thread.stop()
        print(conn.serve(0.01), conn.poll(0))
        ended = []
        serving = rpyc.BgServingThread(conn, callback=lambda: ended.append(conn.closed))
        rpyc.async_(conn.root.ends)()
        wait_until(lambda: ended)
        print(ended)
        "#,
    );
}

#[test]
fn a_connection_that_is_served_to_its_end_is_closed_then() {
    same_on(
        benches(),
        r#"
        conn = connect()
        rpyc.async_(conn.root.ends)()
        conn.serve_all()
        print(conn.closed)
        try:
            conn.root.add(1)
        except EOFError:
            print("at the end")
        conn = connect()
        print(isinstance(conn.fileno(), int), conn.closed)
        conn.ping()
        with conn:
            f = conn.root.add
        print(conn.closed)
        conn.close()
        try:
            f(1)
        except EOFError:
            print("at the end")
        "#,
    );
}

#[test]
fn threads_share_a_connection() {
    same_on(
        benches(),
        r#"
        conn = connect()
        root, sums = conn.root, []
        def work(number):
            for step in range(50):
                assert root.calls(lambda x: x + number, step) == step + number
                assert root.add(step, number) == step + number
            sums.append(number)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(sorted(sums))
        "#,
    );
}
