use rpyc_core::Value;
use rpyc_core::wire::encode_to_vec;
use rpyc_registry::message::{decode_done, decode_names, decode_servers};

use super::*;

pub(in super::super) fn options() -> Options {
    Options {
        allow: Vec::new(),
        foreign_hosts: false,
        lifetime: Duration::from_secs(240),
        listing: true,
        max_entries: 1_000,
        rate: 0,
        store: None,
    }
}

/// A registry at one moment.
struct Registry(Answers, Instant);

impl Registry {
    fn new(options: Options) -> Registry {
        let now = Instant::now();
        Registry(Answers::new(options, now), now)
    }

    fn bytes(&mut self, source: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let source = source.parse().expect("an address");
        if !self.0.hears(source, self.1) {
            return None;
        }
        answered(self.0.answer(bytes, source, Transport::Udp, self.1))
    }

    fn ask(&mut self, source: &str, command: impl Into<Value>) -> Option<Vec<u8>> {
        self.bytes(source, &bytes(command))
    }

    fn register(&mut self, source: &str, name: &str, port: u16) {
        let answer = self.ask(source, ("RPYC", "REGISTER", ((name,), port)));
        decode_done(&answer.expect("an answer")).expect("registered");
    }

    fn servers(&mut self, name: &str) -> Vec<String> {
        let answer = self.ask("10.9.9.9", ("RPYC", "QUERY", (name,)));
        let servers = decode_servers(&answer.expect("an answer")).expect("servers");
        servers.iter().map(ToString::to_string).collect()
    }

    fn names(&mut self) -> Vec<String> {
        let answer = self.ask("10.9.9.9", ("RPYC", "LIST", ((Value::None,),)));
        let names = decode_names(&answer.expect("an answer")).expect("names");
        names.expect("listing is on")
    }
}

fn answered(taken: Taken) -> Option<Vec<u8>> {
    match taken {
        Taken::Answered(answer) => answer,
        Taken::Asks(question) => panic!("there is no store: {question:?}"),
    }
}

fn bytes(command: impl Into<Value>) -> Vec<u8> {
    encode_to_vec(&command.into(), &Default::default()).expect("a small value")
}

#[test]
fn a_server_is_where_it_registered_from_until_it_unregisters() {
    let mut registry = Registry::new(options());
    registry.register("10.0.0.1", "files", 18_812);
    registry.register("::ffff:10.0.0.2", "files", 18_813);
    registry.register("2001:db8::1", "prints", 1);
    let mut servers = registry.servers("Files");
    servers.sort();
    assert_eq!(servers, ["10.0.0.1:18812", "10.0.0.2:18813"]);
    assert_eq!(registry.servers("PRINTS"), ["[2001:db8::1]:1"]);
    assert_eq!(registry.names(), ["FILES", "PRINTS"]);
    // Another one's entry isn't removed.
    registry.ask("10.0.0.3", ("RPYC", "UNREGISTER", (18_812,)));
    assert_eq!(registry.servers("files").len(), 2);
    registry.ask("10.0.0.1", ("RPYC", "UNREGISTER", (18_812,)));
    assert_eq!(registry.servers("files"), ["10.0.0.2:18813"]);
}

#[test]
fn a_server_that_falls_silent_is_forgotten() {
    let mut registry = Registry::new(options());
    registry.register("10.0.0.1", "files", 1);
    registry.1 += Duration::from_secs(240);
    registry.register("10.0.0.2", "files", 2);
    assert_eq!(registry.servers("files").len(), 2);
    registry.1 += Duration::from_secs(1);
    assert_eq!(registry.servers("files"), ["10.0.0.2:2"]);
}

#[test]
fn without_listing_a_list_is_none() {
    let mut registry = Registry::new(Options {
        listing: false,
        ..options()
    });
    let answer = registry.ask("10.0.0.1", ("RPYC", "LIST", ((Value::None,),)));
    assert_eq!(decode_names(&answer.expect("an answer")), Ok(None));
}

