"""asyncio, multiprocessing, subprocess and terminals."""


def coroutines_are_run_there(conn):
    conn.execute(dedent("""
        import asyncio
        async def work(name, seconds):
            await asyncio.sleep(seconds)
            return name
        async def gathered(names):
            return tuple(await asyncio.gather(*(work(name, 0.01) for name in names)))
        async def fails():
            await asyncio.sleep(0)
            raise LookupError('lost')
        async def calls(function):
            await asyncio.sleep(0)
            return await asyncio.get_running_loop().run_in_executor(None, function, 'in a thread') , function('in the loop')
        async def numbers():
            for n in range(3):
                await asyncio.sleep(0)
                yield n
        async def too_long():
            await asyncio.wait_for(asyncio.sleep(60), 0.05)
        async def command():
            process = await asyncio.create_subprocess_exec('echo', 'hello', stdout=asyncio.subprocess.PIPE)
            return (await process.communicate())[0]
        async def listed():
            return tuple([n async for n in numbers()])
    """))
    run, far = conn.modules.asyncio.run, conn.namespace
    show(run(far["work"]("one", 0)), run(far["gathered"](("a", "b", "c"))), said(run, far["fails"]()), run(far["listed"]()))
    said_here = []
    show(run(far["calls"](lambda text: said_here.append(text) or len(said_here))), said_here)
    show(said(run, far["too_long"]()).split(":")[0], run(far["command"]()))
    show(conn.eval("asyncio.run(work('inside', 0))"))
    # Nothing of a loop stays behind.
    show(said(conn.modules.asyncio.get_running_loop), run(far["work"]("again", 0)))


def far_coroutines_are_driven_from_here(conn):
    conn.execute(dedent("""
        import types
        @types.coroutine
        def step(value):
            got = yield value
            return got
        async def steps():
            return await step('first'), await step('second')
        async def waits(awaitable):
            return await awaitable
    """))
    far = conn.namespace["steps"]()
    show(far.send(None), far.send(1))
    try:
        far.send(2)
    except StopIteration as end:
        show("ended", type(end).__name__)
    far = conn.namespace["steps"]()
    show(far.send(None), said(far.throw, KeyError("k")), said(far.send, None))
    far = conn.namespace["steps"]()
    far.send(None)
    far.close()
    import asyncio
    show(said(lambda: asyncio.iscoroutine(far)), said(lambda: type(far).__name__))


def a_loop_in_a_thread_there_takes_calls(conn):
    conn.execute(dedent("""
        import asyncio, threading
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        async def add(a, b):
            await asyncio.sleep(0.01)
            return a + b
    """))
    loop, add = conn.namespace["loop"], conn.namespace["add"]
    future = conn.modules.asyncio.run_coroutine_threadsafe(add(2, 3), loop)
    show(future.result(20))
    done = threading.Event()
    future = conn.modules.asyncio.run_coroutine_threadsafe(add(4, 5), loop)
    future.add_done_callback(lambda ended: done.set())
    show(future.result(20))
    eventually(lambda: conn.eval("1") and done.is_set(), "the callback of a future")
    loop.call_soon_threadsafe(loop.stop)
    conn.namespace["thread"].join(20)
    show(conn.namespace["thread"].is_alive())


def processes_by_the_default_start_method(conn):
    folder = conn.modules.tempfile.mkdtemp()
    with conn.builtin.open(folder + "/jobs_of_a_pool.py", "w") as file:
        file.write("import os\ndef square(n): return n * n\ndef fails(n): raise ValueError(n)\ndef put(queue, n): queue.put(n * 10)\n")
    conn.modules.sys.path.append(folder)
    jobs, multiprocessing = conn.modules.jobs_of_a_pool, conn.modules.multiprocessing
    pool = multiprocessing.Pool(2)
    show(tuple(pool.map(jobs.square, range(5))), pool.apply(jobs.square, (9,)), said(pool.apply, jobs.fails, (1,)))
    show(pool.apply_async(jobs.square, (4,)).get(20), [n for n in pool.imap(jobs.square, (1, 2))])
    # Not by `terminate`, which at times waits for ever for one that holds a lock.
    pool.close()
    pool.join()
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=jobs.put, args=(queue, 4))
    process.start()
    show(queue.get(timeout=20))
    process.join(20)
    show(process.exitcode, process.is_alive(), len(multiprocessing.active_children()))
    with conn.modules["concurrent.futures"].ProcessPoolExecutor(1) as pool:
        show(pool.submit(jobs.square, 12).result(20))
    for method in "fork", "spawn":
        context = multiprocessing.get_context(method)
        process = context.Process(target=jobs.square, args=(1,))
        process.start()
        process.join(20)
        show(method, process.exitcode)
    show(conn.eval("1 + 1"))


def programs_are_run_there(conn):
    subprocess = conn.modules.subprocess
    show(subprocess.run(["echo", "hello"], stdout=subprocess.PIPE).stdout, subprocess.check_output("echo $((1 + 2))", shell=True, text=True))
    try:
        subprocess.check_call(["sh", "-c", "exit 3"])
    except Exception as error:
        show(type(error).__name__, error.returncode)
    cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    cat.stdin.write("line\n")
    show(cat.stdout.readline())
    show(tuple(cat.communicate("more")), cat.returncode, said(subprocess.run, ["sleep", "10"], timeout=0.05).split(":")[0])
    lines = subprocess.Popen(["printf", "a\\nb\\nc\\n"], stdout=subprocess.PIPE, text=True)
    show([line for line in lines.stdout], lines.wait())
    show(said(subprocess.run, ["/no/such/program"]).split("]")[0], conn.modules.os.system("exit 5") >> 8, conn.modules.os.popen("echo there").read())
    code = "import sys; print(sys.prefix); sys.exit(4)"
    child = subprocess.run([conn.modules.sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    show(child.stdout.strip() == conn.modules.sys.prefix, child.returncode)


def a_pseudo_terminal_there(conn):
    os_ = conn.modules.os
    master, slave = conn.modules.pty.openpty()
    show(os_.isatty(slave), os_.ttyname(slave).startswith("/dev/"))
    child = conn.modules.subprocess.Popen(["sh", "-c", "test -t 0 && read line && echo got $line"], stdin=slave, stdout=slave, stderr=slave)
    os_.close(slave)
    os_.write(master, b"typed\n")
    show(child.wait(20))
    got = b""
    while b"got typed" not in got:
        got += os_.read(master, 1024)
    show(got)
    os_.close(master)
    # pty.spawn's way: a fork with the terminal as the child's own.
    conn.execute(dedent("""
        import os, pty
        def tty_of_a_child():
            pid, master = pty.fork()
            if pid == 0:
                os.execvp('tty', ['tty'])
            name = os.read(master, 100)
            os.waitpid(pid, 0)
            os.close(master)
            return name
    """))
    show(conn.namespace["tty_of_a_child"]().startswith(b"/dev/"))
    show(conn.eval("1 + 1"))
