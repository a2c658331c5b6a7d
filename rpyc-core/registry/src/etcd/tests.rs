//! Members that answer what no etcd answers, and a whole fleet at a simulated etcd.

mod asking;
mod fleet;
mod holding;
mod simulation;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::builder::endpoint;
use super::messages::{Ignored, Ranged, Streamed};
use super::*;
use crate::Offer;

/// A member that does this with each connection that it gets, and the directory that asks it.
fn member(serve: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> EtcdDirectory {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever asks may have gone.
            let _ = stream.and_then(|mut stream| serve(&mut stream));
        }
    });
    asking(&[&address])
}

fn asking(members: &[&str]) -> EtcdDirectory {
    let builder = EtcdDirectory::builder(members.iter().copied()).expect("addresses");
    let builder = builder.timeout(Duration::from_millis(400));
    builder.build().expect("a short prefix")
}

/// Reads a question, up to its end.
fn question(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"}") {
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
        // The only objects within objects are those of a watch and a transaction.
        if text.ends_with(b"}") && text.contains(&b'{') {
            let opened = text.iter().filter(|&&byte| byte == b'{').count();
            let closed = text.iter().filter(|&&byte| byte == b'}').count();
            if opened > closed {
                text.push(b' ');
            }
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn answer(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn what_is_no_answer_is_an_error_in_time_and_of_bounded_size() {
    let endless = |head: &'static str, filler: u8| {
        member(move |stream| {
            question(stream)?;
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(&[filler; 64 * 1024])?;
            }
        })
    };
    let once = |text: &'static str| {
        member(move |stream| {
            question(stream)?;
            stream.write_all(text.as_bytes())
        })
    };
    let json = |body: &'static str| {
        member(move |stream| {
            question(stream)?;
            answer(stream, body)
        })
    };
    let members: Vec<(&str, EtcdDirectory)> = vec![
        (
            "gigabytes",
            endless(
                "HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n",
                b' ',
            ),
        ),
        ("without end", endless("HTTP/1.1 200 OK\r\n\r\n", b'[')),
        (
            "one chunk",
            endless(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
                b'x',
            ),
        ),
        (
            "a chunk's length",
            endless(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b'0',
            ),
        ),
        (
            "a head without end",
            endless("HTTP/1.1 200 OK\r\nX: ", b'y'),
        ),
        (
            "many heads",
            endless("HTTP/1.1 100 Continue\r\n\r\n", b'\n'),
        ),
        ("garbage", endless("\x16\x03\x01", 0xff)),
        (
            "nothing",
            member(|stream| {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).map(drop)
            }),
        ),
        ("the end", member(|_| Ok(()))),
        (
            "drop by drop",
            member(|stream| {
                question(stream)?;
                loop {
                    stream.write_all(b"H")?;
                    thread::sleep(Duration::from_millis(5)); // it drips
                }
            }),
        ),
        (
            "another place",
            once(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            ),
        ),
        (
            "an error",
            once("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        ),
        (
            "half of it",
            once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
        ),
        ("no JSON", json("hello")),
        ("another kind", json("[1,2]")),
        (
            "a deep one",
            json(&*Box::leak("[".repeat(100_000).into_boxed_str())),
        ),
        ("no base64", json("{\"kvs\":[{\"key\":\"%%\"}]}")),
        (
            "a page that repeats itself",
            json("{\"kvs\":[{\"key\":\"AA==\"}],\"more\":true}"),
        ),
    ];
    for (what, directory) in members {
        let began = Instant::now();
        let found = directory.discover("notes");
        let offered = directory.register(&Offer::new(["notes"], 1).expect("an offer"));
        let listed = directory.list(None);
        // Generous: a machine may be busy; what matters is that it ends.
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        let error = found.expect_err(what);
        assert!(!error.to_string().is_empty(), "{what}: {error:?}");
        assert!(offered.is_err(), "{what}: {offered:?}");
        assert!(
            listed.is_err() || what.starts_with("a page"),
            "{what}: {listed:?}"
        );
    }
}

