//! Asynchronous calls, deadlines, threads, serving in the background.

use rpyc_tests::Server;

/// A function that waits until another connection opens the gate, which all connections see.
const GATE: &str = r#"
conn.execute(dedent('''
    import threading
    gate = threading.gate = threading.Event()
    def waiting(x):
        assert gate.wait(20)
        return x * 2
'''))
def open_gate():
    with connect() as other:
        other.modules.threading.gate.set()
"#;

#[test]
fn an_async_call_gives_its_result_later() {
    Server::start().check(&format!(
        r#"{GATE}
waiting, seen = rpyc.async_(conn.namespace['waiting']), []
result = waiting(x=21)
result.add_callback(lambda r: seen.append(r.value))
assert not result.ready and not result.expired
open_gate()
same(result.value, 42)
assert result.ready and not result.error
same(seen, [42])
result.add_callback(lambda r: seen.append('at once'))
same(seen, [42, 'at once'])
"#
    ));
}

#[test]
fn an_async_call_that_fails_gives_its_exception_later() {
    Server::start().check(
        r#"
        conn.execute('def failing(): raise LookupError("later")')
        failing = rpyc.async_(conn.namespace['failing'])
        result = failing()
        result.wait()
        assert result.ready and result.error
        with raises(LookupError, 'later'):
            result.value
        "#,
    );
}

#[test]
fn async_calls_run_in_the_order_sent() {
    Server::start().check(
        r#"
        xs = conn.eval('[]')
        push = rpyc.async_(xs.append)
        results = [push(i) for i in range(500)]
        for result in results:
            result.wait()
        same(list(xs), list(range(500)))
        "#,
    );
}

#[test]
fn results_of_async_calls_may_be_fetched_in_any_order() {
    Server::start().check(
        r#"
        square = rpyc.async_(conn.eval('lambda x: x * x'))
        results = [square(i) for i in range(20)]
        same([r.value for r in reversed(results)], [i * i for i in reversed(range(20))])
        "#,
    );
}

#[test]
fn a_timed_call_expires_and_the_connection_stays_usable() {
    Server::start().check(&format!(
        r#"{GATE}
timed = rpyc.timed(conn.namespace['waiting'], 0.2)
result = timed(1)
with raises(rpyc.AsyncResultTimeout):
    result.value
assert result.expired
open_gate()
same(rpyc.timed(conn.namespace['waiting'], 20)(2).value, 4)
same(conn.eval('1 + 1'), 2)
"#
    ));
}

#[test]
fn a_timed_call_in_time_gives_its_result() {
    Server::start().check(
        r#"
        timed = rpyc.timed(conn.eval('lambda: "in time"'), 20)
        same(timed().value, 'in time')
        "#,
    );
}

#[test]
fn a_request_past_the_clients_timeout_is_a_timeout_error() {
    Server::start().check(&format!(
        r#"{GATE}
waiting = conn.namespace['waiting']
conn._config['sync_request_timeout'] = 0.3
with raises(TimeoutError):
    waiting(1)
conn._config['sync_request_timeout'] = 30
open_gate()
same(waiting(5), 10)
conn.ping()
"#
    ));
}

#[test]
fn the_server_calls_the_client_from_a_thread_of_its_own() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import threading
            def in_background(f, n):
                def work():
                    for i in range(n): f(i)
                thread = threading.Thread(target=work, daemon=True)
                thread.start()
                return thread
        '''))
        background = rpyc.BgServingThread(conn, sleep_interval=0.001)
        seen, done = [], threading.Event()
        def callback(i):
            seen.append(i)
            if i == 9:
                done.set()
        thread = conn.namespace['in_background'](callback, 10)
        assert done.wait(PATIENCE)
        same(seen, list(range(10)))
        thread.join(PATIENCE)
        assert not thread.is_alive()
        background.stop()
        same(conn.eval('3'), 3)
        "#,
    );
}

#[test]
fn a_client_that_polls_serves_the_servers_calls() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import threading
            def later(f): threading.Thread(target=f, args=("polled",), daemon=True).start()
        '''))
        seen = []
        conn.namespace['later'](seen.append)
        eventually(lambda: conn.poll(0.05) and False or seen, 'the call of the server')
        same(seen, ['polled'])
        conn.poll_all(0.01)
        "#,
    );
}

#[test]
fn threads_of_the_client_share_a_connection() {
    Server::start().check(
        r#"
        conn.execute('def twice(x): return x * 2\ndef through(f, x): return f(x)')
        twice, through = conn.namespace['twice'], conn.namespace['through']
        errors = []
        def work(k):
            try:
                for i in range(25):
                    same(twice(k + i), 2 * (k + i))
                    same(through(lambda x: x + 1, i), i + 1)
            except BaseException as error:
                errors.append(error)
        threads = [threading.Thread(target=work, args=(1000 * k,), daemon=True) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not errors, errors
        "#,
    );
}

#[test]
fn a_thread_of_the_server_is_started_and_joined_by_the_client() {
    Server::start().check(
        r#"
        seen = []
        for i in range(20):
            thread = conn.modules.threading.Thread(target=seen.append, args=(i,), daemon=True)
            thread.start()
            thread.join(20)
            assert not thread.is_alive()
        same(seen, list(range(20)))
        "#,
    );
}

#[test]
fn queues_and_pools_of_the_server_work_for_the_client() {
    Server::start().check(
        r#"
        queue = conn.modules.queue.Queue()
        conn.namespace['queue'] = queue
        conn.execute(dedent('''
            import threading
            from concurrent.futures import ThreadPoolExecutor
            threading.Thread(target=lambda: [queue.put(i) for i in range(5)], daemon=True).start()
            def pooled():
                with ThreadPoolExecutor(4) as pool:
                    return tuple(pool.map(lambda x: x * x, range(10)))
        '''))
        same([queue.get(timeout=20) for _ in range(5)], [0, 1, 2, 3, 4])
        same(conn.namespace['pooled'](), tuple(x * x for x in range(10)))
        "#,
    );
}
