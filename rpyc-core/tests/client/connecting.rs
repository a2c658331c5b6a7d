//! Ways to a peer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rpyc_core::error::CloseReason;
use rpyc_core::transport::{PeerAddr, PipeStream, Stream};
use rpyc_core::*;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::objects::{PATIENCE, everything};

/// Serves one client of the stream; the receiver is told why it ended.
fn serve(stream: impl Stream + 'static) -> Receiver<CloseReason> {
    let (told, ended) = channel();
    let conn = Connection::open(stream, everything(), Config::default()).expect("a connection");
    thread::spawn(move || told.send(conn.serve_all()));
    ended
}

fn add(conn: &Connection) -> Result<i64, Error> {
    conn.root()?.call_method("add", args![1, 2])?.extract()
}

/// A server that accepts one connection, and its address.
fn tcp_server() -> (SocketAddr, thread::JoinHandle<Receiver<CloseReason>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let accepting = thread::spawn(move || serve(listener.accept().expect("a client").0));
    (address, accepting)
}

#[test]
fn over_tcp_with_the_options_set() -> Result<(), Error> {
    let (address, server) = tcp_server();
    let conn = connect(address)?;
    assert_eq!(add(&conn)?, 3);
    assert!(conn.fileno().is_some());
    let endpoints = conn.peer().endpoints.expect("both addresses");
    assert_eq!(endpoints.1, address);
    assert_eq!(conn.peer_label(), address.to_string());
    conn.close()?;
    assert_eq!(conn.peer_label(), address.to_string(), "also afterwards");
    let ended = server.join().expect("no panic");
    assert!(
        ended
            .recv_timeout(PATIENCE)
            .is_ok_and(|reason| reason.is_normal())
    );
    Ok(())
}

#[test]
fn a_peer_that_accepts_and_never_answers_fails_within_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let began = Instant::now();
    let connector = Connector::new().timeout(Some(Duration::from_millis(500)));
    let error = connector
        .connect(address)
        .map(drop)
        .expect_err("nobody answers");
    assert!(error.is_timeout(), "{error}");
    assert!(error.to_string().contains("GETROOT"), "{error}");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

/// Reads a word of the server's, and says it back.
fn echo_a_word(stream: &dyn Stream) -> io::Result<()> {
    let mut word = [0; 4];
    let mut filled = 0;
    while filled < word.len() {
        match stream.read(&mut word[filled..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    stream.write_vectored(&[io::IoSlice::new(&word)]).map(drop)
}

#[test]
fn a_prelude_is_said_before_rpyc_is() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        client.write_all(b"word").expect("written");
        let mut word = [0; 4];
        client.read_exact(&mut word).expect("an answer");
        (word, serve(client))
    });
    let conn = Connector::new().prelude(echo_a_word).connect(address)?;
    assert_eq!(add(&conn)?, 3);
    assert_eq!(&server.join().expect("no panic").0, b"word");
    Ok(())
}

#[test]
fn a_prelude_has_no_more_time_than_connecting_however_often_something_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        while client.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(10)); // it drips
        }
    });
    let began = Instant::now();
    let connector = Connector::new().timeout(Some(Duration::from_millis(100)));
    let listening = connector.prelude(|stream| {
        while stream.read(&mut [0])? > 0 {}
        Ok(())
    });
    let error = listening.connect(address).expect_err("it never ends");
    assert!(error.is_timeout(), "{error}");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    server.join().expect("the stream is closed");
}

/// A socket that listens and takes no connection any more: who comes is left without an answer.
fn full_listener() -> Result<(Socket, Vec<TcpStream>), Error> {
    let broken = |error| Error::Io {
        doing: "preparing".into(),
        error: Arc::new(error),
    };
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).map_err(broken)?;
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).map_err(broken)?;
    listener.listen(0).map_err(broken)?;
    let address = listener.local_addr().map_err(broken)?.as_socket();
    let address = address.expect("an address of IP");
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queue.push(stream);
    }
    Ok((listener, queue))
}

#[test]
fn an_address_that_is_silent_leaves_time_to_the_next() -> Result<(), Error> {
    let (silent, _queue) = full_listener()?;
    let silent = silent.local_addr().ok().and_then(|it| it.as_socket());
    let (address, _server) = tcp_server();
    let addresses = [silent.expect("an address of IP"), address];
    let conn = Connector::new()
        .timeout(Some(Duration::from_secs(4)))
        .connect(&addresses[..])?;
    assert_eq!(add(&conn)?, 3);
    conn.close()
}

