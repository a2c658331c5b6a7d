//! Prompts, programs and the debugger, driven from here.

use std::io::Cursor;
use std::thread;

use rpyc_classic::{Outcome, Prompt, Stdio, connect};
use rpyc_tests::deadline::{PATIENCE, within};

use crate::servers::{Sink, on_both};
use rpyc_tests::python_server::PythonServer;

/// What a piece of code prints, and how it ends.
fn push(prompt: &Prompt, code: &str) -> (String, Outcome) {
    let out = Sink::default();
    let stdio = Stdio::new().stdout(out.clone()).stderr(out.clone());
    let outcome = prompt
        .push(code, stdio)
        .unwrap_or_else(|error| panic!("{code}: {error}"));
    (out.text(), outcome)
}

#[test]
fn a_prompt_shows_values_and_keeps_names() {
    on_both(|conn| {
        let prompt = conn.prompt().expect("a prompt");
        for (code, printed) in [
            ("x = 6", ""),
            ("x * 7", "42\n"),
            ("_ + 1", "43\n"),
            ("None", ""),
            ("def f(n):\n    return n + x\n", ""),
            ("f(1)", "7\n"),
            ("for i in range(2):\n    print(i)\n", "0\n1\n"),
            ("import sys; sys.stderr.write('e')", "e"),
        ] {
            assert_eq!(
                push(&prompt, code),
                (printed.to_owned(), Outcome::Done),
                "{code}"
            );
        }
        let x = conn
            .namespace()
            .and_then(|names| names.get("x"))
            .expect("x");
        assert_eq!(x.extract::<i64>().expect("a number"), 6);
    });
}

#[test]
fn exceptions_come_as_tracebacks_of_the_code_alone() {
    on_both(|conn| {
        let prompt = conn.prompt().expect("a prompt");
        push(&prompt, "def broken():\n    raise ValueError('as asked')\n");
        let (_, outcome) = push(&prompt, "broken()");
        let Outcome::Raised { traceback } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            traceback.starts_with("Traceback (most recent call last):\n"),
            "{traceback}"
        );
        assert!(traceback.ends_with("ValueError: as asked\n"), "{traceback}");
        assert!(
            traceback.contains("    raise ValueError('as asked')"),
            "{traceback}"
        );
        assert!(!traceback.contains("rpyc client"), "{traceback}");
        let (_, outcome) = push(&prompt, "1 +");
        let Outcome::Raised { traceback } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            traceback.contains("SyntaxError") && !traceback.contains("During handling"),
            "{traceback}"
        );
        let (_, outcome) = push(&prompt, "raise SystemExit(3)");
        assert_eq!(
            outcome,
            Outcome::Exited {
                code: 3,
                message: None
            }
        );
        let (_, outcome) = push(&prompt, "import sys; sys.exit('why')");
        assert_eq!(
            outcome,
            Outcome::Exited {
                code: 1,
                message: Some("why".to_owned())
            }
        );
        let (_, outcome) = push(&prompt, "raise KeyboardInterrupt");
        assert!(matches!(outcome, Outcome::Raised { .. }), "{outcome:?}");
        assert_eq!(push(&prompt, "1").0, "1\n");
    });
}

#[test]
fn a_prompt_knows_what_is_unfinished_and_what_names_there_are() {
    on_both(|conn| {
        let prompt = conn.prompt().expect("a prompt");
        for (code, complete) in [
            ("1", true),
            ("x = (1,", false),
            ("if True:", false),
            ("if True:\n    x = 1", false),
            ("if True:\n    x = 1\n", true),
            ("'''text", false),
            ("1 +", true),
            ("", true),
        ] {
            assert_eq!(
                prompt.is_complete(code).expect("an answer"),
                complete,
                "{code:?}"
            );
        }
        push(&prompt, "import os; my_name = 'text'");
        let complete = |line: &str| prompt.complete(line).expect("names");
        assert_eq!(complete("my_na"), ["my_name"]);
        assert_eq!(complete("print(my_name.startsw"), ["my_name.startswith"]);
        assert!(complete("os.path.jo").contains(&"os.path.join".to_owned()));
        assert!(complete("impor").contains(&"import".to_owned()));
        assert!(complete("import js").contains(&"json".to_owned()));
        assert!(complete("no.such.thing").is_empty());
        let public = complete("os.");
        assert!(public.iter().all(|name| !name.starts_with("os._")) && !public.is_empty());
        assert!(complete("os._").contains(&"os._exit".to_owned()));
    });
}

