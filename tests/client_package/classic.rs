//! Classic mode: what `rpyc.classic` has.

use crate::{classics, client, same_on};

const CONN: &str = "
        conn = rpyc.classic.connect(HERE, port())
";

#[track_caller]
fn same(code: &str) {
    same_on(classics(), &format!("{CONN}{code}"));
}

#[test]
fn modules_builtins_code_and_the_namespace_are_at_hand() {
    same(
        r#"
        print(conn.modules.os.path.join("a", "b"), conn.modules["os.path"].basename("/x/y"), "json" in conn.modules)
        print(conn.eval("1 + 1"), conn.builtins.sorted([2, 1]), conn.builtin.len([1]), conn.modules.sys is conn.modules.sys)
        conn.execute("def double(x):\n    return x * 2\nclass Made:\n    pass")
        print(conn.namespace["double"](4), conn.namespace["double"].__name__, type(conn.namespace["Made"]()).__name__)
        conn.namespace["mine"] = 5
        print(conn.eval("mine + 1"))
        show("name", conn.eval, "nothing")
        show("syntax", conn.execute, "1 +")
        show("module", lambda: conn.modules.there_is_no_such_module)
        show("import", lambda: conn.modules["there_is_no_such_module"])
        print(conn.modules.collections.OrderedDict([("a", 1)])["a"], isinstance(conn.eval("{}"), dict))
        with conn.builtins.open(os.devnull) as file:
            print(file.read())
        "#,
    );
}

#[test]
fn objects_are_copied_both_ways() {
    same(
        r#"
        theirs = conn.eval("{'a': [1, (2, 3)], 'b': {4}}")
        ours = rpyc.classic.obtain(theirs)
        print(type(ours) is dict, ours, rpyc.classic.obtain([1]))
        sent = rpyc.classic.deliver(conn, {"x": [1]})
        print(isinstance(sent, rpyc.BaseNetref), sent["x"][0])
        "#,
    );
}

#[test]
fn files_folders_and_packages_are_transferred() {
    same(
        r#"
        import tempfile
        from pathlib import Path
        folder = Path(tempfile.mkdtemp())
        (folder / "from/deep").mkdir(parents=True)
        (folder / "from/one.txt").write_text("1" * 100_000)
        (folder / "from/deep/two.bin").write_bytes(b"\0\xff")
        (folder / "from/not.pyc").write_bytes(b"")
        rpyc.classic.upload(conn, str(folder / "from"), str(folder / "there"), lambda name: not name.endswith(".pyc"))
        rpyc.classic.download(conn, str(folder / "there"), str(folder / "back"))
        print(sorted(str(each.relative_to(folder / "back")) for each in (folder / "back").rglob("*")))
        print((folder / "back/one.txt").stat().st_size, (folder / "back/deep/two.bin").read_bytes())
        rpyc.classic.upload_file(conn, str(folder / "from/one.txt"), str(folder / "file"), chunk_size=1000)
        rpyc.classic.download_file(conn, str(folder / "file"), str(folder / "again"))
        print((folder / "again").stat().st_size)
        show("none", rpyc.classic.upload, conn, str(folder / "nothing"), "x")
        import json
        rpyc.classic.upload_package(conn, json, str(folder / "json"))
        print((folder / "json/decoder.py").exists())
        "#,
    );
}

