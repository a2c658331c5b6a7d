"""numpy: arrays by reference and by value."""


def arrays_stay_where_they_are(conn):
    far = conn.modules.numpy.arange(12).reshape(3, 4)
    show(far.shape, far.dtype.name, far.ndim, far.size, far.nbytes, len(far), bool(far.flags.c_contiguous))
    show(repr(far), str(far))
    show(type(far).__name__, type(far).__module__, isinstance(far, rpyc.BaseNetref), isinstance(far, np.ndarray))
    show(far.sum(), far.mean(axis=0), float(far.max()), int(far[1, 2]), far.T.shape)
    show(type(far.sum()).__name__, type(far[0]).__name__, [int(n) for n in far[1]])
    far[0, 0] = 100
    far[1] = 7
    far[:, 3] = conn.modules.numpy.array([1, 2, 3])
    show(str(far.tolist()))


def arrays_come_and_go_by_value(conn):
    far = conn.modules.numpy.linspace(0, 1, 1000).reshape(10, 100)
    near = rpyc.classic.obtain(far)
    assert type(near) is np.ndarray and near.dtype == np.float64
    assert (near == np.linspace(0, 1, 1000).reshape(10, 100)).all()
    there = rpyc.classic.deliver(conn, near * 2)
    show(type(there).__name__, there.shape, conn.modules.builtins.isinstance(there, conn.modules.numpy.ndarray))
    assert isinstance(there, rpyc.BaseNetref)
    assert abs(float(there.sum()) - 1000) < 1e-9
    # Twenty megabytes, both ways.
    large = np.arange(2_500_000, dtype=np.float64)
    there = rpyc.classic.deliver(conn, large)
    assert float(there[-1]) == large[-1] and there.shape == large.shape
    assert (rpyc.classic.obtain(there) == large).all()
    show(rpyc.classic.obtain(conn.modules.numpy.float32(1.5)).__class__, rpyc.classic.obtain(far[0, :3]).tolist())


def dtypes_and_structured_arrays(conn):
    numpy = conn.modules.numpy
    for name in "int8", "uint16", "int64", "float16", "float32", "complex128", "bool", "datetime64[s]", "S5", "U3":
        far = numpy.zeros(3, dtype=name)
        show(far.dtype.str, far.dtype.kind, far.itemsize, rpyc.classic.obtain(far).dtype == np.dtype(name), repr(far[0]))
    conn.execute("import numpy as np; row = np.dtype([('name', 'U10'), ('mass', 'f8'), ('at', 'i4', (2,))])")
    far = conn.eval("np.array([('iron', 55.8, (1, 2)), ('gold', 197.0, (3, 4))], dtype=row)")
    show(repr(far.dtype), far.dtype.names, far["mass"].sum(), str(far["name"][1]), far[0]["at"].tolist()[1])
    far["mass"] *= 2
    far[0] = ("tin", 118.7, (9, 9))
    near = rpyc.classic.obtain(far)
    show(near.dtype.names, near["name"].tolist(), near["mass"].tolist(), near["at"].tolist())
    show(repr(rpyc.classic.obtain(far.dtype)), rpyc.classic.obtain(far.dtype) == near.dtype)
    record = conn.modules.numpy.rec.array(near.tolist(), dtype=far.dtype)
    show(record.mass[1], str(record[0].name))
    show(said(lambda: conn.modules.numpy.rec.array(near.tolist(), dtype=near.dtype)))


def operators_with_local_numbers_and_lists(conn):
    far = conn.modules.numpy.array([1.0, 2.0, 4.0])
    there = conn.modules.numpy.arange(3)
    for made in (
        2 * far, far * 2, 1 - far, far - 1, far + [1, 2, 3], [1, 2, 3] + far, far + (1, 2, 3), far / 2, 1 / far,
        far // 3, far % 3, far ** 2, 2 ** far, -far, abs(-far), far + far, far * there, there << 1, 5 & there,
        there | 8, ~there, there ^ 1, divmod(far, 3)[1], far @ there, far + True, far * 1j,
    ):
        show(type(made).__name__, repr(made))
    for name, other in [("number", 2), ("list", [1, 2, 5]), ("far array", there), ("float", 2.0)]:
        show(name, far == other, far != other, far < other, far >= other)
        show(name, said(lambda: other < far), said(lambda: other == far))
    far += 1
    far *= [1, 2, 3]
    far -= there
    show(repr(far))
    matrix = conn.modules.numpy.arange(6).reshape(2, 3)
    show(repr(matrix @ [1, 2, 3]), repr(matrix.T @ matrix), repr(matrix @ far))
    show(said(lambda: matrix @ [1, 2]), said(lambda: bool(far == 1)), said(lambda: far + [1, 2]))
    show(said(lambda: bool(far)), said(lambda: far[10]), said(lambda: far["x"]), said(lambda: far.no_such))
    show(2 in far, 1e9 in far, far[0] in far, sorted(far), list(reversed(far)), max(far), min(far), sum(far))
    show(said(hash, far), said(complex, far[0]), said(int, far[0]), said(float, far[0]), said(bool, far[0]), said(range, there[1]))
    show([10, 20, 30][there[1]], "ab" * there[2], said(lambda: [0] * there))


