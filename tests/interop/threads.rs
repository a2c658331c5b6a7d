//! Clients that bind their threads to the server's: `bind_threads`.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn code_of_a_bound_thread_stays_on_its_thread_through_callbacks() {
    if better_than_stock("a server of its own option is needed") {
        return;
    }
    let server = Server::start();
    let script = server.client(
        r#"
        conn.execute(dedent('''
            import threading
            lock = threading.RLock()
            def outer(callback):
                with lock:
                    return threading.get_ident(), callback()
            def inner():
                # Re-entered by its own thread, and by no other one.
                assert lock.acquire(timeout=10)
                lock.release()
                return threading.get_ident()
        '''))
        outer, inner = conn.namespace["outer"], conn.namespace["inner"]
        failed = []
        def use():
            try:
                me = threading.get_ident()
                def callback():
                    same(threading.get_ident(), me)
                    return inner()
                for _ in range(25):
                    there, beneath = outer(callback)
                    same(there, beneath)
            except BaseException as error:
                failed.append(error)
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same(failed, [])
        same(sorted(conn.modules.sys.path, key=len, reverse=True)[-1], min(conn.modules.sys.path, key=len))
        "#,
    );
    let outcome = script.variable("RPYC_BIND_THREADS", "true").outcome();
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}
