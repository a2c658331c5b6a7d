"""pandas, pillow and psutil: tables, images, processes."""
import pandas
from PIL import Image


def tables_stay_where_they_are(conn):
    conn.execute("import pandas as pd")
    far = conn.modules.pandas.DataFrame({"name": ["iron", "gold", "tin"], "mass": [55.8, 197.0, 118.7], "n": [1, 2, 3]})
    show(repr(far), far.shape, len(far), list(far.columns), far.dtypes["mass"].name)
    show(far["mass"].sum(), far.mass.max(), far.loc[1, "name"], far.iloc[0]["mass"], far.at[2, "n"])
    far["double"] = far["mass"] * 2
    far.loc[far["n"] > 1, "n"] = 0
    show(repr(far[far["mass"] > 100].sort_values("mass")), repr(far.describe().loc["mean"]))
    show(repr(far.groupby("n")["mass"].sum()), repr(far.set_index("name").T))
    for index, row in far.iterrows():
        show(index, row["name"], row.mass)
    show([row.name for row in far.itertuples()], [name for name in far])
    show(repr(far["name"].str.upper()), repr(far["n"].apply(lambda n: n + 1)), repr(far["mass"].map(lambda mass: mass > 100)))
    show(repr(far.drop(columns="name").apply(lambda column: column.max())), repr(far.assign(half=lambda table: table["mass"] / 2)["half"]))
    show(said(lambda: far["no such"]), said(lambda: far.loc["no such"]), said(lambda: bool(far)))
    show(repr(far["mass"] + [1, 2, 3]), repr(2 * far["n"]), repr(far["n"] == 0), far["n"].isin([0]).sum(), repr(-far["mass"]))


def tables_come_and_go_by_value(conn):
    near = pandas.DataFrame({"when": pandas.date_range("2024-01-01", periods=4, freq="h"), "value": np.arange(4.0)})
    far = rpyc.classic.deliver(conn, near)
    show(type(far).__name__, repr(far.when.dt.hour.tolist()), repr(far.resample("2h", on="when").sum()))
    back = rpyc.classic.obtain(far)
    assert type(back) is pandas.DataFrame and back.equals(near)
    text = rpyc.classic.obtain(far.to_csv(index=False))
    show(text)
    read = conn.modules.pandas.read_csv(conn.modules.io.StringIO(text))
    show(repr(read), repr(read["value"].mean()))
    show(repr(conn.modules.pandas.read_csv(io.StringIO("a,b\n1,2\n3,4\n"))))
    written = io.StringIO()
    far.to_csv(written, index=False)
    same(written.getvalue(), text)
    show(far.to_json(orient="records")[:30], rpyc.classic.obtain(far["value"].to_numpy()).tolist())


def images_are_made_there_and_come_as_bytes(conn):
    far = conn.modules["PIL.Image"].new("RGB", (64, 48), (10, 20, 30))
    draw = conn.modules["PIL.ImageDraw"].Draw(far)
    draw.rectangle([8, 8, 40, 24], fill=(255, 0, 0), outline="white")
    draw.line([(0, 0), (63, 47)], fill=(0, 255, 0), width=2)
    show(far.size, far.mode, far.getpixel((20, 12)), far.getpixel((8, 8)), far.getbbox(), repr(far.getextrema()))
    buffer = conn.modules.io.BytesIO()
    far.save(buffer, "PNG")
    near = Image.open(io.BytesIO(buffer.getvalue()))
    near.load()
    show(near.size, near.mode, near.getpixel((20, 12)))
    raw = far.tobytes()
    same(type(raw), bytes)
    assert Image.frombytes("RGB", (64, 48), raw).tobytes() == near.tobytes()
    small = far.resize((16, 12)).rotate(90, expand=True).convert("L")
    show(small.size, small.mode, small.getpixel((0, 0)))
    # From a file of the client's, and from bytes.
    there = conn.modules["PIL.Image"].open(conn.modules.io.BytesIO(buffer.getvalue()))
    show(there.format, there.size)
    local = io.BytesIO()
    near.save(local, "BMP")
    local.seek(0)
    show(conn.modules["PIL.Image"].open(local).format)
    assert rpyc.classic.obtain(far).tobytes() == raw
    show(repr(conn.modules.numpy.asarray(far).shape), said(conn.modules["PIL.Image"].open, "/no/such")[:50])
    with far.copy() as copy:
        copy.putpixel((0, 0), (1, 2, 3))
        show(copy.getpixel((0, 0)), far.getpixel((0, 0)))


def processes_are_looked_at(conn):
    psutil = conn.modules.psutil
    process = psutil.Process()
    same(process.pid, conn.modules.os.getpid())
    with process.oneshot():
        same(os.path.realpath(process.exe()), os.path.realpath(conn.modules.sys.executable))
        assert process.memory_info().rss > 1 << 20 and process.num_threads() >= 1
        assert process.cpu_times().user >= 0 and process.create_time() < time.time() + 1
    port = int(os.environ["PEER_PORT"])
    assert any(c.laddr.port == port and c.status == psutil.CONN_LISTEN for c in process.net_connections())
    show(psutil.cpu_count() == os.cpu_count(), psutil.virtual_memory().total > 0, type(psutil.disk_usage("/")).__name__)
    child = conn.modules.subprocess.Popen(["sleep", "1000"])
    far = psutil.Process(child.pid)
    show(far.name(), list(far.cmdline()), far.is_running(), [c.pid for c in process.children()].count(child.pid))
    far.terminate()
    gone, alive = psutil.wait_procs([far], timeout=10, callback=lambda ended: show("ended", ended.returncode))
    show(len(gone), len(alive), child.wait())
    try:
        psutil.Process(child.pid)
    except Exception as error:
        show(type(error).__name__ , str(error).split(" (")[0])
