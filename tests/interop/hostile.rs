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
enum Then {
    WaitsForTheServer,
    SendsNoMore,
}

/// Sends bytes on a fresh connection, and again on one that behaved before; sees that it is
/// closed, and that nothing else happens.
#[track_caller]
fn closes_that_connection_alone(bytes: &[u8], then: &Then) {
    if better_than_stock(
        "it waits for an answer of such a peer, or for the rest, and logs a traceback",
    ) {
        return;
    }
    let mut server = Server::start();
    let mut witness = server.raw_connection();
    ping(&mut witness);
    for behaved_before in [false, true] {
        let mut socket = server.raw_connection();
        if behaved_before {
            ping(&mut socket);
        }
        let name = socket
            .local_addr()
            .unwrap_or_else(|e| panic!("an address: {e}"));
        // The server may close while this is still being written.
        let _ = socket.write_all(bytes);
        if matches!(then, Then::SendsNoMore) {
            let _ = socket.shutdown(Shutdown::Write);
        }
        let took = wait_until_closed(&mut socket);
        assert!(took < AT_ONCE, "closed after {took:?}");
        ping(&mut witness);
        logged_once(&server, name);
    }
    assert!(server.is_running());
    server.check("same(conn.eval('1 + 1'), 2)");
}

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
fn a_ping_by_hand_is_answered() {
    let server = Server::start();
    let mut socket = server.raw_connection();
    for _ in 0..3 {
        ping(&mut socket);
    }
}

#[test]
fn an_http_request() {
    closes_that_connection_alone(
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &Then::WaitsForTheServer,
    );
}

#[test]
fn a_tls_hello() {
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
    hello.extend_from_slice(&noise(506));
    closes_that_connection_alone(&hello, &Then::WaitsForTheServer);
}

#[test]
fn an_ssh_banner() {
    closes_that_connection_alone(b"SSH-2.0-OpenSSH_9.6\r\n", &Then::WaitsForTheServer);
}

#[test]
fn noise_of_every_kind() {
    closes_that_connection_alone(&noise(4096), &Then::WaitsForTheServer);
}

#[test]
fn a_header_that_announces_four_gigabytes() {
    closes_that_connection_alone(&[0xff; 5], &Then::WaitsForTheServer);
}

#[test]
fn a_frame_without_its_newline() {
    let mut bytes = PING.to_vec();
    bytes.pop();
    bytes.push(b'X');
    closes_that_connection_alone(&bytes, &Then::WaitsForTheServer);
}

#[test]
fn a_frame_cut_short() {
    closes_that_connection_alone(&PING[..PING.len() - 4], &Then::SendsNoMore);
}

#[test]
fn a_header_cut_short() {
    closes_that_connection_alone(&PING[..3], &Then::SendsNoMore);
}

#[test]
fn a_compressed_frame_that_is_none() {
    let mut bytes = frame(&noise(100));
    bytes[4] = 1;
    closes_that_connection_alone(&bytes, &Then::WaitsForTheServer);
}

#[test]
fn a_message_of_an_unknown_kind() {
    closes_that_connection_alone(&frame(b"\x04\x11\x50\x02"), &Then::WaitsForTheServer);
}

#[test]
fn a_value_with_an_unknown_tag() {
    closes_that_connection_alone(&frame(b"\x01\x11\x50\x07"), &Then::WaitsForTheServer);
}

#[test]
fn a_value_cut_short() {
    closes_that_connection_alone(
        &frame(b"\x01\x11\x50\x11\x51\x0f\0\0\0\xffabc"),
        &Then::WaitsForTheServer,
    );
}

#[test]
fn a_tuple_that_announces_four_billion_items() {
    closes_that_connection_alone(
        &frame(b"\x01\x15\xff\xff\xff\xff\x50"),
        &Then::WaitsForTheServer,
    );
}

#[test]
fn tuples_nested_half_a_million_deep() {
    let mut payload = b"\x01\x11\x50".to_vec();
    payload.resize(500_000, 0x10);
    closes_that_connection_alone(&frame(&payload), &Then::WaitsForTheServer);
}

#[test]
fn text_that_is_no_utf_8() {
    closes_that_connection_alone(
        &frame(b"\x01\x11\x50\x11\x51\x11\x51\x10\x08\x0b\xff\xfe"),
        &Then::WaitsForTheServer,
    );
}

#[test]
fn a_peer_that_connects_and_leaves_is_no_trouble() {
    let mut server = Server::start();
    for _ in 0..20 {
        drop(server.raw_connection());
    }
    server.check("same(conn.eval('1 + 1'), 2)");
    assert!(server.is_running());
}

/// Sends a frame that is odd but harmless and sees that the connection goes on.
#[track_caller]
fn the_connection_goes_on_after(bytes: &[u8]) {
    let server = Server::start();
    let mut socket = server.raw_connection();
    socket
        .write_all(bytes)
        .unwrap_or_else(|e| panic!("writing: {e}"));
    ping(&mut socket);
}

#[test]
fn an_empty_frame_is_ignored() {
    the_connection_goes_on_after(&frame(b""));
}

#[test]
fn a_reply_that_nobody_waits_for_is_ignored() {
    the_connection_goes_on_after(&frame(b"\x02\x11\x80\x11\x51\x00"));
}

#[test]
fn an_exception_that_nobody_waits_for_is_ignored() {
    the_connection_goes_on_after(&frame(b"\x03\x11\x80\x51"));
}

/// Sends a request and sees that an exception answers it, and that the connection goes on.
#[track_caller]
fn an_exception_answers(request: &[u8]) {
    let server = Server::start();
    let mut socket = server.raw_connection();
    let reply = socket
        .write_all(&frame(request))
        .and_then(|()| read_frame(&mut socket))
        .unwrap_or_else(|e| panic!("no reply: {e}"));
    // EXCEPTION, a pair, the sequence number 1.
    assert_eq!(reply.get(..3), Some(&b"\x03\x11\x51"[..]), "{reply:02x?}");
    ping(&mut socket);
}

#[test]
fn a_request_for_an_unknown_handler_is_answered_by_an_exception() {
    an_exception_answers(b"\x01\x11\x51\x11\xb3\x11\x51\x02");
}

#[test]
fn a_request_with_too_few_arguments_is_answered_by_an_exception() {
    // PING with no argument at all.
    an_exception_answers(b"\x01\x11\x51\x11\x51\x11\x51\x02");
}

#[test]
fn a_request_about_an_object_that_is_not_there_is_answered_by_an_exception() {
    // REPR of the object (x, 1, 1234567890), which nobody was given:
    // (9, (TUPLE, ((LOCAL_REF, id_pack),))).
    an_exception_answers(
        b"\x01\x11\x51\x11\x59\x11\x52\x10\x11\x53\x12\x08\x0ax\x51\x16\x0a1234567890",
    );
}
