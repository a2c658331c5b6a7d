//! Work for whichever of several servers is there: one of them ends in the middle of it.
//!
//! With a registry, `ServicePool::start(&RegistryClient::udp("registry.example"), "squares")` follows the
//! servers that register there.
#![allow(clippy::print_stdout)]

use std::error;
use std::net::TcpListener;
use std::thread;

use rpyc_core::{Config, Connection, Result, args, service};
use rpyc_registry::{ServerAddress, ServicePool};

struct Squares {
    // It ends its client's connection after so many calls.
    endurance: u64,
}

#[service]
impl Squares {
    #[exposed]
    fn square(&self, number: i64) -> i64 {
        number * number
    }
}

/// Serves one client after the other; gives the address.
fn serve(endurance: u64) -> std::io::Result<ServerAddress> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = move || -> Result<()> {
        for stream in listener.incoming().flatten() {
            let squares = Squares { endurance };
            let endurance = squares.endurance;
            let conn = Connection::open(stream, squares, Config::new())?;
            while conn.requests_served() < endurance && !conn.is_closed() {
                conn.serve(None)?;
            }
            conn.shut_down(std::time::Duration::ZERO);
        }
        Ok(())
    };
    thread::spawn(serving);
    Ok(ServerAddress::new(address.ip().to_string(), address.port()))
}

pub(crate) fn main() -> std::result::Result<(), Box<dyn error::Error>> {
    let servers = [serve(10)?, serve(u64::MAX)?];
    let pool = ServicePool::builder().start_on(servers, "squares")?;
    thread::scope(|scope| {
        let work = |first: i64| {
            let pool = pool.clone();
            scope.spawn(move || -> Result<i64> {
                let mut sum = 0;
                for number in first..first + 25 {
                    // A square is the same however often it is asked for.
                    let square = pool.retryable().call("square", args![number])?;
                    sum += square.extract::<i64>()?;
                }
                Ok(sum)
            })
        };
        let workers = [0, 25, 50, 75].map(work);
        let mut sum = 0;
        for worker in workers {
            sum += worker.join().map_err(|_| "a worker panicked")??;
        }
        println!("the sum of the first hundred squares is {sum}");
        for server in pool.status().servers {
            println!("{}: connected: {}", server.address, server.is_connected);
        }
        Ok(())
    })
}
