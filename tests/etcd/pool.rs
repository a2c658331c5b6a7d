//! A pool of the servers that etcd names.

use std::net::TcpListener;
use std::thread;

use rpyc_core::{Config, Connection, args, service};
use rpyc_registry::ServicePool;
use rpyc_registry::service_pool::PoolStatus;
use rpyc_tests::etcd::{Cluster, eventually};
use rpyc_tests::registry::register;

use crate::library::directory;

struct Squares;

#[service]
impl Squares {
    #[exposed]
    fn square(&self, number: i64) -> i64 {
        number * number
    }
}

/// A server of this process; gives its port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = Connection::open(stream, Squares, Config::new()).unwrap();
            thread::spawn(move || connection.serve_all());
        }
    });
    port
}

fn wait_until(pool: &ServicePool, what: &str, is_so: impl Fn(&PoolStatus) -> bool) {
    eventually(what, || is_so(&pool.status()).then_some(()));
}

fn connected(servers: usize) -> impl Fn(&PoolStatus) -> bool {
    move |status| {
        let connected = status.servers.iter().filter(|server| server.is_connected);
        connected.count() == servers
    }
}

#[test]
fn a_pool_follows_the_servers_and_goes_on_while_etcd_is_away() {
    let mut cluster = Cluster::start(1);
    let directory = directory(&cluster);
    register(&directory, "squares", serve());
    let pool = ServicePool::start(&directory, "squares").unwrap();
    wait_until(&pool, "a server", connected(1));
    register(&directory, "squares", serve());
    wait_until(&pool, "another server", connected(2));
    cluster.kill(0);
    wait_until(&pool, "etcd is missed", |status| {
        status.directory_error.is_some()
    });
    for number in 0..4 {
        let square = pool.call("square", args![number]).unwrap();
        assert_eq!(square.extract::<i64>().unwrap(), number * number);
    }
    assert!(connected(2)(&pool.status()), "{:?}", pool.status());
    cluster.restart(0);
    wait_until(&pool, "etcd is back", |status| {
        status.directory_error.is_none()
    });
}
