//! `copy` in the server's code, of what is the client's.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn copies_of_the_clients_containers_are_the_servers_own() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import copy
            def copied(x):
                results = []
                for make in copy.copy, copy.deepcopy:
                    made = make(x)
                    results.append((type(made) is not type(x), repr(made)))
                return tuple(results)
        '''))
        copied = conn.namespace['copied']
        for value in ([], [1, 'two', None], {'k': 1.5, 2: b'b'}, {7}, [1, [2, {'k': (3, [4])}]], {'a': {'b': [1]}}, bytearray(b'xy')):
            same(copied(value), ((True, repr(value)),) * 2)
        # The client may, too.
        copy = conn.modules.copy
        original = [1, [2]]
        for make in (copy.copy, copy.deepcopy):
            made = make(original)
            made.append(3)
            made[1].append(4)
            same(original, [1, [2]])
            same(rpyc.classic.obtain(made), [1, [2, 4], 3])
        "#,
    );
}

#[test]
fn a_deep_copy_of_the_servers_container_takes_in_the_clients_objects() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import copy
            def nested(x):
                made = copy.deepcopy({"once": [x], "twice": x})
                return made["once"][0] is made["twice"], repr(made)
        '''))
        same(conn.namespace['nested']([1, [2]]), (True, "{'once': [[1, [2]]], 'twice': [1, [2]]}"))
        "#,
    );
}

#[test]
fn copies_of_the_clients_objects_are_apart_from_them() {
    Server::start().check(
        r#"
        import datetime, email.message
        conn.execute(dedent('''
            import copy
            def stamped(message):
                message = copy.copy(message)
                message["X-Stamp"] = "5"
                return message["Subject"], message["X-Stamp"], message.get_content()
            def later(day): return copy.deepcopy(day).isoformat()
        '''))
        message = email.message.EmailMessage()
        message['Subject'] = 'kept'
        message.set_content('text\n')
        same(conn.namespace['stamped'](message), ('kept', '5', 'text\n'))
        same(message['X-Stamp'], None)
        same(conn.namespace['later'](datetime.date(2024, 5, 6)), '2024-05-06')
        "#,
    );
}

#[test]
fn an_object_of_a_class_that_only_the_client_has_is_copied_at_the_client() {
    if better_than_stock("it can't unpickle it") {
        return;
    }
    Server::start().check(
        r#"
        class Own:
            def __init__(self): self.items, self.name = [1], 'own'
        conn.execute(dedent('''
            import copy
            def changed(x):
                shallow, deep = copy.copy(x), copy.deepcopy(x)
                shallow.name, deep.name = "shallow", "deep"
                shallow.items.append(2)
                deep.items.append(3)
                return x.name, shallow.name, deep.name, tuple(x.items), tuple(deep.items)
        '''))
        own = Own()
        same(conn.namespace['changed'](own), ('own', 'shallow', 'deep', (1, 2), (1, 3)))
        same((own.items, own.name), ([1, 2], 'own'))
        # What can't be copied says so.
        with raises(TypeError, 'lock'):
            conn.modules.copy.copy(threading.Lock())
        "#,
    );
}

#[test]
fn who_may_run_no_code_decides_nothing_by_being_copied() {
    if better_than_stock("it unpickles what any peer sends") {
        return;
    }
    // The server's code connects to another server that way.
    let other = Server::start();
    Server::start().check(&format!(
        r#"
        conn.execute(dedent('''
            import copy, rpyc
            c = rpyc.connect("127.0.0.1", {port}, config={{"allow_pickle": True}})
            def values():
                listed = c.root.eval("[1, 'two', (3, None)]")
                mapped = c.root.eval("{{'k': 1}}")
                made = copy.copy(listed), copy.deepcopy(listed), copy.deepcopy(mapped), copy.copy(c.root.eval("{{5}}"))
                return repr(made), [type(one).__name__ for one in made] == ["list", "list", "dict", "set"]
            def refused(text):
                thing = c.root.eval(text)
                for make in copy.copy, copy.deepcopy:
                    try:
                        make(thing)
                    except TypeError as error:
                        assert "obtain" in str(error), error
                    else:
                        return False
                return True
            def deep(text):
                try:
                    copy.deepcopy(c.root.eval(text))
                except TypeError:
                    return True
        '''))
        same(conn.namespace['values'](), ("([1, 'two', (3, None)], [1, 'two', (3, None)], {{'k': 1}}, {{5}})", True))
        for text in ('object()', 'print', '__import__("datetime").date(2024, 5, 6)', 'bytearray(b"x")'):
            assert conn.namespace['refused'](text), text
        assert conn.namespace['deep']('[[]]')
        conn.execute('c.close()')
        "#,
        port = other.address().port(),
    ));
}
