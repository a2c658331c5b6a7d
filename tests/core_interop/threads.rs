//! Clients with bind_threads on: each of their messages tells between which threads it goes.

use crate::serving::run;
use crate::shop::shop;

#[test]
fn a_client_that_binds_threads_is_served_as_any_other() {
    run(
        shop(),
        r#"
        conn = rpyc.connect(HOST, PORT, config={"bind_threads": True, "sync_request_timeout": 20})
        root = conn.root
        same(root.add(1), 11)
        same(root.apply(lambda value: root.add(value), 1), 11)
        with raises(TypeError):
            root.add()
        conn.ping()
        sums = []
        def use():
            for number in range(100):
                sums.append(root.apply(root.add, number) - number)
        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same(sums, [10] * 400)
        conn.close()
        "#,
    );
}
