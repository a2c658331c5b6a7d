//! What client code does to itself ends at that client.

use rpyc_tests::{Server, better_than_stock};

/// Runs the code on one connection, then sees that the server still serves another.
#[track_caller]
fn the_server_survives(code: &str) {
    let mut server = Server::start();
    server.check(code);
    assert!(server.is_running());
    server.check("same(conn.eval('1 + 1'), 2)");
}

#[test]
fn endless_recursion_is_a_recursion_error() {
    the_server_survives(
        r#"
        conn.execute(dedent('''
            def down(n): return down(n + 1)
            def ping_pong(n): return (lambda m: ping_pong(m + 1))(n)
            class EndlessNames:
                def __getattr__(self, name): return getattr(self, name + "x")
            class Endless:
                def __repr__(self): return repr(self)
                def __eq__(self, other): return self == other
                def __len__(self): return len(self)
                def __call__(self): return self()
                def __iter__(self): return iter(self)
            def generate(): yield from generate()
            def by_key(): return sorted([1, 2], key=lambda x: by_key())
        '''))
        for text in ('down(0)', 'ping_pong(0)', 'EndlessNames().x', 'repr(Endless())', 'Endless() == 1', 'len(Endless())',
                     'Endless()()', 'iter(Endless())', 'next(generate())', 'by_key()'):
            with raises(RecursionError):
                conn.eval(text)
            same(conn.eval('2 + 2'), 4)
        endless = conn.eval('Endless()')
        with raises(RecursionError):
            repr(endless)
        with raises(RecursionError):
            endless()
        with raises(RecursionError):
            len(endless)
        "#,
    );
}

#[test]
fn an_object_that_recurses_on_every_name_is_held_by_reference_all_the_same() {
    if better_than_stock("the reference to it ends the connection") {
        return;
    }
    the_server_survives(
        r#"
        conn.execute('class EndlessNames:\n    def __getattr__(self, name): return getattr(self, name + "x")')
        endless = conn.eval('EndlessNames()')
        with raises(RecursionError):
            endless.x
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn deeply_nested_data_is_a_recursion_error_at_most() {
    the_server_survives(
        r#"
        conn.execute(dedent('''
            import copy, json, pickle
            def nested(depth):
                xs = []
                for _ in range(depth): xs = [xs]
                return xs
            deep = nested(100_000)
            other = nested(100_000)
        '''))
        # A server with large stacks may get to the end.
        def attempt(what):
            try:
                what()
            except (RecursionError, MemoryError):
                pass
            same(conn.eval('2 + 2'), 4)
        for text in ('repr(deep)', 'deep == other', 'copy.deepcopy(deep)', 'json.dumps(deep)', 'json.loads("[" * 100_000 + "]" * 100_000)',
                     'pickle.dumps(deep)'):
            attempt(lambda: conn.eval(f'bool({text})'))
        attempt(lambda: repr(conn.namespace['deep']))
        attempt(lambda: conn.namespace['deep'] == conn.namespace['other'])
        attempt(lambda: rpyc.classic.obtain(conn.namespace['deep']))
        same(conn.eval('len(deep)'), 1)
        conn.execute('del deep, other')
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn endless_recursion_beyond_the_limit_that_the_client_lifted_is_a_recursion_error() {
    if better_than_stock("CPython's stack overflows") {
        return;
    }
    the_server_survives(
        r#"
        conn.modules.sys.setrecursionlimit(10**6)
        conn.execute(dedent('''
            def down(n): return down(n + 1)
            class Same:
                def __repr__(self): return repr([self])
                def __hash__(self): return hash((self,))
                def __eq__(self, other): return [self] == [Same()]
                def __getattr__(self, name): return getattr(self, name + 'x')
            again = lambda x: sorted([1, 2], key=again)
        '''))
        for text in 'down(0)', 'repr(Same())', 'hash(Same())', 'Same() == 1', 'Same().x', 'again(1)':
            with raises(RecursionError):
                conn.eval(text)
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn endless_mutual_recursion_of_client_and_server_is_a_recursion_error() {
    the_server_survives(
        r#"
        def back(there):
            return there(back)
        conn.execute('def there(back): return back(there)')
        with raises(RecursionError):
            conn.namespace['there'](back)
        "#,
    );
}

#[test]
fn sys_exit_is_a_system_exit_at_the_client() {
    the_server_survives(
        r#"
        with raises(SystemExit) as raised:
            conn.modules.sys.exit(3)
        same(raised.value.code, 3)
        for code in 'import sys; sys.exit()', 'exit()', 'quit(1)', 'raise SystemExit("bye")':
            with raises(SystemExit):
                conn.execute(code)
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn a_keyboard_interrupt_of_client_code_ends_that_client_at_most() {
    the_server_survives(
        r#"
        with connect() as other:
            with raises((EOFError, KeyboardInterrupt)):
                conn.execute('raise KeyboardInterrupt')
            same(other.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn exceptions_in_threads_and_finalizers_of_the_server_stay_there() {
    the_server_survives(
        r#"
        conn.execute(dedent('''
            import gc, sys, threading
            class Grumpy:
                def __del__(self): raise ValueError("in __del__")
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
            other = threading.Thread(target=sys.exit)
            other.start()
            other.join()
            grumpy = Grumpy()
            del grumpy
            gc.collect()
        '''))
        proxy = conn.eval('Grumpy()')
        del proxy
        same(conn.eval('2 + 2'), 4)
        "#,
    );
}

#[test]
fn an_endless_loop_of_one_client_does_not_stop_the_others() {
    let mut server = Server::start();
    let looping = server
        .program(
            r#"
            conn = connect()
            conn.execute('import string\nstring.looping = True')
            say('loops')
            conn.execute('while string.looping: pass')
            same(conn.eval('2 + 2'), 4)
            "#,
        )
        .spawn();
    looping.wait_for("loops");
    server.check(
        r#"
        for i in range(20):
            same(conn.eval(str(i)), i)
        conn.modules.string.looping = False
        "#,
    );
    server.succeed(looping.finish());
    assert!(server.is_running());
}
