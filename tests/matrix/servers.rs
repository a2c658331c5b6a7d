//! The two servers, with the same service.

use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rpyc_core::by_value::ByValue;
use rpyc_core::object::List;
use rpyc_core::{Any, Args, Config, Connection, Context, Exception, Exposed, expose, service};
use rpyc_tests::Script;
use rpyc_tests::python::Running;
use serde::Serialize;

/// Whose the Python side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rpyc {
    /// The pinned rpyc.
    Stock,
    /// The fork rpyc-ng.
    Ng,
    /// This project's package for Python, in the place of rpyc.
    Rs,
}

impl Rpyc {
    pub(crate) const ALL: [Rpyc; 3] = [Rpyc::Stock, Rpyc::Ng, Rpyc::Rs];

    /// The script with that side's rpyc.
    pub(crate) fn script(self, code: &str) -> Script {
        match self {
            Rpyc::Stock => Script::new(code),
            Rpyc::Ng => Script::new(code).rpyc("7.0.15"),
            Rpyc::Rs => Script::new(code).rpyc_rs(),
        }
    }
}

/// A ThreadedServer of Python's, in a process of its own.
pub(crate) struct PythonServer {
    port: u16,
    _process: Running,
}

impl PythonServer {
    pub(crate) fn start(rpyc: Rpyc) -> PythonServer {
        PythonServer::of(rpyc, include_str!("server.py"))
    }

    /// A script that serves, and says on which port.
    pub(crate) fn of(rpyc: Rpyc, script: &str) -> PythonServer {
        let process = rpyc.script(script).serving().spawn();
        let port = process.told("port ").parse().expect("a port");
        PythonServer {
            port,
            _process: process,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A server of rpyc-core, in this process: a thread for each client.
pub(crate) struct RustServer {
    port: u16,
}

impl RustServer {
    pub(crate) fn start() -> RustServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let counts = Arc::new(Counts::default());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a client");
                stream.set_nodelay(true).expect("an option");
                let service = Exposed::new(MatrixService {
                    kept: Mutex::new(None),
                    counts: counts.clone(),
                });
                let config = Config::new().allow_pickle(true);
                let conn = Connection::open(stream, Arc::new(service), config);
                let conn = conn.expect("a connection");
                thread::spawn(move || conn.serve_all());
            }
        });
        RustServer { port }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

#[derive(Default)]
struct Counts {
    live: AtomicI64,
    ended: AtomicI64,
}

struct Thing(Arc<Counts>);

#[expose(module = "matrix")]
impl Thing {}

impl Drop for Thing {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Manager {
    left_with: Mutex<String>,
}

#[expose(module = "matrix")]
impl Manager {
    #[exposed]
    fn __enter__(&self) -> &'static str {
        *self.left_with.lock().expect("no panic") = "nothing".to_owned();
        "inside"
    }

    #[exposed]
    fn __exit__(&self, exc: Option<Any>, _value: Any, _traceback: Any) -> bool {
        if exc.is_some() {
            *self.left_with.lock().expect("no panic") = "an exception".to_owned();
        }
        false
    }

    #[exposed]
    fn outcome(&self) -> String {
        self.left_with.lock().expect("no panic").clone()
    }
}

#[derive(Serialize)]
struct Row {
    id: u64,
    name: String,
    ratio: f64,
}

struct MatrixService {
    kept: Mutex<Option<Any>>,
    counts: Arc<Counts>,
}

#[service(module = "matrix")]
impl MatrixService {
    #[exposed]
    fn echo(&self, thing: Any) -> Any {
        thing
    }

    #[exposed]
    fn add(&self, a: i64, #[default = 1] b: i64) -> i64 {
        a + b
    }

    #[exposed]
    fn call(
        &self,
        cx: &Context<'_>,
        function: Any,
        #[rest] args: Vec<Any>,
    ) -> Result<Any, Exception> {
        function.call_in(cx, Args::from(args))
    }

    #[exposed]
    fn keep(&self, function: Any) {
        *self.kept.lock().expect("no panic") = Some(function);
    }

    #[exposed]
    fn ring(&self, cx: &Context<'_>) -> Result<Any, Exception> {
        let kept = self.kept.lock().expect("no panic").clone();
        let kept = kept.ok_or_else(|| Exception::value_error("nothing is kept"))?;
        kept.call_in(cx, Args::new())
    }

    #[exposed]
    fn forget(&self) {
        drop(self.kept.lock().expect("no panic").take());
    }

    #[exposed]
    fn fail(&self, message: String) -> Result<(), Exception> {
        Err(Exception::value_error(message).with_arg(42))
    }

    #[exposed]
    fn numbers(&self, count: i64) -> Result<List, Exception> {
        List::of(0..count)
    }

    #[exposed]
    fn thing(&self) -> Exposed<Thing> {
        self.counts.live.fetch_add(1, Ordering::SeqCst);
        Exposed::new(Thing(self.counts.clone()))
    }

    #[exposed]
    fn live(&self) -> i64 {
        self.counts.live.load(Ordering::SeqCst)
    }

    #[exposed]
    fn manager(&self) -> Exposed<Manager> {
        Exposed::new(Manager::default())
    }

    #[exposed]
    fn table(&self, rows: u64) -> Any {
        let row = |id: u64| Row {
            id,
            name: format!("row {id}"),
            ratio: id as f64 / 2.0,
        };
        Any::object(ByValue((0..rows).map(row).collect::<Vec<_>>()))
    }

    #[exposed]
    fn ended(&self) -> i64 {
        self.counts.ended.load(Ordering::SeqCst)
    }

    #[on_disconnect]
    fn count_the_end(&self, _: &Connection) {
        self.counts.ended.fetch_add(1, Ordering::SeqCst);
    }
}