#[test]
fn a_refused_connection_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let refused = connect(address).map(drop).expect_err("nobody listens");
    let text = refused.to_string();
    assert!(
        matches!(refused, Error::Io { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused)
    );
    let begin = format!("connecting to {address}: Connection refused");
    assert!(text.starts_with(&begin), "{text}");
}

#[test]
fn a_connection_that_is_cut_off_at_once_says_what_that_may_mean() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    // With what the client has sent read, the end is one; unread, it is a reset.
    for read in [true, false] {
        let server = {
            let listener = listener.try_clone().expect("a descriptor");
            thread::spawn(move || {
                let (stream, _) = listener.accept().expect("a client");
                let _ = stream.read(&mut [0; 1000][..if read { 1000 } else { 1 }]);
            })
        };
        let error = connect(address).map(drop).expect_err("cut off");
        assert!(
            matches!(error, Error::Closed(CloseReason::CutOff)),
            "{error}"
        );
        assert!(error.to_string().contains("a TLS server?"), "{error}");
        server.join().expect("no panic");
    }
}

#[test]
fn over_a_unix_socket() -> Result<(), Error> {
    let name = format!("rpyc-core-test-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).expect("a socket");
    let server = thread::spawn(move || serve(listener.accept().expect("a client").0));
    let conn = Connector::new().connect_unix(&path);
    let _ = std::fs::remove_file(&path);
    let conn = conn?;
    assert_eq!(add(&conn)?, 3);
    assert!(conn.fileno().is_some());
    conn.close()?;
    assert!(server.join().is_ok());
    Ok(())
}

#[test]
fn a_unix_socket_whose_queue_is_full_fails_within_the_timeout() {
    let name = format!("rpyc-core-test-full-{}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let address = SockAddr::unix(&path).expect("a short path");
    let unix = || Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    let stuck = unix();
    stuck.bind(&address).expect("a new file");
    stuck.listen(0).expect("bound");
    let mut queue = Vec::new();
    loop {
        let client = unix();
        client.set_nonblocking(true).expect("a socket");
        if client.connect(&address).is_err() {
            break;
        }
        queue.push(client);
    }
    let (told, outcome) = channel();
    let connector = Connector::new().timeout(Some(Duration::from_millis(100)));
    let place = path.clone();
    thread::spawn(move || told.send(connector.connect_unix(place)));
    let outcome = outcome.recv_timeout(PATIENCE);
    let _ = std::fs::remove_file(&path);
    let outcome = outcome.expect("an end");
    let error = outcome.expect_err("nobody takes it");
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn over_a_pair_of_pipes_whose_end_is_noticed_by_both() -> Result<(), Error> {
    let (to_server, from_client) = (io::pipe(), io::pipe());
    let ((server_in, client_out), (client_in, server_out)) =
        (to_server.expect("a pipe"), from_client.expect("a pipe"));
    let server = serve(PipeStream::new(server_in, server_out).expect("a stream"));
    let conn = Connector::new().connect_pipes(client_in, client_out)?;
    assert_eq!(add(&conn)?, 3);
    // More than a pipe holds, both ways.
    let long = "x".repeat(300_000);
    let echo = conn.root()?.call_method("echo", args![long.clone()])?;
    assert_eq!(echo.as_str(), Some(&*long));
    conn.close()?;
    assert!(
        server
            .recv_timeout(PATIENCE)
            .is_ok_and(|reason| reason.is_normal())
    );
    Ok(())
}

#[test]
fn a_thread_that_reads_a_pipe_is_woken_by_the_close() -> Result<(), Error> {
    let (input, keep_open) = io::pipe().expect("a pipe");
    let (_unread, output) = io::pipe().expect("a pipe");
    let stream = PipeStream::new(input, output).expect("a stream");
    let conn = Connection::open(stream, everything(), Config::default())?;
    let (told, ended) = channel();
    let serving = conn.clone();
    thread::spawn(move || told.send(serving.serve_all()));
    conn.shut_down(Duration::ZERO);
    assert!(
        ended.recv_timeout(PATIENCE).is_ok(),
        "the reader was left behind"
    );
    drop(keep_open);
    Ok(())
}

#[test]
fn to_a_service_on_a_thread_of_this_process() -> Result<(), Error> {
    let conn = Connector::new().connect_thread(everything(), Config::default())?;
    assert_eq!(add(&conn)?, 3);
    assert_eq!(conn.fileno(), None);
    conn.close()
}

#[test]
fn to_a_program_that_is_no_peer_fails_and_leaves_no_process() {
    let began = Instant::now();
    let mut command = Command::new("true");
    let outcome = Connector::new().connect_subprocess(&mut command);
    assert!(outcome.is_err_and(|error| error.is_closed()));
    assert!(began.elapsed() < PATIENCE);
    let mut nothing = Command::new("/there/is/no/such/program");
    let outcome = Connector::new().connect_subprocess(&mut nothing);
    assert!(matches!(outcome, Err(Error::Io { .. })));
}

#[test]
#[cfg(target_os = "linux")]
fn keepalive_is_on_unless_it_is_turned_off() -> Result<(), Error> {
    for keepalive in [Some(Duration::from_secs(60)), None] {
        let (address, _server) = tcp_server();
        let conn = Connector::new().keepalive(keepalive).connect(address)?;
        let (here, there) = conn.peer().endpoints.expect("addresses");
        // Both: a connection that ended a while ago may have had the same port here, to another one.
        let ends = [here, there].map(|end| format!("0100007F:{:04X}", end.port()));
        // The system's own view: the addresses, and which timer runs. 2 is that of keepalive;
        // 1 runs until what was sent is acknowledged.
        let timer = || {
            let table = std::fs::read_to_string("/proc/net/tcp").expect("the table of sockets");
            let mut lines = table.lines().map(|line| line.split_whitespace());
            lines.find_map(|mut fields| {
                let is_ours = [fields.nth(1)?, fields.next()?] == ends;
                fields.nth(2).filter(|_| is_ours).map(str::to_owned)
            })
        };
        let end = Instant::now() + PATIENCE;
        let timer = loop {
            match timer() {
                Some(timer) if !timer.starts_with("01:") => break timer,
                // A line may be missing while others come and go.
                other => assert!(Instant::now() < end, "{other:?}"),
            }
            thread::yield_now();
        };
        assert_eq!(timer.starts_with("02:"), keepalive.is_some(), "{timer}");
        conn.close()?;
    }
    Ok(())
}

/// What the child process of the next test runs; alone, it does nothing.
#[test]
fn a_child_that_serves_over_stdio() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    println!("{READY}");
    // As patient as the other side: a busy machine may let one of them wait.
    let connector = Connector::new()
        .timeout(Some(PATIENCE))
        .service(everything());
    let conn = connector.connect_stdio().expect("a connection");
    // This is no frame: it must not get into the stream.
    println!("printed while the connection is there");
    let reason = conn.serve_all();
    assert!(reason.is_normal(), "{reason}");
}

#[test]
fn over_stdin_and_stdout_which_printing_does_not_disturb() {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "connecting::a_child_that_serves_over_stdio",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut output = child.stdout.take().expect("its stdout");
    // The test runner's own lines come first.
    let mut said = String::new();
    while !said.ends_with(&format!("{READY}\n")) {
        let mut byte = [0];
        io::Read::read_exact(&mut output, &mut byte).expect("it gets ready");
        said.push(byte[0].into());
    }
    let input = child.stdin.take().expect("its stdin");
    let connector = Connector::new().timeout(Some(PATIENCE));
    let conn = connector
        .connect_pipes(output, input)
        .expect("a connection");
    let sum = add(&conn);
    assert!(matches!(sum, Ok(3)), "{sum:?}");
    // Its own connecting has ended then, too, and what it prints is here.
    let errors = child.stderr.take().expect("its stderr");
    let mut errors = io::BufRead::lines(io::BufReader::new(errors));
    let printed = errors.by_ref().map_while(Result::ok);
    assert!(
        printed
            .into_iter()
            .any(|line| line.contains("printed while the connection"))
    );
    let closed = conn.close();
    assert!(closed.is_ok(), "{closed:?}");
    let rest: Vec<String> = errors.map_while(Result::ok).collect();
    assert!(
        child.wait().is_ok_and(|status| status.success()),
        "{rest:?}"
    );
}

const CHILD: &str = "RPYC_CORE_TEST_CHILD";
const READY: &str = "ready to talk";

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_client() {
    let peer = |text: &str| PeerAddr::Tcp(text.parse().expect("an address"));
    assert_eq!(peer("[::ffff:10.1.2.3]:5").ip(), Some([10, 1, 2, 3].into()));
    assert!(peer("[::ffff:127.0.0.1]:5").is_local());
    assert!(peer("[::1]:5").is_local() && !peer("192.0.2.1:5").is_local());
    assert!(PeerAddr::Unix(None).is_local());
}
