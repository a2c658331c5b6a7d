//! The server's standard streams replaced by the client's.

use rpyc_tests::Server;

#[test]
fn print_writes_to_a_stream_of_the_client() {
    Server::start().check(
        r#"
        import io
        mine, original = io.StringIO(), conn.modules.sys.stdout
        conn.modules.sys.stdout = mine
        try:
            conn.execute('print("hello", 5, [1], sep="-")\nprint("no newline", end="")')
        finally:
            conn.modules.sys.stdout = original
        same(mine.getvalue(), 'hello-5-[1]\nno newline')
        "#,
    );
}

#[test]
fn the_real_stdout_of_the_client_can_be_the_servers() {
    let output = Server::start().check(
        r#"
        original = conn.modules.sys.stdout
        conn.modules.sys.stdout = sys.stdout
        conn.execute('print("from the server")')
        conn.modules.sys.stdout = original
        "#,
    );
    assert_eq!(output, "from the server");
}

#[test]
fn redirected_stdio_covers_all_three_streams_and_gives_them_back() {
    Server::start().check(
        r#"
        import io
        real = sys.stdin, sys.stdout, sys.stderr
        sys.stdin, sys.stdout, sys.stderr = io.StringIO('typed\n'), io.StringIO(), io.StringIO()
        before = conn.modules.sys.stdout
        try:
            with rpyc.classic.redirected_stdio(conn):
                conn.execute('import sys\nanswer = input("question? ")\nprint("out")\nsys.stderr.write("err")')
                conn.modules.sys.stdout.write('written\n')
            out, err = sys.stdout.getvalue(), sys.stderr.getvalue()
        finally:
            sys.stdin, sys.stdout, sys.stderr = real
        same(conn.namespace['answer'], 'typed')
        same((out, err), ('question? out\nwritten\n', 'err'))
        assert conn.modules.sys.stdout is before
        "#,
    );
}

#[test]
fn interact_runs_a_console_of_the_server_at_the_client() {
    Server::start().check(
        r#"
        import io
        real = sys.stdin, sys.stdout, sys.stderr
        sys.stdin = io.StringIO('x = 20 + 1\nprint("value", x * 2)\nundefined\n')
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
        try:
            rpyc.classic.interact(conn)
            text = sys.stdout.getvalue() + sys.stderr.getvalue()
        finally:
            sys.stdin, sys.stdout, sys.stderr = real
        assert 'value 42' in text and 'NameError' in text, text
        "#,
    );
}
