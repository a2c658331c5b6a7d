//! Any messages of any dialect into a connection that serves a few objects, or that has asked for some: it ends
//! when the stream does, frees everything, and tells its service once.
#![no_main]

mod dialects;

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rpyc_core::transport::Stream;
use rpyc_core::wire::{Handler, Str};
use rpyc_core::object::{IdParts, MethodInfo, ObjectResult};
use rpyc_core::config::Nesting;
use rpyc_core::wire::Limits;
use rpyc_core::object::ObjectRef;
use rpyc_core::{Any, Args, Config, Connection, Context, Exception, Object, Service};

fuzz_target!(|data: &[u8]| {
    let [options, dialect, rest @ ..] = data else {
        return;
    };
    let options = *options;
    let mut config = Config::default();
    config.limits = Limits::default().max_frame(1 << 20).max_inflated(1 << 20);
    config.allow_all_attrs = options & 1 != 0;
    config.allow_setattr = options & 1 != 0;
    config.allow_pickle = options & 2 != 0;
    config.concurrency = if options & 4 != 0 { 4 } else { 1 };
    config.nesting = if options & 8 != 0 { Nesting::Stack } else { Nesting::Pool };
    config.dialect = dialects::dialect(*dialect);
    config.max_objects = 100;
    config.max_nested = 20;
    config.sync_request_timeout = Some(Duration::from_millis(200));
    let service = Arc::new(Fuzzed::default());
    let script = Script(Mutex::new(stream(rest, options & 16 != 0).into()));
    let connection = Connection::open(script, service.clone(), config).expect("it isn't refused");
    if options & 32 != 0 {
        // A side that has spoken: what comes is read in its own dialect, and may be the answer.
        let root = connection.async_request(Handler::GetRoot, Vec::new());
        if let Ok(root) = root.and_then(|root| root.value()) {
            let _ = root.call_method("make", Args::from([Any::object(Thing(3))]));
        }
    }
    let _ = connection.serve_all();
    assert_eq!(connection.exported_objects(), 0);
    assert_eq!(service.ended.load(Ordering::SeqCst), 1);
});

/// The bytes as they are, or cut into frames: two bytes of length before each payload.
fn stream(mut bytes: &[u8], raw: bool) -> Vec<u8> {
    if raw {
        return bytes.to_vec();
    }
    let mut stream = Vec::new();
    while let [high, low, rest @ ..] = bytes {
        let length = rest.len().min(usize::from(u16::from_be_bytes([*high, *low])));
        let (payload, rest) = rest.split_at(length);
        stream.extend([0, 0]);
        stream.extend(u16::try_from(length).expect("of two bytes").to_be_bytes());
        stream.push(0);
        stream.extend(payload);
        stream.push(b'\n');
        bytes = rest;
    }
    stream
}

/// A stream that says what it was given, then ends; what is written to it is gone.
struct Script(Mutex<std::collections::VecDeque<u8>>);

impl Stream for Script {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        io::Read::read(&mut *rest, buffer)
    }
    fn read_ready(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
    fn shutdown(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[derive(Default)]
struct Fuzzed {
    ended: AtomicUsize,
}

impl Service for Fuzzed {
    fn root(&self) -> ObjectRef {
        Arc::new(Thing(0))
    }
    fn on_disconnect(&self, _: &Connection) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// Calls what it is given, makes more of its kind, is an iterator and a context.
struct Thing(u8);

impl Object for Thing {
    fn id_parts(&self) -> IdParts {
        IdParts::instance("fuzz.Thing", self)
    }
    fn attr(&self, _: &Context<'_>, name: &str) -> ObjectResult {
        match name {
            "exposed_make" | "__iter__" => Ok(Any::object(Thing(self.0.wrapping_add(1)))),
            "exposed_number" => Ok(Any::from(i64::from(self.0))),
            name => Err(self.no_attribute(name)),
        }
    }
    fn set_attr(&self, _: &Context<'_>, _: &str, value: Any) -> ObjectResult<()> {
        drop(value);
        Ok(())
    }
    fn call(&self, cx: &Context<'_>, args: Args) -> ObjectResult {
        let Some(first) = args.positional.first() else {
            return Ok(Any::object(Thing(1)));
        };
        first.call_in(cx, Args::from(args.positional[1..].to_vec()))
    }
    fn next(&self, _: &Context<'_>) -> ObjectResult<Option<Any>> {
        Ok(Some(Any::object(Thing(2))))
    }
    fn methods(&self, _: &Context<'_>) -> ObjectResult<Arc<[MethodInfo]>> {
        Ok(Arc::new([(Str::from_static("__call__"), None)]))
    }
    fn repr(&self, cx: &Context<'_>) -> ObjectResult<Str> {
        // A handler that asks the peer before it answers.
        match cx.connection().root() {
            Ok(root) => Ok(Str::from(format!("{root:?}"))),
            Err(error) => Err(Exception::from(error)),
        }
    }
}