#[test]
fn what_comes_without_end_beside_an_answer_is_refused_by_its_length_and_not_by_the_time() {
    let endless = |head: &'static str, filler: &'static str| {
        let filler = filler.repeat(1_000);
        member(move |stream| {
            question(stream)?;
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(filler.as_bytes())?;
            }
        })
    };
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n";
    for (what, mut directory) in [
        (
            "to be continued",
            endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        (
            "early hints",
            endless("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ),
        ("trailers", endless(trailers, "X: y\r\n")),
        ("lines", endless(chunked, "1\r\n\n\r\n")),
        ("messages", endless(chunked, "e\r\n{\"result\":{}}\n\r\n")),
    ] {
        directory.timeout = Duration::from_secs(60);
        let error = match what {
            "lines" | "messages" => {
                let lines = directory
                    .rpc
                    .stream("/v3/watch", b"{}", directory.deadline());
                let mut watch = EtcdWatch::new(directory.clone(), "NOTES");
                let view = watch::View::new("/", watch::Servers::default(), lines.expect("a head"));
                watch.view = Some(view);
                watch.follow(directory.deadline()).expect_err(what).into()
            }
            _ => directory.discover("notes").expect_err(what),
        };
        assert!(
            matches!(error, RegistryError::Answer { .. }),
            "{what}: {error:?}"
        );
    }
}

#[test]
fn a_revision_behind_which_there_is_none_ends_no_watch() {
    let directory = member(|stream| {
        loop {
            question(stream)?;
            let last = i64::MAX;
            answer(
                stream,
                &format!("{{\"header\":{{\"revision\":\"{last}\"}}}}"),
            )?;
        }
    });
    let mut watch = directory.watch("notes").expect("a name");
    let servers = watch.next(Duration::ZERO).expect("an answer");
    assert_eq!(servers, Some(Vec::new()));
}

/// What reading this takes at most, beside the text itself.
fn taken<T: DeserializeOwned>(text: &str) -> (bool, u64) {
    let mut is_read = false;
    let used = allocation_counter::measure(|| is_read = decode::<T>(text.as_bytes()).is_ok());
    (is_read, used.bytes_max)
}

#[test]
fn short_elements_without_number_dont_become_many_times_as_much_memory() {
    let of = |front: &str, element: &str, back: &str| {
        let elements = vec![element; 4 * 1024 * 1024 / (element.len() + 1)];
        format!("{front}{}{back}", elements.join(","))
    };
    let kvs = of("{\"kvs\":[", "{}", "]}");
    let small = of("{\"kvs\":[", r#"{"key":"AA==","value":"AA=="}"#, "]}");
    let events = of("{\"result\":{\"events\":[", "{}", "]}}");
    let names = of("{\"names\":[", "\"\"", "]}");
    let unknown = of("{\"others\":[", "{}", "]}");
    for (what, (is_read, bytes), is_good) in [
        ("pairs", taken::<Ranged>(&kvs), false),
        ("small pairs", taken::<Ranged>(&small), false),
        (
            "events",
            taken::<Streamed<messages::Watched>>(&events),
            false,
        ),
        ("names", taken::<keys::Record>(&names), false),
        (
            "beside an error",
            taken::<messages::Refusal>(&unknown),
            true,
        ),
        ("what isn't used", taken::<Ignored>(&unknown), true),
    ] {
        assert!(bytes < 6 * 1024 * 1024, "{what}: {bytes} bytes");
        assert_eq!(is_read, is_good, "{what}");
    }
}

#[test]
fn the_next_member_answers_for_one_that_doesnt() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("bound").to_string();
    let good = member(|stream| {
        loop {
            let asked = question(stream)?;
            assert!(
                asked.starts_with("POST /v3/kv/range HTTP/1.1\r\n"),
                "{asked}"
            );
            answer(
                stream,
                r#"{"kvs":[{"key":"L3JweWMvc2VydmljZXMvTk9URVMvaDox","value":"e30="}]}"#,
            )?;
        }
    });
    let address = good.label.to_string();
    let directory = asking(&["127.0.0.1:1", &silent, &address]);
    for _ in 0..2 {
        let found = directory.discover("notes").expect("the last one knows");
        assert_eq!(found[0].to_string(), "h:1");
    }
}

#[test]
fn a_refusal_is_told_in_etcds_words_on_one_line() {
    let directory = member(|stream| {
        question(stream)?;
        let body = r#"{"code":7,"message":"etcdserver: permission\ndenied"}"#;
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 403 Forbidden\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    });
    let error = directory.discover("notes").expect_err("refused");
    let RegistryError::Answer { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        source.to_string(),
        "the registry refuses: etcdserver: permission denied"
    );
}

#[test]
fn members_are_named_by_host_and_port_and_the_password_is_in_no_debug_output() {
    for (text, expected) in [
        ("a", Some(("a", None))),
        ("a:1", Some(("a", Some(1)))),
        ("[::1]:2", Some(("::1", Some(2)))),
        ("[::1]", Some(("::1", None))),
        ("", None),
        ("a:0", None),
        ("a:b", None),
        ("a/b:1", None),
        ("http://a:1", None),
        ("[::1]x", None),
        ("[::1", None),
    ] {
        let read = endpoint(text);
        let read = read.as_ref().map(|(host, port)| (host.as_str(), *port));
        assert_eq!(read, expected, "{text}");
    }
    let builder = EtcdDirectory::builder(["a"])
        .expect("one")
        .login("user", "hunter2");
    let text = format!("{builder:?} {:?}", builder.clone().build());
    assert!(!text.contains("hunter2"), "{text}");
    assert!(EtcdDirectory::builder([]).is_err());
}
