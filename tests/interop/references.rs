//! References are held exactly as long as the peer holds them.

use rpyc_tests::{Server, better_than_stock};

/// Objects that the server can count without keeping them.
const ITEMS: &str = r#"
conn.execute(dedent('''
    import gc, weakref
    class Item: pass
    made = []
    def make():
        item = Item()
        made.append(weakref.ref(item))
        return item
    def alive():
        gc.collect()
        return sum(ref() is not None for ref in made)
'''))
make, alive = conn.namespace['make'], conn.namespace['alive']
"#;

#[test]
fn ten_thousand_references_taken_and_dropped_leave_nothing() {
    Server::start().check(&format!(
        r#"{ITEMS}
for _ in range(2000):
    make()
eventually(lambda: alive() == 0, 'objects taken one by one are gone')
items = conn.eval('tuple(make() for _ in range(8000))')
same(alive(), 8000)
del items
eventually(lambda: alive() == 0, 'objects taken at once are gone')
"#
    ));
}

#[test]
fn an_object_lives_as_long_as_a_client_holds_it() {
    Server::start().check(&format!(
        r#"{ITEMS}
conn.execute('shared = make()\nshared.x = 5')
proxies = [conn.namespace['shared'] for _ in range(100)]
assert all(p is proxies[0] for p in proxies)
del conn.namespace['shared']
proxies = proxies[:1]
same(alive(), 1)
same(proxies[0].x, 5)
del proxies
eventually(lambda: alive() == 0, 'the object is gone with its last proxy')
"#
    ));
}

#[test]
fn each_of_two_clients_holds_an_object_by_itself() {
    Server::start().check(&format!(
        r#"{ITEMS}
conn.execute('import string\nstring.item = make()')
other = connect()
mine, theirs = conn.modules.string.item, other.modules.string.item
conn.execute('del string.item')
del mine
for _ in range(5):
    same(alive(), 1)
theirs.x = 1
other.close()
eventually(lambda: alive() == 0, 'the object is gone with the other client')
"#
    ));
}

#[test]
fn the_server_releases_the_objects_of_the_client() {
    Server::start().check(
        r#"
        import gc
        conn.execute('import gc\nkept = []\ndef look(x): return None\ndef keep(x): kept.append(x)')
        held = lambda: len(conn._local_objects._dict)
        look, keep = conn.namespace['look'], conn.namespace['keep']
        look([]); conn.ping()
        before = held()
        for i in range(1000):
            look(['local', i])
        eventually(lambda: conn.ping() or held() <= before, 'lists that were only looked at are released')
        for i in range(100):
            keep(['local', i])
        assert held() >= before + 100
        same(conn.eval('kept[7][1]'), 7)
        conn.execute('kept.clear()\ngc.collect()')
        eventually(lambda: conn.ping() or held() <= before, 'lists that were kept are released')
        "#,
    );
}

#[test]
fn an_object_of_the_client_sent_many_times_is_released_once_all_are_gone() {
    Server::start().check(
        r#"
        import gc, weakref
        class Thing: pass
        thing = Thing()
        gone = weakref.ref(thing)
        conn.execute('import gc\nkept = []')
        for _ in range(50):
            conn.namespace['kept'].append(thing)
        same(conn.eval('all(x is kept[0] for x in kept)'), True)
        del thing
        gc.collect()
        assert gone() is not None
        conn.execute('del kept[:49]\ngc.collect()')
        conn.ping()
        assert gone() is not None
        conn.execute('kept.clear()\ngc.collect()')
        eventually(lambda: conn.ping() or gc.collect() and False or gone() is None, 'the object is released')
        "#,
    );
}

#[test]
fn references_in_arguments_and_results_are_released() {
    Server::start().check(&format!(
        r#"{ITEMS}
conn.execute('def through(f): return f(make())')
for _ in range(50):
    conn.namespace['through'](lambda item: item)
    conn.namespace['through'](lambda item: None)
    conn.namespace['through'](lambda item: [item])
eventually(lambda: alive() == 0, 'all are released')
"#
    ));
}

#[test]
fn what_a_failed_call_held_is_released() {
    if better_than_stock("it keeps the frames of failed calls") {
        return;
    }
    Server::start().check(&format!(
        r#"{ITEMS}
import gc
conn.execute('def failing(item): raise ValueError(item)')
for _ in range(50):
    with raises(ValueError):
        conn.namespace['failing'](make())
# The last traceback is kept for `pm`. The client's own exceptions and the frames that they went through
# refer to each other, so it is the client's collector that lets go of the proxies.
gc.collect()
eventually(lambda: alive() <= 1, 'all but the last are released')
"#
    ));
}

#[test]
fn proxies_dropped_in_other_threads_and_by_the_collector_are_released() {
    Server::start().check(&format!(
        r#"{ITEMS}
import gc
def cycles():
    for _ in range(100):
        loop = [make()]
        loop.append(loop)
cycles()
gc.collect()
eventually(lambda: alive() == 0, 'proxies in cycles are released')
items = [make() for _ in range(200)]
thread = threading.Thread(target=items.clear)
thread.start()
thread.join()
eventually(lambda: alive() == 0, 'proxies dropped in a thread are released')
"#
    ));
}
