//! RPyC over RPyC: this server as the client of another one, or behind one.

use rpyc_tests::Server;

/// What a program does with a connection, also when that is two steps away.
const USE: &str = r#"
def use(far, local):
    same(far.eval('6 * 7'), 42)
    far.execute('def add(a, b=1): return a + b\nclass Thing:\n    def __init__(self): self.items = [1, 2]\n    def __len__(self): return 7\n    def __call__(self, f): return f(5)')
    same(far.namespace['add'](1), 2)
    same(far.namespace['add'](1, b=5), 6)
    same(far.modules.os.path.basename('/usr/lib'), 'lib')
    thing = far.eval('Thing()')
    same((len(thing), thing.items[1], list(thing.items)), (7, 2, [1, 2]))
    thing.more = 'set'
    same(thing.more, 'set')
    # An object of this end goes all the way and back.
    same(thing(local), 10)
    same(sorted(far.builtins.sorted([3, 1, 2], key=lambda x: -x)), [1, 2, 3])
    with raises(ZeroDivisionError) as raised:
        far.eval('1 / 0')
    assert 'Remote Traceback' in str(raised.value)
    with raises(AttributeError):
        thing.nothing
    assert isinstance(far.eval('[]'), list)
    kept = far.eval('lambda x: x')
    assert kept(local) is local
"#;

#[test]
fn through_this_server_to_a_python_server() {
    let far = Server::python();
    let near = Server::start();
    near.check(&format!(
        r#"{USE}
far = conn.modules['rpyc.utils.classic'].connect('127.0.0.1', {port})
same(far.modules.sys.implementation.name, 'cpython')
use(far, lambda x: x * 2)
# Code of the server between uses it, too.
conn.namespace['far'] = far
conn.execute('import rpyc\nlisted = [x * 2 for x in far.eval("[1, 2, 3]")]\ntype_name = type(far.modules.sys).__name__')
same(conn.eval('(tuple(listed), type_name)'), ((2, 4, 6), 'sys'))
assert conn.eval('far.modules.sys.____conn__.eval("1 + 1")') == 2
same(far.closed, False)
far.close()
with raises(EOFError):
    far.eval('1')
same(conn.eval('2 + 2'), 4)
"#,
        port = far.address().port()
    ));
}

#[test]
fn through_a_python_server_to_this_one() {
    let far = Server::start();
    let near = Server::python();
    near.check(&format!(
        r#"{USE}
far = conn.modules['rpyc.utils.classic'].connect('127.0.0.1', {port})
use(far, lambda x: x * 2)
far.close()
"#,
        port = far.address().port()
    ));
}

#[test]
fn a_connection_lives_as_long_as_anything_of_it_is_held() {
    let far = Server::python();
    let near = Server::start();
    near.check(&format!(
        r#"
import gc
classic = conn.modules['rpyc.utils.classic']
getpid = classic.connect('127.0.0.1', {port}).modules.os.getpid
gc.collect()
for _ in range(3):
    assert getpid() != os.getpid()
conn.execute('import rpyc, gc\nos = rpyc.classic.connect("127.0.0.1", {port}).modules.os\ngc.collect()\npid = os.getpid()')
same(conn.eval('pid'), getpid())
with raises(ConnectionRefusedError):
    classic.connect('127.0.0.1', 1)
with raises(AttributeError):
    conn.modules.rpyc.connect('127.0.0.1', {port}).root.nothing
same(conn.modules.rpyc.connect('127.0.0.1', {port}, config={{'sync_request_timeout': 5}}).root.eval('1 + 1'), 2)
with raises(ValueError, 'no option no_such_option'):
    conn.modules.rpyc.connect('127.0.0.1', {port}, config={{'no_such_option': 5}})
"#,
        port = far.address().port()
    ));
}

#[test]
fn a_connection_is_one_object_by_whichever_way_code_gets_it() {
    let far = Server::python();
    let near = Server::start();
    near.check(&format!(
        r#"
conn.execute(dedent("""
    import gc, rpyc
    far = rpyc.classic.connect("127.0.0.1", {port})
    os = far.modules.os
    same = [os.____conn__ is far, os.getpid.____conn__ is far, os.____conn__ == far]
    # What is asked of a netref keeps the connection open, too.
    again = os.____conn__
    del far, os
    gc.collect()
    getpid = again.modules.os.getpid
    del again
    gc.collect()
    pid = getpid()
"""))
same(conn.eval('tuple(same)'), (True, True, True))
assert conn.eval('pid') != os.getpid()
"#,
        port = far.address().port()
    ));
}

/// The far server hands an object over before `connect` has returned.
#[test]
fn a_netref_that_comes_while_the_connection_is_made_keeps_it() {
    let far = rpyc_tests::python::Script::new(
        r#"
class Greeting(rpyc.Service):
    def on_connect(self, conn):
        conn.root.eval('__import__("string").__dict__.update')(early=self.early)
    def early(self):
        return 'still there'
from rpyc.utils.server import ThreadedServer
server = ThreadedServer(Greeting, port=0, protocol_config={'allow_all_attrs': True})
say(f'port {server.port}')
server.start()
"#,
    )
    .serving()
    .spawn();
    let port = far.told("port ");
    let near = Server::start();
    near.check(&format!(
        r#"
conn.execute(dedent("""
    import gc, rpyc, string
    far = rpyc.connect('127.0.0.1', {port}, service=rpyc.ClassicService)
"""))
# The far side's requests are served while an answer of it is waited for.
eventually(lambda: conn.eval("repr(far.root) and hasattr(string, 'early')"), 'it has come')
conn.execute(dedent("""
    del far
    gc.collect()
"""))
for _ in range(3):
    same(conn.eval('string.early()'), 'still there')
"#,
    ));
    far.kill();
}

#[test]
fn a_circle_of_netrefs_ends_in_an_error() {
    let far = Server::python();
    let near = Server::start();
    near.check(&format!(
        r#"
far = conn.modules['rpyc.utils.classic'].connect('127.0.0.1', {port})
conn.namespace['far'] = far
# Each asks the other for what it is asked for itself.
for where in (conn, far):
    where.execute(dedent("""
        class Asking:
            other = None
            def __getattr__(self, name):
                if not name.startswith("asked_"): raise AttributeError(name)
                return getattr(self.other, name)
            def __call__(self): return self.other()
        asking = Asking()
    """))
conn.execute('other = far.namespace["asking"]\nother.other = asking\nasking.other = other')
for attempt in ('asking()', 'asking.asked_for'):
    with raises(Exception) as raised:
        conn.eval(attempt)
    assert isinstance(raised.value, (RecursionError, EOFError, TimeoutError)), repr(raised.value)[:300]
same(conn.eval('2 + 2'), 4)
with connect() as other:
    same(other.eval('3 + 3'), 6)
"#,
        port = far.address().port()
    ));
}
