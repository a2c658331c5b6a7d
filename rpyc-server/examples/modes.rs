//! One small service, served in the mode that is asked for:
//!
//! ```sh
//! modes threaded     # or: pool, process, oneshot
//! modes stdio        # started by a client, who speaks over stdin and stdout
//! ```
//!
//! Where it listens, it says so: `listening on 127.0.0.1:40213`. It stops when its standard
//! input ends.

use std::error::Error;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use rpyc_core::{Context, Exception, Netref, service};
use rpyc_server::{Builder, ChildCommand, InheritedClient, Mode, Server};

struct DemoService;

#[service(module = "demo")]
impl DemoService {
    #[exposed]
    fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    /// Calls a function of the client's.
    #[exposed]
    fn call(&self, callback: Netref, argument: i64) -> Result<i64, Exception> {
        let answer = callback.call(rpyc_core::args![argument]);
        let answer = answer.map_err(rpyc_core::Error::into_exception)?;
        Ok(answer.extract::<i64>()?)
    }

    #[exposed]
    fn fail(&self) -> Result<(), Exception> {
        Err(Exception::value_error("as was asked for"))
    }

    #[exposed]
    fn echo(&self, text: String) -> String {
        text
    }

    #[exposed]
    fn process_id(&self) -> u32 {
        std::process::id()
    }

    /// Who calls, as the operating system says.
    #[exposed]
    fn caller(&self, cx: &Context<'_>) -> String {
        let address = cx.connection().peer().address;
        address.map_or_else(String::new, |address| address.to_string())
    }

    #[exposed]
    fn nap(&self, seconds: f64) {
        thread::sleep(Duration::from_secs_f64(seconds)); // that is what it does
    }

    /// Prints, as code does that doesn't know over what its process is served.
    #[exposed]
    fn print(&self, text: String) -> Result<(), Exception> {
        let mut out = io::stdout();
        let printed = writeln!(out, "{text}").and_then(|()| out.flush());
        printed.map_err(Exception::from)
    }

    /// Takes the whole process down.
    #[exposed]
    fn abort(&self) {
        std::process::abort();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let builder = Server::builder(DemoService);
    match std::env::args().nth(1).as_deref() {
        Some("threaded") => listen(builder),
        Some("pool") => listen(builder.mode(Mode::Pool { workers: 4 })),
        Some("process") => {
            let command = ChildCommand::this_program()?.arg("child");
            listen(builder.mode(Mode::Process(command)))
        }
        Some("child") => Ok(builder.serve_client(InheritedClient::take()?)?.run()?),
        Some("oneshot") => listen(builder.mode(Mode::OneShot)),
        Some("stdio") => Ok(builder.serve_stdio()?.run()?),
        _ => Err("which mode? threaded, pool, process, oneshot or stdio".into()),
    }
}

fn listen(builder: Builder) -> Result<(), Box<dyn Error>> {
    let server = builder
        .max_clients(20_000)
        .grace(Duration::from_secs(5))
        .listen("127.0.0.1:0")?;
    let stopper = server.stopper();
    writeln!(io::stdout(), "listening on {}", server.addresses()[0])?;
    thread::spawn(move || {
        // Whatever comes, its end or its failure is the order to stop.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        stopper.stop();
    });
    Ok(server.run()?)
}
