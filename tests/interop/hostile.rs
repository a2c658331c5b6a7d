//! Bytes that no client sends close the connection they came from: it alone, at once, with one
//! line in the log.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rpyc_tests::server::{is_warning, names_peer};
use rpyc_tests::{Server, better_than_stock};

/// Far below every patience that a server could have with a peer that says nothing more.
const AT_ONCE: Duration = Duration::from_secs(20);

/// The request PING("x") with sequence number 0, as Python's rpyc 6 writes it.
const PING: &[u8] = b"\0\0\0\x0b\0\x01\x11\x50\x11\x51\x11\x51\x10\x08\x0ax\n";

/// The reply to [`PING`], less its header and its newline.
const PONG: &[u8] = b"\x02\x11\x50\x11\x51\x08\x0ax";

/// A frame around a payload, uncompressed.
fn frame(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_else(|_| panic!("a payload of a test"));
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.push(0);
    bytes.extend_from_slice(payload);
    bytes.push(b'\n');
    bytes
}

/// Asks for an echo and fails unless it comes.
#[track_caller]
fn ping(socket: &mut TcpStream) {
    let reply = socket.write_all(PING).and_then(|()| read_frame(socket));
    match reply {
        Ok(payload) => assert_eq!(payload, PONG),
        Err(e) => panic!("no reply to a ping: {e}"),
    }
}

fn read_frame(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut header = [0; 5];
    socket.read_exact(&mut header)?;
    let [a, b, c, d, _] = header;
    let length = u64::from(u32::from_be_bytes([a, b, c, d]));
    let mut payload = Vec::new();
    socket.take(length).read_to_end(&mut payload)?;
    socket.read_exact(&mut [0])?;
    Ok(payload)
}

/// Waits until the server has closed the connection and says how long that took.
#[track_caller]
fn wait_until_closed(socket: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        // What the server had not read when it closed makes its system send a reset.
        Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {}
        Err(e) => panic!("the server did not close the connection: {e}"),
    }
    start.elapsed()
}

/// What a peer does after its bytes.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Waits,
    SendsNoMore,
}

const WAITS: Then = Then::Waits;
const LEAVES: Then = Then::SendsNoMore;

/// The log names the peer in one warning, and in no more than its start and its end.
#[track_caller]
fn logged_once(server: &Server, peer: SocketAddr) {
    let of_peer = server.wait_for_log("a warning about the peer", |lines| {
        let of_peer = lines.iter().filter(|line| names_peer(line, peer));
        let of_peer: Vec<String> = of_peer.cloned().collect();
        of_peer
            .iter()
            .any(|line| is_warning(line))
            .then_some(of_peer)
    });
    let warnings = of_peer.iter().filter(|line| is_warning(line)).count();
    assert!(warnings == 1 && of_peer.len() <= 2, "{of_peer:#?}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Bytes that look like nothing, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn bytes_that_no_client_sends_end_their_own_connection_with_a_line_in_the_log() {
    if better_than_stock(
        "it waits for an answer of such a peer, or for the rest, and logs a traceback",
    ) {
        return;
    }
    let mut server = Server::start();
    let mut witness = server.raw_connection();
    ping(&mut witness);
    let mut tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    tls_hello.extend_from_slice(&noise(506));
    let mut without_newline = PING.to_vec();
    without_newline.pop();
    without_newline.push(b'X');
    let mut not_compressed = frame(&noise(100));
    not_compressed[4] = 1;
    let mut nested = b"\x01\x11\x50".to_vec();
    nested.resize(500_000, 0x10);
    for (what, bytes, then) in [
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            WAITS,
        ),
        ("TLS", tls_hello, WAITS),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), WAITS),
        ("noise", noise(4096), WAITS),
        ("four gigabytes announced", [0xff; 5].to_vec(), WAITS),
        ("no newline", without_newline, WAITS),
        ("a frame cut short", PING[..PING.len() - 4].to_vec(), LEAVES),
        ("a header cut short", PING[..3].to_vec(), LEAVES),
        ("no zlib", not_compressed, WAITS),
        ("an unknown message", frame(b"\x04\x11\x50\x02"), WAITS),
        ("an unknown tag", frame(b"\x01\x11\x50\x07"), WAITS),
        (
            "a value cut short",
            frame(b"\x01\x11\x50\x11\x51\x0f\0\0\0\xffabc"),
            WAITS,
        ),
        (
            "four billion items",
            frame(b"\x01\x15\xff\xff\xff\xff\x50"),
            WAITS,
        ),
        ("deep tuples", frame(&nested), WAITS),
        (
            "no UTF-8",
            frame(b"\x01\x11\x50\x11\x51\x11\x51\x10\x08\x0b\xff\xfe"),
            WAITS,
        ),
    ] {
        for behaved_before in [false, true] {
            let mut socket = server.raw_connection();
            if behaved_before {
                ping(&mut socket);
            }
            let name = socket.local_addr().expect("an address");
            // The server may close while this is still being written.
            let _ = socket.write_all(&bytes);
            if then == LEAVES {
                let _ = socket.shutdown(Shutdown::Write);
            }
            let took = wait_until_closed(&mut socket);
            assert!(took < AT_ONCE, "{what}: closed after {took:?}");
            ping(&mut witness);
            logged_once(&server, name);
        }
    }
    for _ in 0..20 {
        drop(server.raw_connection());
    }
    assert!(server.is_running());
    server.check("same(conn.eval('1 + 1'), 2)");
}
