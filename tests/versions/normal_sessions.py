"""A hundred sessions as programs have them, with the exceptions that are part of normal work."""
from peer import *

for number in range(100):
    conn = rpyc.classic.connect(HOST, PORT)
    same(conn.eval("6 * 7"), 42)
    same(list(conn.eval("iter([1, 2])")), [1, 2])
    if number % 10 == 0:
        for code, kind in ("1 // 0", ZeroDivisionError), ("{}[1]", KeyError), ("next(iter(()))", StopIteration):
            with raises(kind):
                conn.eval(code)
        with raises(AttributeError):
            conn.eval("[]").nothing
    if number % 2:
        conn.close()
    else:
        # As a program that ends without a word.
        getattr(conn, "_channel" if VERSION < (7,) else "_Connection__channel").close()