#[test]
fn five_hundred_services_are_listed_whole_over_udp_and_as_many_as_fit_over_tcp() {
    let mut registry = Registry::new(options());
    for n in 0..500 {
        registry.register("10.0.0.1", &format!("service_with_a_name_{n}"), 1);
    }
    assert_eq!(registry.names().len(), 500);
    let list = bytes(("RPYC", "LIST", ((Value::None,),)));
    let source = "10.0.0.1".parse().expect("an address");
    let answer = answered(registry.0.answer(&list, source, Transport::Tcp, registry.1));
    let answer = answer.expect("an answer");
    let names = decode_names(&answer)
        .expect("whole entries")
        .expect("a list");
    assert!(answer.len() <= MAX_DATAGRAM && answer.len() > MAX_DATAGRAM - 30);
    assert!(names.len() > 50, "{}", names.len());
}

#[test]
fn another_hosts_address_is_registered_only_where_that_is_allowed() {
    let register = ("RPYC", "REGISTER", (("files",), 1, "192.0.2.1"));
    let mut registry = Registry::new(options());
    let answer = registry.ask("10.0.0.1", register).expect("an answer");
    let refusal = decode_done(&answer).expect_err("refused").to_string();
    assert!(refusal.contains("where they ask from"), "{refusal}");
    assert!(registry.names().is_empty());
    // Its own address is no other one.
    registry.ask("192.0.2.1", register).expect("an answer");
    assert_eq!(registry.servers("files"), ["192.0.2.1:1"]);
    let unregister = ("RPYC", "UNREGISTER", (1, "192.0.2.1"));
    registry.ask("10.0.0.1", unregister);
    assert_eq!(registry.servers("files").len(), 1);

    let mut registry = Registry::new(Options {
        foreign_hosts: true,
        ..options()
    });
    registry.ask("10.0.0.1", register).expect("an answer");
    assert_eq!(registry.servers("files"), ["192.0.2.1:1"]);
    registry.ask("10.0.0.1", unregister).expect("an answer");
    assert!(registry.servers("files").is_empty());
}

#[test]
fn only_allowed_networks_are_heard() {
    let mut registry = Registry::new(Options {
        allow: vec![
            "10.0.0.0/8".parse().expect("a network"),
            "::1/128".parse().expect("one"),
        ],
        ..options()
    });
    for (source, heard) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("::1", true),
        ("192.0.2.1", false),
        ("::2", false),
    ] {
        let answer = registry.ask(source, ("RPYC", "QUERY", ("a",)));
        assert_eq!(answer.is_some(), heard, "{source}");
    }
}

#[test]
fn a_flood_of_one_source_is_cut_off_and_its_long_answers_sooner() {
    let mut registry = Registry::new(Options {
        rate: 10,
        ..options()
    });
    let mut answered = |source: &str, command: &Value| {
        let asked = (0..1_000).filter_map(|_| registry.ask(source, command.clone()));
        asked.count()
    };
    let query = ("RPYC", "QUERY", ("files",)).into();
    let queries = answered("10.0.0.1", &query);
    assert!((90..=100).contains(&queries), "{queries}");
    assert_eq!(answered("10.0.0.1", &query), 0);
    assert!(answered("10.0.0.2", &query) > 0);
    // Registrations of many sources, then lists of all of it.
    for n in 0..200 {
        registry.register(&format!("10.1.0.{n}"), &format!("{n}{}", "x".repeat(60)), 1);
    }
    let list = ("RPYC", "LIST", ((Value::None,),)).into();
    let mut bytes = 0;
    while let Some(answer) = registry.ask("10.0.0.3", Value::clone(&list)) {
        bytes += answer.len();
    }
    assert!(bytes < 200_000, "{bytes} bytes to one victim");
}

#[test]
fn registering_without_end_fills_a_table_of_bounded_size_and_the_rest_stays() {
    let mut registry = Registry::new(options());
    registry.register("10.0.0.1", "files", 1);
    let mut refused = 0;
    for n in 0..1_000 {
        let name = format!("{n}");
        let answer = registry.ask("10.0.0.2", ("RPYC", "REGISTER", ((&*name,), 1)));
        refused += usize::from(decode_done(&answer.expect("an answer")).is_err());
    }
    assert_eq!(refused, 500);
    assert_eq!(registry.servers("files"), ["10.0.0.1:1"]);
    registry.register("10.0.0.3", "prints", 1);
}

