//! A client hands functions to the service, which calls them: at once, and later.
#![allow(clippy::print_stdout)]

use std::error;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use rpyc_core::object::callback;
use rpyc_core::{Any, Config, Connector, Context, Exception, args, service};

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
        let call = |number| function.call_in(cx, args![number]);
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
                let _ = listener.call(args![&*news]);
            }
        });
    }
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    let connection = Connector::new().connect_thread(FeedService::default(), Config::default())?;
    let root = connection.root()?;

    let squares = root.call_method("map", args![|number: i64| number * number, (1, 2, 3)])?;
    println!("squares: {:?}", squares.extract::<Vec<i64>>()?);

    // News may come at any time: somebody has to listen while this thread does something else.
    let background = connection.serve_in_background()?;
    let (tell, told) = channel();
    let listener = move |news: String| tell.send(news).is_ok();
    root.call_method("subscribe", args![callback(listener)])?;
    root.call_method("publish", args!["it is raining"])?;
    println!("news: {:?}", told.recv()?);
    background.stop();
    connection.close()?;
    Ok(())
}
