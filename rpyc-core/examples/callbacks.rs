//! A client hands functions to the service, which calls them: at once, and later.
#![allow(clippy::print_stdout)]

use std::error;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use rpyc_core::object::Function;
use rpyc_core::{
    Any, Args, Config, Context, Exception, Exposed, Value, args, connect_thread, service,
};

#[derive(Default)]
struct FeedService {
    listeners: Mutex<Vec<Any>>,
}

#[service]
impl FeedService {
    /// Calls `function` with each of the numbers, and gives the results.
    #[exposed]
    fn map(
        &self,
        cx: &Context<'_>,
        function: Any,
        numbers: Vec<i64>,
    ) -> Result<Vec<Any>, Exception> {
        let call = |number| function.call(cx, args![number]);
        numbers.into_iter().map(call).collect()
    }

    /// Has `listener` called with all news from now on.
    #[exposed]
    fn subscribe(&self, listener: Any) {
        if let Ok(mut listeners) = self.listeners.lock() {
            listeners.push(listener);
        }
    }

    /// Tells all listeners, a little later.
    #[exposed]
    fn publish(&self, news: String) {
        let listeners = match self.listeners.lock() {
            Ok(all) => all.clone(),
            Err(_) => return,
        };
        thread::spawn(move || {
            for listener in listeners {
                // A listener that has gone is none any more.
                let told = listener
                    .netref()
                    .map(|listener| listener.call(args![&*news]));
                drop(told);
            }
        });
    }
}

fn square(args: &Args) -> Result<Any, Exception> {
    let number = args.positional.first().and_then(Any::as_value);
    let number = number.and_then(Value::as_i64);
    let number = number.ok_or_else(|| Exception::type_error("a number, please"))?;
    Ok(Any::from(number * number))
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    let service = Arc::new(Exposed::new(FeedService::default()));
    let connection = connect_thread(service, Config::default())?;
    let root = connection.root()?;

    let squares = Any::object(Function::new("square", |_, args| square(&args)));
    let squares = root.call_method("map", args![squares, (1, 2, 3)])?;
    println!("squares: {:?}", squares.extract::<Vec<i64>>()?);

    // News may come at any time: somebody has to listen while this thread does something else.
    let background = connection.serve_in_background()?;
    let (tell, told) = channel();
    let listener = Any::object(Function::new("listener", move |_, args| {
        let _ = tell.send(args.positional);
        Ok(Any::NONE)
    }));
    root.call_method("subscribe", args![listener])?;
    root.call_method("publish", args!["it is raining"])?;
    println!("news: {:?}", told.recv()?);
    background.stop();
    connection.close()?;
    Ok(())
}