/// Names of line breaks and of what a terminal obeys, registered and unregistered within the rate.
#[test]
fn a_flood_of_names_is_a_few_bounded_lines_of_the_log() {
    let mut registry = Registry::new(Options {
        rate: 100,
        ..options()
    });
    let names = ["\n".repeat(255), "\u{1b}[2J".repeat(60), "\r".repeat(255)];
    let register = bytes((
        "RPYC",
        "REGISTER",
        ((&*names[0], &*names[1], &*names[2]), 1),
    ));
    let unregister = bytes(("RPYC", "UNREGISTER", (1,)));
    let mut answered = 0;
    for _ in 0..15 {
        for _ in 0..5_000 {
            answered += registry.bytes("10.0.0.1", &register).iter().len();
            answered += registry.bytes("10.0.0.1", &unregister).iter().len();
        }
        registry.1 += Duration::from_secs(1);
    }
    assert!(answered > 2_000, "{answered}");
    registry.register("10.0.0.2", "files", 1);
    let lines = registry.0.last_lines();
    assert!(lines.len() < 60, "{}", lines.len());
    for (_, line) in &lines {
        assert!(line.len() <= 1 << 10 && !line.contains(['\n', '\r', '\u{1b}']));
    }
    // Who floods it hides nobody else, nor what it has done itself.
    let has = |text: &str| lines.iter().any(|(_, line)| line.contains(text));
    assert!(has("10.0.0.2:1 offers FILES"));
    assert!(has("10.0.0.1:1 offers \\n\\n") && has("unregistered") && has("more than its share"));
    assert!(has(" more lines like it within "));
}

/// What no registry is asked, and bytes that are no question: none of it is answered with more
/// than a refusal, none of it changes anything, and the next question is answered.
#[test]
fn no_datagram_does_any_harm() {
    let mut registry = Registry::new(options());
    registry.register("10.0.0.1", "files", 1);
    let question = bytes(("RPYC", "REGISTER", (("files", "prints"), 18_812)));
    let mut datagrams: Vec<Vec<u8>> = vec![
        bytes(("RPYC", 7, ())),
        bytes(("RPYC", Value::None, ())),
        bytes(("RPYC", "register", 7)),
        bytes(("RPYC", "QUERY", (7,))),
        bytes(("RPYC", "_work", ())),
        bytes(("RPYC", "REGISTER", ("files", 1))),
        vec![0x10; 1_500],
        vec![0x1a; 1_500],
        [b"\x15\xff\xff\xff\xff".to_vec(), vec![0; 1_000]].concat(),
        b"\x17\xff\xff\xff\xff9".to_vec(),
        Vec::new(),
    ];
    datagrams.extend((0..question.len()).map(|end| question[..end].to_vec()));
    for datagram in &datagrams {
        assert_eq!(
            registry.bytes("10.0.0.2", datagram),
            None,
            "{datagram:02x?}"
        );
    }
    // Each bit of a question wrong in turn: it may register something, as that is a question.
    for bit in 0..question.len() * 8 {
        let mut wrong = question.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        let answer = registry.bytes("10.0.0.2", &wrong);
        assert!(answer.is_none_or(|answer| answer.len() < 100));
    }
    assert!(registry.servers("files").contains(&"10.0.0.1:1".to_owned()));
}

#[test]
fn a_store_that_always_warns_of_something_else_floods_no_log() {
    let mut registry = Registry::new(options());
    let mut lines = Vec::new();
    for number in 0..1_000 {
        let outcome = Outcome {
            source: UNKNOWN,
            said: Said::Answer(encode_done()),
            warning: Some(format!("{number} are wrong")),
        };
        assert!(registry.0.told(outcome, registry.1).is_some());
        lines.extend(registry.0.take_lines());
    }
    assert!((1..=20).contains(&lines.len()), "{lines:?}");
    assert_eq!(registry.0.last_lines().len(), 1, "which says how many more");
}
