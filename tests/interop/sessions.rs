//! Several clients of one server.

use rpyc_tests::Server;

#[test]
fn two_clients_have_separate_namespaces() {
    Server::start().check(
        r#"
        with connect() as other:
            conn.execute('x = "mine"')
            other.execute('x = "theirs"')
            same((conn.eval('x'), other.eval('x')), ('mine', 'theirs'))
            conn.execute('only_here = 1')
            with raises(NameError):
                other.eval('only_here')
            assert 'only_here' not in other.namespace
        same(conn.eval('x'), 'mine')
        with connect() as third:
            with raises(NameError):
                third.eval('x')
        "#,
    );
}

#[test]
fn clients_share_the_servers_modules() {
    Server::start().check(
        r#"
        with connect() as other:
            conn.modules.string.shared = conn.eval('[]')
            other.modules.string.shared.append('from the other')
            same(list(conn.modules.string.shared), ['from the other'])
            del conn.modules.string.shared
        "#,
    );
}

#[test]
fn a_function_of_one_client_is_called_through_another() {
    Server::start().check(
        r#"
        background = rpyc.BgServingThread(conn, sleep_interval=0.001)
        conn.modules.string.shared = lambda x: ('by the first client', x)
        with connect() as other:
            other.execute('import string\ndef through(x): return string.shared(x)')
            same(other.namespace['through'](5), ('by the first client', 5))
        background.stop()
        del conn.modules.string.shared
        "#,
    );
}

#[test]
fn fifty_clients_work_at_once() {
    Server::start().check_program(
        r#"
        everyone, errors = threading.Barrier(50), []
        def client(k):
            try:
                with connect() as conn:
                    everyone.wait(PATIENCE)
                    conn.execute(f'xs = [{k}]')
                    xs = conn.namespace['xs']
                    for i in range(10):
                        xs.append(i)
                        same(conn.eval('xs[-1]'), i)
                    same(list(xs), [k, *range(10)])
                    same(conn.eval('lambda f: f(1)')(lambda x: x + k), k + 1)
                    everyone.wait(PATIENCE)
            except BaseException as error:
                errors.append(error)
                everyone.abort()
        threads = [threading.Thread(target=client, args=(k,), daemon=True) for k in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * PATIENCE)
        assert not errors, errors
        assert not any(thread.is_alive() for thread in threads)
        "#,
    );
}

/// Leaves a witness for others: a weak reference to an object that its session alone holds.
const WITNESS: &str = r#"
conn.execute(dedent('''
    import string, weakref
    class Witness: pass
    witness = Witness()
    string.witness = weakref.ref(witness)
'''))
held = conn.namespace['witness']
"#;

/// Waits until the witness of the other client is gone, and sees that this one still works.
const WATCHER: &str = r#"
conn.execute('import gc, string\nmine = [1]')
mine, calls = conn.namespace['mine'], []
assert conn.eval('string.witness() is not None')
say('watching')
eventually(lambda: conn.eval('gc.collect() and False or string.witness() is None'), 'the objects of the dead client are gone')
mine.append(2)
same(list(mine), [1, 2])
conn.eval('lambda f: f(3)')(calls.append)
same(calls, [3])
"#;

#[test]
fn a_client_that_closes_leaves_no_objects_behind() {
    Server::start().check_program(&format!(
        r#"
conn = connect()
{WITNESS}
conn.close()
conn = connect()
{}
"#,
        WATCHER.replace("assert conn.eval('string.witness() is not None')\n", "")
    ));
}

#[test]
fn a_killed_client_is_cleared_away_unnoticed_by_the_others() {
    let server = Server::start();
    let victim = server
        .client(&format!("{WITNESS}say('ready')\nthreading.Event().wait()"))
        .spawn();
    victim.wait_for("ready");
    let watcher = server.client(WATCHER).spawn();
    watcher.wait_for("watching");
    victim.kill();
    server.succeed(watcher.finish());
}

#[test]
fn a_client_killed_within_a_callback_is_cleared_away_unnoticed_by_the_others() {
    let server = Server::start();
    let victim = server
        .client(&format!(
            r#"{WITNESS}
def callback():
    say('in the callback')
    threading.Event().wait()
conn.eval('lambda f: f()')(callback)
"#
        ))
        .spawn();
    victim.wait_for("in the callback");
    let watcher = server.client(WATCHER).spawn();
    watcher.wait_for("watching");
    victim.kill();
    server.succeed(watcher.finish());
}

#[test]
fn a_client_killed_while_its_code_runs_is_cleared_away_once_that_ends() {
    let server = Server::start();
    let victim = server
        .client(&format!(
            r#"{WITNESS}
conn.execute(dedent('''
    import threading
    string.gate, string.waits = threading.Event(), threading.Event()
    def waiting():
        string.waits.set()
        string.gate.wait(20)
'''))
say('ready')
conn.namespace['waiting']()
"#
        ))
        .spawn();
    victim.wait_for("ready");
    let watcher = server
        .client(&WATCHER.replace(
            "say('watching')\n",
            "assert conn.eval('string.waits.wait(20)')\nsay('watching')\nconn.eval('string.gate.set()')\n",
        ))
        .spawn();
    watcher.wait_for("watching");
    victim.kill();
    server.succeed(watcher.finish());
}
