use super::*;

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).expect("a good name")
}

fn bytes(value: impl Into<Value>) -> Vec<u8> {
    bytes_of(&value.into())
}

fn tuple(items: impl IntoIterator<Item = Value>) -> Value {
    Value::tuple(items)
}

#[test]
fn commands_have_the_bytes_of_pythons_client() {
    // Each as brine.dump of rpyc 6.0.2 has it.
    for (command, bytes) in [
        (
            Command::Query { name: name("foo") },
            "12080d52505943080e05515545525910080c464f4f",
        ),
        (
            Command::List { host: None },
            "12080d52505943080d4c495354101000",
        ),
        (
            Command::List {
                host: Some("10.0.0.1".to_owned()),
            },
            "12080d52505943080d4c4953541010080e0831302e302e302e31",
        ),
        (
            Command::Register {
                names: vec![name("a"), name("bc")],
                port: 18_812,
                host: None,
            },
            "12080d52505943080e0852454749535445521111080a41080b424316053138383132",
        ),
        (
            Command::Unregister {
                port: 100,
                host: None,
            },
            "12080d52505943080e0a554e524547495354455210b4",
        ),
    ] {
        let encoded = command.encode();
        let written = encoded.iter().map(|byte| format!("{byte:02x}"));
        assert_eq!(written.collect::<String>(), bytes, "{command:?}");
        assert_eq!(Command::decode(&encoded), Ok(command));
    }
}

#[test]
fn names_and_commands_are_read_whatever_their_case_and_also_as_bytes_of_python_2() {
    for magic in [Value::from("RPYC"), Value::from(b"RPYC".to_vec())] {
        for command in ["QUERY", "query", "Query"] {
            let query = bytes((magic.clone(), command, ("files",)));
            let query = Command::decode(&query).expect("a query");
            assert_eq!(
                query,
                Command::Query {
                    name: name("FILES")
                }
            );
        }
    }
}

#[test]
fn what_is_no_command_is_an_error_that_says_why() {
    let query = |arguments: Value| bytes(("RPYC", "QUERY", arguments));
    let register = |names: Value, port: Value| bytes(("RPYC", "REGISTER", (names, port)));
    let long = "x".repeat(MAX_NAME + 1);
    let many = tuple((0..=MAX_NAMES).map(|_| "n".into()));
    for (datagram, problem) in [
        (vec![], "not brine"),
        (b"GET / HTTP/1.1\r\n".to_vec(), "not a registry's"),
        (vec![0x10; MAX_DATAGRAM], "not brine"),
        (vec![0x10; MAX_DATAGRAM + 1], "1501 bytes"),
        (bytes(7), "not a registry's"),
        (bytes(("RPYC", "QUERY")), "not a registry's"),
        (bytes(("XXXX", "QUERY", ("a",))), "not a registry's"),
        (bytes((7, "QUERY", ("a",))), "not a registry's"),
        (bytes(("RPYC", 7, ())), "not a registry's"),
        (bytes(("RPYC", (), ("a",))), "not a registry's"),
        (bytes(("RPYC", "QUERY", 7)), "not a registry's"),
        (bytes(("RPYC", "ERASE", ("a",))), "unknown"),
        (bytes(("RPYC", "__class__", ("a",))), "unknown"),
        (query(Value::Tuple(vec![])), "QUERY with a wrong number"),
        (query(("a", "b").into()), "QUERY with a wrong number"),
        (query((7,).into()), "QUERY with a name that is no text"),
        (query(("",).into()), "QUERY with a name that is empty"),
        (
            query((&*long,).into()),
            "QUERY with a name that is empty or too long",
        ),
        (register("abc".into(), 1.into()), "names that are no tuple"),
        (register(tuple([]), 1.into()), "no names"),
        (register(many, 1.into()), "too many"),
        (register(tuple([Value::None]), 1.into()), "no text"),
        (register(("a",).into(), 0.into()), "port"),
        (register(("a",).into(), 65_536.into()), "port"),
        (register(("a",).into(), (-1).into()), "port"),
        (register(("a",).into(), true.into()), "port"),
        (register(("a",).into(), "/tmp/socket".into()), "port"),
        (
            bytes(("RPYC", "REGISTER", (("a",), 1, "not an address"))),
            "IP address",
        ),
        (
            bytes(("RPYC", "REGISTER", (("a",), 1, "0.0.0.0"))),
            "IP address",
        ),
        (
            bytes(("RPYC", "UNREGISTER", tuple([]))),
            "UNREGISTER with a wrong number",
        ),
        (bytes(("RPYC", "UNREGISTER", (1.5,))), "port"),
        (
            bytes(("RPYC", "LIST", tuple([]))),
            "LIST with a wrong number",
        ),
        (bytes(("RPYC", "LIST", (7,))), "filter"),
        (bytes(("RPYC", "LIST", (tuple([]),))), "filter"),
        (bytes(("RPYC", "LIST", ((7,),))), "filter"),
    ] {
        let error = Command::decode(&datagram).expect_err(problem).to_string();
        assert!(error.contains(problem), "{error:?} instead of {problem:?}");
    }
}

