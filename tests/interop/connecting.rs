//! Connecting, and what a connection offers before anything is called.

use rpyc_tests::Server;

#[test]
fn a_client_connects_and_closes() {
    Server::start().check(
        "
        assert not conn.closed
        conn.ping()
        conn.ping('as it was', timeout=10)
        conn.close()
        assert conn.closed
        conn.close()
        ",
    );
}

#[test]
fn a_connection_is_a_context_manager() {
    Server::start().check_program(
        "
        with rpyc.classic.connect(HOST, PORT) as conn:
            assert conn.eval('1 + 1') == 2
        assert conn.closed
        with raises(EOFError):
            conn.eval('1')
        ",
    );
}

#[test]
fn a_callback_closes_the_connection_whose_request_waits_for_it() {
    for options in [&[][..], &["--mode", "pool"]] {
        Server::with_options(options).check_program(
            "
            import threading
            conn, late = None, []
            def closes(way, bound=False):
                global conn
                conn = rpyc.connect(HOST, PORT, service=rpyc.ClassicService, config={'bind_threads': bound})
                # Less than the time after which a close is answered in any case.
                conn._config['sync_request_timeout'] = 3
                asked = conn.sync_request
                def ask(*args):
                    try:
                        return asked(*args)
                    except TimeoutError:
                        late.append((way, args))
                        raise
                conn.sync_request = ask
                run = conn.eval('lambda function: function()')
                with raises(EOFError):
                    way(run)
                assert conn.closed
                same(late, [])

            closes(lambda run: run(conn.close))

            # Beside requests whose callbacks are answered: their threads may have this one nested on them.
            for count in 1, 5:
                def after_others(run):
                    others = [rpyc.async_(run)(lambda: 1) for _ in range(count)]
                    run(conn.close)
                closes(after_others)

                def beneath_others(run):
                    def callback():
                        others.extend(rpyc.async_(run)(lambda: 1) for _ in range(count))
                        run(conn.close)
                    others = []
                    run(callback)
                closes(beneath_others)

            # By threads that the request waits for.
            def of_threads(run):
                conn.execute(dedent('''
                    import threading
                    def join(functions):
                        def call(function):
                            try:
                                function()
                            except EOFError:
                                pass
                        threads = [threading.Thread(target=call, args=(f,)) for f in functions]
                        for thread in threads:
                            thread.start()
                        for thread in threads:
                            thread.join()
                '''))
                closed = threading.Event()
                def close():
                    # With bound threads it ends with an error of its own: a thread would join itself.
                    try:
                        conn.close()
                    finally:
                        closed.set()
                joining = rpyc.async_(conn.namespace['join'])((lambda: 1, close, lambda: 2))
                while not conn.closed:
                    conn.serve(0.1)
                assert closed.wait(20)
                raise EOFError
            for bound in False, True:
                closes(of_threads, bound)
            ",
        );
    }
}

#[test]
fn connecting_with_keepalive_makes_no_difference() {
    Server::start().check_program(
        "
        with rpyc.classic.connect(HOST, PORT, keepalive=True) as conn:
            assert conn.eval('6 * 7') == 42
        ",
    );
}

#[test]
fn a_general_connection_reaches_the_same_root() {
    Server::start().check_program(
        "
        with rpyc.connect(HOST, PORT) as conn:
            assert conn.root.eval('[1, 2]')[1] == 2
            conn.root.execute('x = 5')
            assert conn.root.namespace['x'] == 5
            assert conn.root.getmodule('os.path').basename('/a/b') == 'b'
            assert conn.root.getmodule(('os', 'path')).basename('/a/b') == 'b'
        ",
    );
}

#[test]
fn the_root_is_a_classic_service() {
    Server::start().check(
        "
        assert conn.root is conn.root
        assert type(conn.root).__name__ == 'rpyc.core.service.SlaveService', type(conn.root)
        assert conn.root.get_service_name() == 'SLAVE'
        assert 'SLAVE' in tuple(conn.root.get_service_aliases())
        with raises(AttributeError):
            conn.root.namespace = {}
        with raises(AttributeError):
            del conn.root.namespace
        with raises(AttributeError):
            conn.root.no_such_name
        ",
    );
}

#[test]
fn the_servers_connection_offers_what_a_connection_offers() {
    Server::start().check(
        "
        theirs = conn.root.getconn()
        assert theirs.closed == False
        theirs.ping()
        conn.execute('shared = 3')
        assert theirs.root.getmodule('sys') is sys
        assert conn.root.getconn() is theirs
        ",
    );
}

#[test]
fn an_end_user_sees_the_remote_object_in_repr_str_and_dir() {
    Server::start().check(
        "
        xs = conn.eval('[1, \"two\", (3,)]')
        assert repr(xs) == str(xs) == \"[1, 'two', (3,)]\"
        assert {'append', 'sort', '__len__'} <= set(dir(xs))
        assert 'os' in repr(conn.modules.os)
        conn.execute(dedent('''
            class Named:
                'Its documentation.'
                def __repr__(self): return '<Named>'
                def __str__(self): return 'a name'
        '''))
        named = conn.eval('Named()')
        assert (repr(named), str(named), f'{named}') == ('<Named>', 'a name', 'a name')
        assert named.__doc__ == 'Its documentation.'
        ",
    );
}

#[test]
fn one_remote_object_is_one_proxy() {
    Server::start().check(
        "
        conn.execute('xs = []')
        first, second = conn.namespace['xs'], conn.eval('xs')
        assert first is second
        conn.namespace['ys'] = first
        assert conn.eval('ys is xs')
        ",
    );
}

#[test]
fn a_remote_object_comes_home_as_itself() {
    Server::start().check(
        "
        mine = ['of the client']
        conn.namespace['mine'] = mine
        assert conn.namespace['mine'] is mine
        assert conn.eval('(lambda x: x)')(mine) is mine
        assert conn.eval('[mine]')[0] is mine
        ",
    );
}