#[test]
fn a_program_runs_as_main_and_its_threads_print_here_too() {
    on_both(|conn| {
        let prompt = conn.prompt().expect("a prompt");
        let out = Sink::default();
        let program = "import threading\nif __name__ == '__main__':\n    thread = threading.Thread(target=print, args=('thread',))\n    thread.start()\n    thread.join()\n    print(__file__)\n";
        let stdio = Stdio::new().stdout(out.clone()).block_buffered(true);
        let outcome = prompt
            .run_program(program, "/x/prog.py", stdio)
            .expect("a run");
        assert_eq!(
            (out.text().as_str(), outcome),
            ("thread\n/x/prog.py\n", Outcome::Done)
        );
        let stdio = Stdio::new();
        let outcome = prompt.run_program("x = 1\nraise KeyError(x)", "/x/prog.py", stdio);
        let Ok(Outcome::Raised { traceback }) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            traceback.contains("File \"/x/prog.py\", line 2"),
            "{traceback}"
        );
    });
}

#[test]
fn a_prompts_output_is_its_own_while_another_client_runs() {
    on_both(|conn| {
        let prompt = conn.prompt().expect("a prompt");
        let all = Sink::default();
        let everything = conn
            .redirect_stdio(Stdio::new().stdout(all.clone()))
            .expect("redirected");
        let (own, _) = push(&prompt, "print('mine')");
        conn.execute("print('everybody')").expect("executed");
        everything.restore().expect("restored");
        assert_eq!(
            (own.as_str(), all.text().as_str()),
            ("mine\n", "everybody\n")
        );
    });
}

#[test]
fn pythons_own_prompt_is_driven_by_lines() {
    on_both(|conn| {
        let out = Sink::default();
        conn.execute("x = 20").expect("executed");
        let input = Cursor::new("x + 22\n1 / 0\nname = input('who? ')\nAda\nprint(name * 2)\n");
        let stdio = Stdio::new()
            .stdin(input)
            .stdout(out.clone())
            .stderr(out.clone());
        conn.interact(stdio).expect("a session");
        let text = out.text();
        for part in [">>> ", "42\n", "ZeroDivisionError", "who? ", "AdaAda"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    });
}

#[test]
fn the_debugger_looks_at_the_last_exception() {
    on_both(|conn| {
        let none = conn
            .post_mortem(Stdio::new())
            .expect_err("no exception yet");
        assert!(
            none.as_remote()
                .is_some_and(|raised| raised.is("ValueError")),
            "{none}"
        );
        conn.execute("def broken(secret):\n    return secret / 0\n")
            .expect("executed");
        conn.eval("broken(1234)").expect_err("it raises");
        let out = Sink::default();
        let stdio = Stdio::new()
            .stdin(Cursor::new("p secret + 1\nq\n"))
            .stdout(out.clone());
        conn.post_mortem(stdio).expect("a session");
        assert!(out.text().contains("1235"), "{}", out.text());
    });
}

#[test]
fn running_code_is_interrupted_over_a_second_connection() {
    let server = PythonServer::start();
    within(PATIENCE, "the session", move || {
        let conn = connect(server.address()).expect("a connection");
        let second = connect(server.address()).expect("a connection");
        let prompt = conn.prompt().expect("a prompt");
        let interrupter = prompt.interrupter();
        let (started, running) = std::sync::mpsc::channel();
        let waiting = thread::spawn(move || {
            running.recv().expect("it runs");
            assert!(interrupter.interrupt(&second).expect("an answer"));
        });
        let tell = rpyc_core::object::Function::new("tell", move |_, _| {
            let _ = started.send(());
            Ok(rpyc_core::Any::NONE)
        });
        let names = conn.namespace().expect("names");
        names
            .set("tell", rpyc_core::Any::object(tell))
            .expect("set");
        let (_, outcome) = push(&prompt, "tell()\nwhile True: pass\n");
        let Outcome::Raised { traceback } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(traceback.contains("KeyboardInterrupt"), "{traceback}");
        waiting.join().expect("no panic");
        assert_eq!(push(&prompt, "1 + 1").0, "2\n");
    });
}
