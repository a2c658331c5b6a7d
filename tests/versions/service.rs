//! The service that clients of every version use, in Rust.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rpyc_core::object::{Dict, List};
use rpyc_core::{
    Any, Args, Config, Connection, Context, Exception, Exposed, Service, args, expose, service,
};

#[derive(Default)]
pub(crate) struct ShopService;

/// Sells things to programs of any age.
#[service(module = "shop")]
impl ShopService {
    #[exposed]
    fn add(&self, a: i64, #[default = 10] b: i64) -> i64 {
        a + b
    }

    #[exposed]
    fn echo(&self, value: Any) -> Any {
        value
    }

    #[exposed]
    fn apply(&self, cx: &Context<'_>, function: Any, value: Any) -> Result<Any, Exception> {
        function.call_in(cx, Args::from([value]))
    }

    #[exposed]
    fn fail(&self, message: Any) -> Result<(), Exception> {
        match message {
            Any::Value(value) => Err(Exception::builtin("ValueError").with_arg(value)),
            _ => Ok(()),
        }
    }

    #[exposed]
    fn numbers(&self) -> Result<List, Exception> {
        List::of([1, 2, 3])
    }

    #[exposed]
    fn prices(&self) -> Result<Dict, Exception> {
        let prices = Dict::new();
        prices.insert("apple", 3)?;
        Ok(prices)
    }

    #[exposed]
    fn ask(&self, cx: &Context<'_>) -> Result<Any, Exception> {
        Ok(cx.connection().root()?.call_method("double", args![21])?)
    }

    #[exposed]
    fn context(&self) -> Inside {
        Inside(AtomicBool::new(false))
    }

    #[exposed]
    fn made(&self) -> Made {
        Made
    }

    #[exposed]
    fn is_made(&self, value: Any) -> bool {
        matches!(value, Any::Local(object) if &*object.id_parts().name == "shop.Made")
    }
}

pub(crate) struct Inside(AtomicBool);

#[expose(module = "shop")]
impl Inside {
    #[exposed]
    fn __enter__(this: &Exposed<Self>) -> Exposed<Self> {
        this.0.store(true, Ordering::Relaxed);
        this.clone()
    }

    #[exposed]
    fn __exit__(&self, exc: Option<Exception>) -> bool {
        let _ = exc;
        self.0.store(false, Ordering::Relaxed);
        false
    }

    #[exposed]
    fn inside(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Made;

#[expose(module = "shop")]
impl Made {}

/// Serves it on a port of its own, until the process ends.
pub(crate) fn serve() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("bind: {e}"));
    let address = listener.local_addr().unwrap_or_else(|e| panic!("{e}"));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let service: Arc<dyn Service> = Arc::new(Exposed::new(ShopService));
                if let Ok(connection) = Connection::open(stream, service, Config::default()) {
                    connection.serve_all();
                }
            });
        }
    });
    address.port()
}
