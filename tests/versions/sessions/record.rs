//! Recording: a proxy between a live client and a live server.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rpyc_core::wire::Dialect;
use rpyc_tests::versions::{Peer, VERSIONS, old_pythons};

use super::said::{Frame, Sender};
use super::{PYTHON_AND_PYTHON, PYTHON_AND_RUST, RUST_AND_PYTHON, connect, conversation, folder};

/// Records everything anew.
pub(super) fn all() {
    let mut peers: Vec<(String, Peer)> = VERSIONS
        .iter()
        .map(|(version, _)| ((*version).to_owned(), Peer::new(version)))
        .collect();
    for (name, python) in old_pythons() {
        if name == "2.7" {
            for version in ["3.4.4", "4.0.2", "4.1.5"] {
                peers.push((format!("{version}-on-2.7"), Peer::on(version, &python)));
            }
        }
    }
    let ours = [
        ("classic", super::super::CLASSIC.address().port()),
        ("service", *super::super::SERVICE),
    ];
    for (name, peer) in &peers {
        for (kind, our_port) in ours {
            let program = format!("session_of_{kind}.py");
            let server = peer.server(kind);
            for (sides, port) in [
                (PYTHON_AND_PYTHON, server.port()),
                (PYTHON_AND_RUST, our_port),
            ] {
                let proxy = Proxy::to(port);
                let outcome = peer.client(&program, proxy.port);
                outcome.unwrap_or_else(|reason| panic!("{sides} {name}: {reason}"));
                proxy.write(&format!("{sides}-{kind}-{name}"));
            }
            let proxy = Proxy::to(server.port());
            let dialect = if peer.version.starts_with(['6', '7']) {
                Dialect::CURRENT
            } else {
                Dialect::LEGACY
            };
            let file = format!("{RUST_AND_PYTHON}-{kind}-{name}");
            let outcome = conversation::with(&file, connect(proxy.port), dialect);
            outcome.unwrap_or_else(|error| panic!("{file}: {error}"));
            proxy.write(&file);
        }
    }
}

struct Proxy {
    port: u16,
    running: JoinHandle<Vec<Frame>>,
}

impl Proxy {
    /// A proxy for one connection.
    fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|e| panic!("bind: {e}"));
        let address = listener.local_addr().unwrap_or_else(|e| panic!("{e}"));
        let running = thread::spawn(move || {
            let (client, _) = listener.accept().unwrap_or_else(|e| panic!("{e}"));
            let server = connect(port);
            let frames = Arc::default();
            let back = {
                let (frames, from, to) = (Arc::clone(&frames), clone(&server), clone(&client));
                thread::spawn(move || pump(Sender::Server, from, to, &frames))
            };
            pump(Sender::Client, client, server, &frames);
            let _ = back.join();
            let mut frames = frames.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *frames)
        });
        Proxy {
            port: address.port(),
            running,
        }
    }

    /// Writes what was recorded, once both sides have ended.
    fn write(self, name: &str) {
        let frames = self.running.join().unwrap_or_else(|_| panic!("{name}"));
        let mut text = String::new();
        for frame in frames {
            let _ = writeln!(text, "{}", frame.without_folders());
        }
        let path = folder().join(format!("{name}.txt"));
        fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

/// Takes each frame down before it is passed on: what answers it comes behind it.
fn pump(sender: Sender, mut from: TcpStream, mut to: TcpStream, frames: &Mutex<Vec<Frame>>) {
    let _ = to.set_nodelay(true);
    loop {
        let mut bytes = vec![0; 5];
        if from.read_exact(&mut bytes).is_err() {
            break;
        }
        let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        bytes.resize(5 + length as usize + 1, 0);
        if from.read_exact(&mut bytes[5..]).is_err() {
            break;
        }
        let frame = Frame {
            sender,
            bytes: bytes.clone(),
        };
        frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(frame);
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().unwrap_or_else(|e| panic!("{e}"))
}