#[test]
fn the_beginning_of_a_command_is_incomplete_and_a_whole_one_or_rubbish_is_not() {
    let command = Command::Query {
        name: name("files"),
    }
    .encode();
    for end in 0..command.len() {
        assert!(Command::is_incomplete(&command[..end]), "{end}");
    }
    assert!(!Command::is_incomplete(&command));
    assert!(!Command::is_incomplete(b"\x07"));
    assert!(!Command::is_incomplete(&[0x0f; MAX_DATAGRAM]));
}

#[test]
fn as_many_whole_entries_as_fit_are_sent_and_not_one_less() {
    let names: Vec<String> = (0..2_000)
        .map(|n| format!("SERVICE_NUMBER_{n:05}"))
        .collect();
    let names = || names.iter().map(String::as_str);
    for max in [MAX_DATAGRAM, MAX_LISTING] {
        let answer = encode_names(names(), max);
        let read = decode_names(&answer).expect("an answer").expect("a list");
        // A str tag, a bytes tag with a length, twenty letters.
        let entry = 3 + 20;
        assert!(
            answer.len() <= max && answer.len() + entry > max,
            "{}",
            answer.len()
        );
        assert!(read.iter().map(String::as_str).eq(names().take(read.len())));
    }
    let all: Vec<&str> = names().take(500).collect();
    let read = decode_names(&encode_names(all.iter().copied(), MAX_LISTING));
    assert_eq!(read.expect("an answer").expect("a list").len(), 500);
    assert_eq!(encode_names(["a"], 4), bytes(("a",)));
    assert_eq!(encode_names(["a"], 3), bytes(Value::Tuple(vec![])));
}

#[test]
fn answers_are_read_and_what_is_none_is_an_error_that_says_what_came() {
    let servers = encode_servers([("10.0.0.1", 1), ("::1", 65_535)], MAX_DATAGRAM);
    let servers = decode_servers(&servers).expect("servers");
    let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.0.0.1:1", "[::1]:65535"]);
    assert_eq!(decode_done(&encode_done()), Ok(()));
    assert_eq!(decode_names(&encode_no_listing()), Ok(None));

    let refused = AnswerError::Refused("full".to_owned());
    assert_eq!(decode_done(&encode_refusal("full")), Err(refused.clone()));
    assert_eq!(decode_servers(&encode_refusal("full")), Err(refused));
    let socket = bytes(((("h", "/tmp/socket"), ("h", 7)),).0);
    assert_eq!(
        decode_servers(&socket),
        Ok(vec![ServerAddress::new("h", 7)])
    );
    for wrong in [
        bytes(7),
        bytes((7,)),
        bytes((("h", 1, 2),)),
        bytes(((1, 2),)),
        vec![0xff],
    ] {
        assert!(decode_servers(&wrong).is_err(), "{wrong:?}");
    }
    assert!(decode_names(&bytes((7,))).is_err());
    assert!(decode_done(&bytes(7)).is_err());
}
