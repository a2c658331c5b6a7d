//! A process for each client: who gets one.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use rpyc_server::{ChildCommand, Mode};

use crate::bench::{DEADLINE, Folder, demo};

#[test]
fn a_client_that_has_gone_again_gets_no_process() {
    let folder = Folder::new();
    let started = folder.path("started");
    let note = format!("echo >> '{}'", started.display());
    let child = ChildCommand::new("sh").arg("-c").arg(note);
    let (builder, _watch) = demo();
    let builder = builder.mode(Mode::Process(child));
    let server = builder.listen("127.0.0.1:0").unwrap();
    let connect = || {
        let mut stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        stream.write_all(b"x").unwrap();
        stream
    };
    // They wait in the system's queue.
    for _ in 0..10 {
        drop(connect());
    }
    let mut stays = connect();
    let server = server.start().unwrap();
    stays.set_read_timeout(Some(DEADLINE)).unwrap();
    // What it has sent was never read.
    let end = stays.read(&mut [0]).map_err(|error| error.kind());
    assert!(
        matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
        "{end:?}"
    );
    server.stop();
    assert_eq!(fs::read_to_string(started).unwrap().lines().count(), 1);
}
