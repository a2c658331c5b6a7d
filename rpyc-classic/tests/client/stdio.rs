//! The server's standard streams, redirected to this program.

use std::io::Cursor;

use rpyc_classic::Stdio;

use crate::servers::{Sink, eventually, on_both};

#[test]
fn what_is_printed_arrives_here_until_it_is_restored() {
    on_both(|conn| {
        let (out, err) = (Sink::default(), Sink::default());
        conn.execute("import sys; before = sys.stdout, sys.stderr, sys.stdin")
            .expect("executed");
        let stdio = Stdio::new().stdout(out.clone()).stderr(err.clone());
        let redirected = conn.redirect_stdio(stdio).expect("redirected");
        conn.execute("print('one', 'zwö'); print('no', file=sys.stderr); print('half', end='')")
            .expect("executed");
        assert_eq!(
            (out.text().as_str(), err.text().as_str()),
            ("one zwö\n", "no\n")
        );
        conn.execute("sys.stdout.buffer.write(b'\\xff\\n'); sys.stdout.writelines(['a', 'b\\n'])")
            .expect("executed");
        conn.execute("assert not sys.stdout.isatty() and sys.stdout.encoding == 'utf-8'")
            .expect("a stream");
        redirected.restore().expect("restored");
        assert_eq!(out.text(), "one zwö\nhalf\u{fffd}\nab\n");
        conn.execute("assert (sys.stdout, sys.stderr, sys.stdin) == before")
            .expect("as before");
    });
}

#[test]
fn a_dropped_guard_restores_without_waiting_and_what_was_written_still_arrives() {
    on_both(|conn| {
        let out = Sink::default();
        conn.execute("import sys; before = sys.stdout")
            .expect("executed");
        let redirected = conn
            .redirect_stdio(Stdio::new().stdout(out.clone()))
            .expect("redirected");
        conn.execute("print('unfinished', end='')")
            .expect("executed");
        drop(redirected);
        conn.execute("assert sys.stdout is before")
            .expect("restored");
        eventually("it arrives", || out.text() == "unfinished");
    });
}

#[test]
fn what_is_asked_for_is_read_from_here() {
    on_both(|conn| {
        let out = Sink::default();
        let input = Cursor::new("Ada\nsecond ä\nthird\nrest\n");
        let stdio = Stdio::new().stdin(input).stdout(out.clone());
        let redirected = conn.redirect_stdio(stdio).expect("redirected");
        conn.execute("import sys\nname = input('name? ')\nsecond = sys.stdin.readline()")
            .expect("executed");
        assert_eq!(out.text(), "name? ");
        conn.execute(
            "cut = sys.stdin.readline(3)\nrest = sys.stdin.read()\nend = sys.stdin.readline()",
        )
        .expect("executed");
        let read: (String, String, String, String, String) = conn
            .obtain(&conn.eval("(name, second, cut, rest, end)").expect("text"))
            .expect("text");
        let expected = ["Ada", "second ä\n", "thi", "rd\nrest\n", ""].map(str::to_owned);
        assert_eq!(<[String; 5]>::from(read), expected);
        let error = conn.execute("input()").expect_err("the end of the input");
        assert!(
            error
                .as_remote()
                .is_some_and(|raised| raised.is("EOFError")),
            "{error}"
        );
        redirected.restore().expect("restored");
    });
}

#[test]
fn redirections_may_end_in_any_order() {
    on_both(|conn| {
        conn.execute("import sys; before = sys.stdout")
            .expect("executed");
        let (first, second) = (Sink::default(), Sink::default());
        let one = conn
            .redirect_stdio(Stdio::new().stdout(first.clone()))
            .expect("redirected");
        let two = conn
            .redirect_stdio(Stdio::new().stdout(second.clone()))
            .expect("redirected");
        conn.execute("print('two')").expect("executed");
        one.restore().expect("restored");
        conn.execute("print('still two')").expect("executed");
        two.restore().expect("restored");
        conn.execute("assert sys.stdout is before")
            .expect("restored");
        assert_eq!(
            (first.text().as_str(), second.text().as_str()),
            ("", "two\nstill two\n")
        );
    });
}

#[test]
fn a_lot_of_output_in_blocks_is_complete() {
    on_both(|conn| {
        let out = Sink::default();
        let stdio = Stdio::new().stdout(out.clone()).block_buffered(true);
        let redirected = conn.redirect_stdio(stdio).expect("redirected");
        conn.execute("for i in range(20000): print(i)")
            .expect("executed");
        redirected.restore().expect("restored");
        let lines: Vec<String> = out.text().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[19_999].as_str()), (20_000, "19999"));
    });
}
