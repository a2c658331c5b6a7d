//! What builds up over many calls, large ones, deep ones and late ones.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rpyc_core::wire::Value;
use rpyc_core::{Config, Context, Exposed, expose, service};
use rpyc_tests::deadline::PATIENCE;

use crate::serving::{run, run_with};
use crate::shop::shop;

/// Holds callers until they are let go, whoever does that.
struct LatchService {
    let_go: Mutex<Sender<()>>,
    held: Mutex<Receiver<()>>,
    taken: Mutex<usize>,
}

#[service(module = "latch")]
impl LatchService {
    #[exposed]
    fn hold(&self) -> bool {
        lock(&self.held).recv_timeout(PATIENCE).is_ok()
    }

    #[exposed]
    fn let_go(&self, count: usize) -> bool {
        let let_go = lock(&self.let_go);
        (0..count).all(|_| let_go.send(()).is_ok())
    }

    #[exposed]
    fn take(&self, bytes: Value) -> Option<usize> {
        let Value::Bytes(bytes) = bytes else {
            return None;
        };
        *lock(&self.taken) += 1;
        Some(bytes.len())
    }

    #[exposed]
    fn taken(&self) -> usize {
        *lock(&self.taken)
    }

    /// How many requests run, objects are out, requests are unanswered and netrefs alive, at this
    /// end of the caller's connection.
    #[exposed]
    fn counts(&self, cx: &Context<'_>) -> (usize, usize, usize, usize) {
        let conn = cx.connection();
        let (running, pending) = (conn.running_requests(), conn.pending_requests());
        (
            running,
            conn.exported_objects(),
            pending,
            conn.live_netrefs(),
        )
    }

    #[exposed]
    fn meter(&self) -> Meter {
        Meter
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Can be read.
struct Meter;

#[expose(module = "latch")]
impl Meter {
    #[getter]
    fn reading(&self) -> i64 {
        42
    }
}

fn latch() -> Exposed<LatchService> {
    let (let_go, held) = channel();
    Exposed::new(LatchService {
        let_go: Mutex::new(let_go),
        held: Mutex::new(held),
        taken: Mutex::new(0),
    })
}

/// A stock client gives up on a write that doesn't get on for 3 s.
#[test]
fn thirty_megabytes_of_requests_are_taken_in_while_a_handler_is_busy() {
    run(
        latch(),
        r#"
        other = rpyc.connect(HOST, PORT)
        hold, take = rpyc.async_(root.hold), rpyc.async_(root.take)
        holding = hold()
        chunk = os.urandom(1 << 20)
        # Each of them returns once its bytes are out.
        sent = [take(chunk) for _ in range(30)]
        same(other.root.taken(), 0)
        assert not holding.ready
        same(other.root.let_go(1), True)
        for result in [holding] + sent:
            result.set_expiry(PATIENCE)
        same(holding.value, True)
        same([result.value for result in sent], [1 << 20] * 30)
        same(root.taken(), 30)
        "#,
    );
}

#[test]
fn a_hundred_calls_that_expire_leave_nothing_at_either_side() {
    run(
        latch(),
        r#"
        other = rpyc.connect(HOST, PORT)
        hold, counts = root.hold, root.counts
        before = counts()
        same(before[0], 1)
        conn._config["sync_request_timeout"] = 0.01
        for _ in range(100):
            with raises(TimeoutError):
                hold()
        conn._config["sync_request_timeout"] = PATIENCE
        same(other.root.let_go(100), True)
        conn.ping("after", timeout=PATIENCE)
        same(len(conn._request_callbacks), 0)
        eventually(lambda: counts() == before, "the server's tables are as they were")
        "#,
    );
}

#[test]
fn objects_are_passed_back_and_forth_while_another_thread_serves_and_one_collects() {
    let config = Config::new().allow_public_attrs(true);
    run_with(
        shop(),
        config,
        r#"
        import gc
        serving = rpyc.BgServingThread(conn)
        over, failed = threading.Event(), []
        def collect():
            while not over.is_set():
                gc.collect()
                time.sleep(0.001)
        collecting = threading.Thread(target=collect)
        collecting.start()
        prices = root.prices()
        # 100,000 of them, or as many as there are in a few seconds.
        until = time.monotonic() + 5
        for number in range(100_000):
            default = []
            assert prices.get("nothing", default) is default
            if time.monotonic() > until:
                break
        over.set()
        collecting.join()
        assert number > 50, number
        conn.ping()
        serving.stop()
        "#,
    );
}

#[test]
fn a_property_without_a_setter_says_so_and_the_connection_lives() {
    let config = Config::new().allow_setattr(true);
    run_with(
        latch(),
        config,
        r#"
        meter = root.meter()
        same(meter.reading, 42)
        with raises(AttributeError, "property 'reading' of 'Meter' object has no setter"):
            meter.reading = 43
        same(meter.reading, 42)
        conn.ping()
        "#,
    );
}

#[test]
fn a_client_nests_callbacks_two_hundred_deep_and_is_told_the_limit_beyond() {
    run(
        shop(),
        r#"
        sys.setrecursionlimit(100_000)
        threading.stack_size(512 << 20)
        def descend(depth):
            return root.apply(lambda _: 0 if depth == 1 else descend(depth - 1) + 1, None)
        failed = []
        def nest():
            try:
                same(descend(200), 199)
                with raises(RecursionError, "max_nested"):
                    descend(202)
                same(descend(3), 2)
            except BaseException as error:
                failed.append(error)
        thread = threading.Thread(target=nest)
        thread.start()
        thread.join()
        same(failed, [])
        conn.ping()
        "#,
    );
}