/// Half of a copy stood under the name of the file of before.
#[test]
fn a_copy_that_is_cut_off_leaves_the_file_of_before_and_nothing_else() {
    let code = r#"
        import tempfile
        from pathlib import Path
        folder = Path(tempfile.mkdtemp())
        pipe, target = folder / "pipe", folder / "target"
        os.mkfifo(pipe)
        target.write_text("before")
        target.chmod(0o640)

        def copied(copy, ending):
            conn = rpyc.classic.connect(HERE, port())
            def write():
                with open(pipe, "wb") as file:
                    file.write(b"1" * 300_000)
                    file.flush()
                    ending(conn)
            writer = threading.Thread(target=write)
            writer.start()
            try:
                copy(conn, str(pipe), str(target), chunk_size=1000)
            finally:
                writer.join()
                conn.close()

        def left():
            return sorted(each.name for each in folder.iterdir())

        def cut(conn):
            print("others may", [each.stat().st_mode & 0o77 for each in folder.glob(".target.*")])
            conn.close()

        for copy in rpyc.classic.upload_file, rpyc.classic.download_file:
            try:
                copied(copy, cut)
            except (EOFError, OSError):
                print("cut off", target.read_text())
            # It is the server that removes a part of its own.
            wait_until(lambda: left() == ["pipe", "target"])
        conn = rpyc.classic.connect(HERE, port())
        show("unreadable", rpyc.classic.upload_file, conn, "/proc/self/mem", str(target))
        show("no folder", rpyc.classic.upload_file, conn, str(target), str(folder / "no/folder"))
        link = folder / "link"
        link.symlink_to(target)
        with target.open("rb") as before:
            rpyc.classic.upload_file(conn, __file__, str(link))
            print(before.read(), link.is_symlink(), oct(target.stat().st_mode))
        rpyc.classic.upload_file(conn, __file__, "/dev/null")
        rpyc.classic.upload_file(conn, str(pipe.parent / "link"), os.fsencode(folder / "named by bytes"))
        (folder / "named by bytes").unlink()
        for copy in rpyc.classic.upload_file, rpyc.classic.download_file:
            target.write_text("before")
            copied(copy, lambda conn: None)
            print(target.stat().st_size, left())
        "#;
    let expected = "\
others may [0]
cut off before
others may [0]
cut off before
unreadable raises OSError
no folder raises FileNotFoundError
b'before' True 0o100640
300000 ['link', 'pipe', 'target']
300000 ['link', 'pipe', 'target']";
    for served in classics() {
        let written = client("rpyc_rs", code, &[served.port.to_string()]);
        let written = written.unwrap_or_else(|failure| panic!("{failure}\n{:?}", served.process));
        assert_eq!(written, expected);
    }
}

#[test]
fn functions_are_teleported_and_the_standard_streams_redirected() {
    same(
        r#"
        import io
        def area(width, height=2):
            import math
            return math.floor(width * height)
        there = rpyc.classic.teleport_function(conn, area)
        print(there(3.5), there(1, height=5), conn.namespace["area"](2), there is not area)
        print(conn.teleport(area)(4))
        before, sys.stdout = sys.stdout, io.StringIO()
        try:
            with rpyc.classic.redirected_stdio(conn):
                conn.execute("print('seen here')\nimport sys\nsys.stdout.write('too')")
            said = sys.stdout.getvalue()
        finally:
            sys.stdout = before
        print(repr(said))
        import rpyc as of_either
        sys.stdin, stdin = io.StringIO("print(6 * 7)\n"), sys.stdin
        sys.stdout = io.StringIO()
        try:
            rpyc.classic.interact(conn)
            said = sys.stdout.getvalue()
        finally:
            sys.stdout, sys.stdin = before, stdin
        print("42" in said)
        "#,
    );
}

#[test]
fn the_server_drives_a_classic_client_that_offers_itself() {
    same(
        r#"
        conn.execute("def drive(conn):\n    return conn.root.eval('2 + 3'), conn.root.getmodule('os').getpid()")
        print(conn.namespace["drive"](conn.root.getconn())[0], conn.namespace["drive"](conn.root.getconn())[1] == os.getpid())
        mock = rpyc.classic.MockClassicConnection()
        print(mock.eval("1 + 2"), mock.modules.sys is sys)
        "#,
    );
}

#[test]
fn the_last_exception_is_debugged_after_the_fact() {
    same(
        r#"
        import io
        conn.execute("def failing():\n    local = 4242\n    1 / 0\n")
        show("failing", conn.namespace["failing"])
        stdin, stdout = sys.stdin, sys.stdout
        sys.stdin, sys.stdout = io.StringIO("p local\nup\np 1 / 0\nq\n"), io.StringIO()
        try:
            rpyc.classic.pm(conn)
            text = sys.stdout.getvalue()
        finally:
            sys.stdin, sys.stdout = stdin, stdout
        print("4242" in text, text.count("(Pdb)"), "ZeroDivisionError" in text)
        print(conn.eval("1 + 1"))
        "#,
    );
}
