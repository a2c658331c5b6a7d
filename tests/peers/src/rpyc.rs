//! This project as both ends: a service in Rust, and a client that calls by netref.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use rpyc_core::config::Nesting;
use rpyc_core::object::ObjectRef;
use rpyc_core::object::{IdParts, MethodInfo, ObjectResult, callback};
use rpyc_core::wire::Handler;
use rpyc_core::wire::Str;
use rpyc_core::{
    Any, Args, Config, Connection, Context, Exception, Netref, Object, Service, Value, VoidService,
    args,
};

use crate::timing;
use crate::{Failure, say};

/// Serves each client on a thread of its own.
pub(crate) fn serve(nesting: Nesting) -> Result<(), Failure> {
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
            if let Ok(connection) = open(stream, service, nesting) {
                connection.serve_all();
            }
        });
    }
    Ok(())
}

/// The config has left the stack before the connection is served.
#[inline(never)]
fn open(
    stream: TcpStream,
    service: Arc<dyn Service>,
    nesting: Nesting,
) -> Result<Connection, rpyc_core::Error> {
    Connection::open(stream, service, config(nesting))
}

/// The defaults, but for bounds that are to be reached, and where nested calls run.
fn config(nesting: Nesting) -> Config {
    let mut config = Config::default();
    config.max_objects = 2_000_000;
    config.max_pending = 200_000;
    config.nesting = nesting;
    config
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

    fn call_method(&self, cx: &Context<'_>, name: &str, args: Args) -> ObjectResult {
        let operation = Operation::named(name).ok_or_else(|| self.no_attribute(name))?;
        operation.run(cx, &args)
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Null,
    Fresh,
    Put,
    Many,
    Nest,
}

impl Operation {
    fn named(name: &str) -> Option<Operation> {
        match name {
            "exposed_null" => Some(Operation::Null),
            "exposed_fresh" => Some(Operation::Fresh),
            "exposed_put" => Some(Operation::Put),
            "exposed_many" => Some(Operation::Many),
            "exposed_nest" => Some(Operation::Nest),
            _ => None,
        }
    }

    fn run(self, cx: &Context<'_>, args: &Args) -> ObjectResult {
        match (self, args.positional.as_slice()) {
            (Operation::Null, _) => Ok(Any::NONE),
            (Operation::Fresh, _) => Ok(Any::object(Fresh(0))),
            (Operation::Put, [Any::Value(Value::Bytes(data))]) => Ok(Any::from(data.len() as i64)),
            (Operation::Many, [count]) => {
                let fresh = (0..count.clone().extract::<usize>()?).map(|_| Any::object(Fresh(0)));
                Ok(Any::tuple(fresh))
            }
            (Operation::Nest, [back, depth]) => match depth.clone().extract::<usize>()? {
                0 => Ok(Any::NONE),
                depth => back.call_in(cx, args![back.clone(), depth - 1]),
            },
            _ => Err(Exception::type_error("the arguments are others")),
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

    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        self.0.run(cx, &args)
    }
}

/// A new object for every call; not of size 0, so that each has an address of its own.
struct Fresh(#[allow(dead_code)] u8); // its address is all that matters

impl Object for Fresh {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("rpyc_bench_peers.Fresh", self)
    }

    fn call(&self, _: &Context<'_>, _: Args) -> ObjectResult {
        Ok(Any::NONE)
    }
}

pub(crate) struct Caller {
    connection: Connection,
    root: Netref,
    taken: Vec<Netref>,
    back: Any,
}

impl Caller {
    pub(crate) fn connect(port: u16, nesting: Nesting) -> Result<Caller, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let connection = open(stream, Arc::new(VoidService), nesting)?;
        let Any::Netref(root) = connection.root()? else {
            return Err("the root is no netref".into());
        };
        let called_back = {
            let root = root.clone();
            move |back: Any, depth: usize| match depth {
                0 => Ok(Any::NONE),
                depth => root.call_method("nest", args![back, depth - 1]),
            }
        };
        Ok(Caller {
            connection,
            back: Any::object(callback(called_back)),
            root,
            taken: Vec::new(),
        })
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

    fn take(&mut self, count: usize) -> Result<(), Failure> {
        while self.taken.len() < count {
            let some = (count - self.taken.len()).min(10_000);
            let Any::Tuple(fresh) = self.root.call_method("many", args![some])? else {
                return Err("the new objects are no tuple".into());
            };
            self.taken
                .extend(fresh.into_iter().filter_map(|one| match one {
                    Any::Netref(netref) => Some(netref),
                    _ => None,
                }));
        }
        Ok(())
    }

    fn call_taken(&mut self, index: usize) -> Result<(), Failure> {
        self.taken[index].call(Args::new())?;
        Ok(())
    }

    fn nest(&mut self, depth: usize) -> Result<(), Failure> {
        self.root
            .call_method("nest", args![self.back.clone(), depth - 1])?;
        Ok(())
    }
}
