//! This project as both ends: a service in Rust, and a client that calls by netref.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use rpyc_core::object::ObjectRef;
use rpyc_core::object::{IdParts, MethodInfo, ObjectResult};
use rpyc_core::wire::Handler;
use rpyc_core::wire::Str;
use rpyc_core::{
    Any, Args, Config, Connection, Context, Exception, Netref, Object, Service, Value, VoidService,
};

use crate::timing;
use crate::{Failure, say};

/// Serves each client on a thread of its own.
pub(crate) fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    say(&format!("READY {}", listener.local_addr()?.port()))?;
    let service: Arc<dyn Service> = Arc::new(BenchService {
        root: Arc::new(Root(())),
    });
    for stream in listener.incoming() {
        let (stream, service) = (stream?, service.clone());
        stream.set_nodelay(true)?;
        thread::spawn(move || {
            // A client that goes away ends its session, and nothing else.
            if let Ok(connection) = Connection::open(stream, service, Config::default()) {
                connection.serve_all();
            }
        });
    }
    Ok(())
}

struct BenchService {
    root: ObjectRef,
}

impl Service for BenchService {
    fn root(&self) -> ObjectRef {
        self.root.clone()
    }
}

struct Root(());

impl Object for Root {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc_bench_peers.Bench", self)
    }

    fn has_attr(&self, _: &Context<'_>, name: &str) -> bool {
        Operation::named(name).is_some()
    }

    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        let operation = Operation::named(name).ok_or_else(|| self.no_attribute(name))?;
        Ok(Any::object(BoundMethod(operation)))
    }

    fn call_method(&self, _: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let operation = Operation::named(name).ok_or_else(|| self.no_attribute(name))?;
        operation.run(args)
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Null,
    Fresh,
    Put,
}

impl Operation {
    fn named(name: &str) -> Option<Operation> {
        match name {
            "exposed_null" => Some(Operation::Null),
            "exposed_fresh" => Some(Operation::Fresh),
            "exposed_put" => Some(Operation::Put),
            _ => None,
        }
    }

    fn run(self, args: Args) -> ObjectResult {
        match self {
            Operation::Null => Ok(Any::NONE),
            Operation::Fresh => Ok(Any::object(Fresh(0))),
            Operation::Put => match args.positional.as_slice() {
                [Any::Value(Value::Bytes(data))] => Ok(Any::from(data.len() as i64)),
                _ => Err(Exception::type_error("put() takes bytes")),
            },
        }
    }
}

/// What a Python client gets for `root.null`.
struct BoundMethod(Operation);

impl Object for BoundMethod {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("builtins.method", self)
    }

    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([(Str::from_static("__call__"), None)]))
    }

    fn call(&self, _: &Context<'_>, args: Args) -> ObjectResult {
        self.0.run(args)
    }
}

/// A new object for every call; not of size 0, so that each has an address of its own.
struct Fresh(#[allow(dead_code)] u8); // its address is all that matters

impl Object for Fresh {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc_bench_peers.Fresh", self)
    }
}

pub(crate) struct Caller {
    connection: Connection,
    root: Netref,
}

impl Caller {
    pub(crate) fn connect(port: u16) -> Result<Caller, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let connection = Connection::open(stream, Arc::new(VoidService), Config::default())?;
        let Any::Netref(root) = connection.root()? else {
            return Err("the root is no netref".into());
        };
        Ok(Caller { connection, root })
    }
}

impl timing::Caller for Caller {
    fn null(&mut self) -> Result<(), Failure> {
        self.root.call_method("null", Args::new())?;
        Ok(())
    }

    fn fresh(&mut self) -> Result<(), Failure> {
        match self.root.call_method("fresh", Args::new())? {
            Any::Netref(_) => Ok(()),
            _ => Err("the new object is no netref".into()),
        }
    }

    fn pipe(&mut self, calls: usize, window: usize) -> Result<(), Failure> {
        let args = || {
            let nothing = || Any::Value(Value::Tuple(Vec::new()));
            let root = Any::Netref(self.root.clone());
            vec![root, Any::from("null"), nothing(), nothing()]
        };
        let mut unanswered = VecDeque::with_capacity(window);
        for _ in 0..calls {
            if unanswered.len() >= window
                && let Some(oldest) = unanswered.pop_front()
            {
                rpyc_core::AsyncResult::value(&oldest)?;
            }
            let sent = self.connection.async_request(Handler::CallAttr, args())?;
            unanswered.push_back(sent);
        }
        for result in unanswered {
            result.value()?;
        }
        Ok(())
    }

    fn put(&mut self, data: &Bytes) -> Result<(), Failure> {
        let data = Any::Value(Value::Bytes(data.clone()));
        self.root.call_method("put", Args::new().arg(data))?;
        Ok(())
    }
}
