//! A service over TCP, and a client of it.
//!
//!     cargo run --example echo -- serve 127.0.0.1:18861
//!     cargo run --example echo -- call 127.0.0.1:18861
//!
//! A Python client does as well: `rpyc.connect("127.0.0.1", 18861).root.echo("hello")`.
//! Without arguments it is both, in one process.
#![allow(clippy::print_stdout)]

use std::net::{TcpListener, TcpStream};
use std::{env, error, io, thread};

use rpyc_core::{Config, Connection, args, connect, service};

struct EchoService;

/// Says what it is told.
#[service]
impl EchoService {
    /// The text, back again, `times` over.
    #[exposed]
    fn echo(&self, text: String, #[default = 1] times: usize) -> String {
        text.repeat(times)
    }
}

fn serve_one(stream: TcpStream) -> Result<(), rpyc_core::Error> {
    let connection = Connection::open(stream, EchoService, Config::default())?;
    println!("{} is here", connection.peer_label());
    let reason = connection.serve_all();
    println!("{} has gone: {reason}", connection.peer_label());
    Ok(())
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        thread::spawn(move || serve_one(stream));
    }
    Ok(())
}

fn call(address: &str) -> Result<(), rpyc_core::Error> {
    let connection = connect(address)?;
    let root = connection.root()?;
    let echo = root.call_method("echo", args!["hello ", times = 3])?;
    println!("the echo of {address}: {}", echo.extract::<String>()?);
    connection.close()
}

pub(crate) fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "serve", address] => serve(&TcpListener::bind(address)?)?,
        [_, "call", address] => call(address)?,
        _ => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?.to_string();
            thread::spawn(move || serve(&listener));
            call(&address)?;
        }
    }
    Ok(())
}
