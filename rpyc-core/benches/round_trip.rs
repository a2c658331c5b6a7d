//! A whole call, through both sides of a connection in one process.
//!
//! Threads of one process share cores with one another: for figures that mean something see
//! `cargo bench-peers`.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use criterion::{Criterion, criterion_group, criterion_main};
use rpyc_core::{Config, Connection, VoidService};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn in_memory() -> Outcome<(Connection, Connection)> {
    Ok(Connection::pair(
        Arc::new(VoidService),
        Config::default(),
        Arc::new(VoidService),
        Config::default(),
    )?)
}

fn over_tcp() -> Outcome<(Connection, Connection)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    let (there, _) = listener.accept()?;
    here.set_nodelay(true)?;
    there.set_nodelay(true)?;
    Ok((
        Connection::open(here, Arc::new(VoidService), Config::default())?,
        Connection::open(there, Arc::new(VoidService), Config::default())?,
    ))
}

fn ping(c: &mut Criterion) {
    for (name, pair) in [("in memory", in_memory()), ("over TCP", over_tcp())] {
        let (here, there) = match pair {
            Ok(pair) => pair,
            Err(error) => panic!("no connection {name}: {error}"),
        };
        let server = thread::spawn(move || there.serve_all());
        c.bench_function(&format!("round trip/ping {name}"), |b| {
            b.iter(|| here.ping())
        });
        drop(here);
        assert!(server.join().is_ok_and(|reason| reason.is_normal()));
    }
}

criterion_group!(benches, ping);
criterion_main!(benches);
