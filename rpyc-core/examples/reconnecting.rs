//! A client that outlives its server: it connects again when the connection is lost.
#![allow(clippy::print_stdout)]

use std::error;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rpyc_core::{Any, Config, Connection, Result, args, connect, service};

/// The connection that there is; a new one where there is none any more.
struct Reconnecting {
    address: SocketAddr,
    connection: Mutex<Option<Connection>>,
}

impl Reconnecting {
    /// Does something with the root object, again where the connection was lost meanwhile: so it is
    /// for what may happen twice.
    fn with_root<T>(&self, work: impl Fn(&Any) -> Result<T>) -> Result<T> {
        let mut pause = Duration::from_millis(10);
        loop {
            let outcome = self.connection().and_then(|conn| work(&conn.root()?));
            match outcome {
                Err(error) if error.is_closed() && pause < Duration::from_secs(1) => {
                    println!("again, because {error}");
                    thread::sleep(pause); // the server may be starting: it is given time
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    fn connection(&self) -> Result<Connection> {
        let mut kept = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(conn) if !conn.is_closed() => Ok(conn.clone()),
            _ => Ok(kept.insert(connect(self.address)?).clone()),
        }
    }
}

struct Clock;

#[service]
impl Clock {
    #[exposed]
    fn tick(&self, number: u32) -> u32 {
        number + 1
    }
}

/// A server that restarts after each client.
fn serve(listener: &TcpListener) -> Result<()> {
    for stream in listener.incoming().flatten() {
        let conn = Connection::open(stream, Clock, Config::new())?;
        while conn.requests_served() < 3 && !conn.is_closed() {
            conn.serve(Some(Duration::from_secs(5)))?;
        }
        conn.shut_down(Duration::from_secs(1));
    }
    Ok(())
}

pub(crate) fn main() -> std::result::Result<(), Box<dyn error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = Reconnecting {
        address: listener.local_addr()?,
        connection: Mutex::new(None),
    };
    thread::spawn(move || serve(&listener));
    for number in 0..5 {
        let next: u32 =
            client.with_root(|root| root.call_method("tick", args![number])?.extract())?;
        println!("after {number} comes {next}");
    }
    Ok(())
}
