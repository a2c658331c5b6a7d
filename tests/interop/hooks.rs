//! What debuggers, prompts and stack dumps look at in `sys`.

use rpyc_tests::{Server, better_than_stock};

#[test]
fn a_hook_is_the_function_that_sys_keeps_for_putting_it_back() {
    Server::start().check(
        r#"
        conn.execute('import sys')
        for name in ('breakpointhook', 'displayhook', 'excepthook', 'unraisablehook'):
            assert conn.eval(f'sys.{name} is sys.__{name}__'), name
        "#,
    );
}

#[test]
fn an_interpreter_of_ones_own_collects_tracebacks() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import code
            class Collecting(code.InteractiveInterpreter):
                def __init__(self):
                    super().__init__()
                    self.written = []
                def write(self, data):
                    self.written.append(data)
            def written(source):
                interpreter = Collecting()
                interpreter.runsource(source)
                return "".join(interpreter.written)
        '''))
        text = conn.namespace['written']('1 / 0')
        assert text.startswith('Traceback') and text.endswith('ZeroDivisionError: division by zero\n'), text
        text = conn.namespace['written']('x = = 1')
        assert 'SyntaxError: invalid syntax' in text, text
        "#,
    );
}

#[test]
fn the_stacks_of_a_stuck_process_are_walked_with_their_locals() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import sys, threading, time
            def stuck(ready, end, looks):
                marker = "the marker"
                if looks:
                    # Its frames are objects from now on.
                    sys._getframe().f_locals
                ready.set()
                end.wait(60)
            def walk(looks):
                ready, end = threading.Event(), threading.Event()
                thread = threading.Thread(target=stuck, args=(ready, end, looks))
                thread.start()
                ready.wait(60)
                deadline = time.monotonic() + 60
                names = []
                try:
                    # A frame that ends while it is looked at has no caller any more.
                    while not {"stuck", "run"} <= set(names) and time.monotonic() < deadline:
                        names, locals = [], {}
                        frame = sys._current_frames()[thread.ident]
                        while frame is not None:
                            names.append(frame.f_code.co_name)
                            locals.update(dict(frame.f_locals))
                            len(frame.f_locals), repr(frame.f_locals), list(frame.f_locals)
                            frame = frame.f_back
                finally:
                    end.set()
                    thread.join()
                return names, locals.get("marker")
        '''))
        for turn in range(20):
            for looks in (False, True):
                names, marker = conn.namespace['walk'](looks)
                assert {'stuck', 'run'} <= set(names), names
                assert marker in ('the marker', None)
        "#,
    );
}

#[test]
fn locals_of_ones_own_frames_are_there_and_can_be_changed() {
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import sys
            def inner():
                return sys._getframe(1).f_locals["local"]
            def outer():
                local = 5
                return inner()
            def left():
                kept = 6
                1 / 0
            def post_mortem():
                try:
                    left()
                except ZeroDivisionError as error:
                    return error.__traceback__.tb_next.tb_frame.f_locals["kept"]
        '''))
        same(conn.namespace['outer'](), 5)
        same(conn.namespace['post_mortem'](), 6)
        "#,
    );
}

#[test]
fn what_is_missing_of_another_threads_locals_is_an_empty_mapping() {
    if better_than_stock("it has them all") {
        return;
    }
    Server::start().check(
        r#"
        conn.execute(dedent('''
            import sys, threading
            def others():
                own = threading.get_ident()
                for ident, frame in sys._current_frames().items():
                    while ident != own and frame is not None:
                        assert isinstance(dict(frame.f_locals), dict)
                        frame = frame.f_back
                return True
        '''))
        assert conn.namespace['others']()
        "#,
    );
}