def slices_and_masks(conn):
    far = conn.modules.numpy.arange(24).reshape(2, 3, 4)
    show(str(far[0, 1:, ::2].tolist()), repr(far[..., -1]), repr(far[:, None, 0].shape), repr(far[1][::-1][0]))
    show(repr(far[far > 20]), repr(far[[1, 0], 0, 0]), repr(far[(1, 2, 3)]), repr(far[0, far[0].sum(axis=1) > 10]))
    far[far % 2 == 0] = 0
    show(int(far.sum()), int((far == 0).sum()))
    view = far[0]
    view[:] = -1
    show(int(far[0, 2, 3]), view.base is not None)
    show([row.sum() for row in far[1]], [int(x) for x in far.flat][:3], far.flat[5])
    for index, value in conn.modules.numpy.ndenumerate(far[1, 0]):
        show(index, value)


def functions_of_the_far_numpy_on_near_objects(conn):
    numpy = conn.modules.numpy
    show(repr(numpy.array([1, 2, 3])), repr(numpy.array([[1, 2], [3, 4]])), repr(numpy.array((1, 2.5))), repr(numpy.asarray(range(3))))
    show(repr(numpy.sqrt(16)), repr(numpy.sum([1, 2, 3])), repr(numpy.concatenate([numpy.zeros(1), numpy.ones(1)])))
    show(repr(numpy.zeros((2, 2))), repr(numpy.full(2, 7)), repr(numpy.where(numpy.arange(3) > 1, "a", "b")))
    show(repr(numpy.fromiter((n * n for n in range(4)), dtype="i8")), repr(numpy.frombuffer(b"\x01\x02\x03", dtype="u1")))
    show(repr(numpy.vectorize(lambda x: x + 1)(numpy.arange(3))), repr(numpy.apply_along_axis(lambda row: row.sum(), 1, numpy.eye(2))))
    show(repr(numpy.fromfunction(lambda i, j: i * 10 + j, (2, 2))), repr(numpy.array([1, "a"])), repr(numpy.array({"a": 1}).shape))
    show(said(lambda: numpy.random.default_rng(7).integers(0, 100, 5).tolist()[:2]))
    with raises(Exception, "Singular"):
        numpy.linalg.inv(numpy.zeros((2, 2)))
    with numpy.errstate(divide="raise"):
        show(said(lambda: numpy.ones(1) / 0))
    with numpy.printoptions(precision=2):
        show(repr(numpy.array([1 / 3])))


def arrays_from_here_are_arguments_of_the_far_numpy(conn):
    if PEER_KIND == "stock":
        return  # Python's own server crashes.
    numpy, near = conn.modules.numpy, np.array([[1.0, 2.0], [3.0, 4.0]])
    # They are looked at item by item.
    same(repr(numpy.array(near[0])), "array([np.float64(1.0), np.float64(2.0)], dtype=object)")
    same((float(numpy.sum(near)), numpy.shape(near)), (10.0, (2, 2)))
    same(list(numpy.dot(numpy.eye(2), near)[1]), [3.0, 4.0])
    same(list(numpy.arange(2) + near[0]), [1.0, 3.0])
    with raises(TypeError, "sqrt"):
        numpy.sqrt(near)
    # By value they are arrays like any other.
    same(float(numpy.sqrt(rpyc.classic.deliver(conn, near))[1, 1]), 2.0)


def memory_isnt_shared_by_addresses(conn):
    far = conn.modules.numpy.arange(4)
    for name in "__array_interface__", "__array_struct__", "__array__":
        show(name, said(getattr, far, name), hasattr(far, name))
    for call in memoryview, bytes, bytearray, np.frombuffer:
        show(call.__name__, said(call, far) if call is not bytearray else len(said(call, far)) > 0)
    show(far.tobytes() == np.arange(4).tobytes(), type(far.data).__name__, said(lambda: far.data.nbytes))
    show(said(lambda: np.array(far.tolist())))


def files_of_arrays(conn):
    folder = conn.modules.tempfile.mkdtemp()
    path = folder + "/a.npy"
    conn.modules.numpy.save(path, conn.modules.numpy.arange(5))
    same(np.load(path).tolist(), [0, 1, 2, 3, 4])
    mapped = conn.modules.numpy.memmap(folder + "/m", dtype="i4", mode="w+", shape=(4,))
    mapped[1] = 9
    mapped.flush()
    same(np.fromfile(folder + "/m", dtype="i4").tolist(), [0, 9, 0, 0])
    text = io.StringIO()
    conn.modules.numpy.savetxt(text, conn.modules.numpy.eye(2), fmt="%d")
    same(text.getvalue(), "1 0\n0 1\n")
    same(conn.modules.numpy.loadtxt(["1 2", "3 4"]).shape, (2, 2))


def a_call_that_gives_back_the_lock_runs_beside_others(conn):
    # It sleeps in C, in a callback of qsort's: so neither waits for the other.
    conn.execute("import ctypes, threading; pause = ctypes.CDLL(None).usleep; started = threading.Event()")
    conn.execute("def wait():\n started.set()\n pause(900_000)\n return 1")
    first = rpyc.async_(conn.namespace["wait"])()
    with connect() as other:
        other.modules.numpy.ones((200, 200)) @ other.modules.numpy.ones((200, 200))
    same(first.ready, False)
    same(first.value, 1)
