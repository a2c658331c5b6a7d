//! Which keys servers have in etcd, and what is in their values. Pure; what somebody else may have
//! written is checked and bounded.
//!
//! Below the prefix there is `services/NAME/HOST:PORT` for each service of a server, whose value says
//! what the server says of itself, and `servers/HOST:PORT` once, whose value has the names of its
//! services, too. All keys of a server hang on one lease.

use std::fmt::Write;

use serde::{Deserialize, Deserializer, Serialize};

use super::messages::{Blob, Many, decode, encode};
use crate::directory::{ServerEntry, ServerFacts};
use crate::message::{MAX_NAMES, ServerAddress, ServiceName};

/// The keys below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
}

/// A server's value, at each of its keys.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "some_names")]
    names: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_clients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<u64>,
    /// Whether a registry has written it for a server that knows nothing of etcd.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    registry: bool,
}

impl Keys {
    /// `None` for a prefix that is too long.
    pub(super) fn below(prefix: &str) -> Option<Keys> {
        let slash = if prefix.ends_with('/') { "" } else { "/" };
        let prefix = format!("{prefix}{slash}");
        (prefix.len() <= MAX_PREFIX).then_some(Keys { prefix })
    }

    /// In front of the name of every service.
    pub(super) fn services(&self) -> String {
        format!("{}services/", self.prefix)
    }

    /// In front of every server of this service.
    pub(super) fn service(&self, name: &str) -> String {
        let mut key = self.services();
        for char in name.chars() {
            match char {
                '%' | '/' | '\0'..='\x20' | '\x7f' => {
                    // A text can be written to.
                    let _ = write!(key, "%{:02X}", u32::from(char));
                }
                char => key.push(char),
            }
        }
        key.push('/');
        key
    }

    pub(super) fn service_of(&self, name: &str, server: &ServerAddress) -> String {
        format!("{}{server}", self.service(name))
    }

    pub(super) fn server(&self, server: &ServerAddress) -> String {
        format!("{}servers/{server}", self.prefix)
    }

    /// In front of the port of every server on this host.
    pub(super) fn servers_on(&self, host: &str) -> String {
        let mut key = self.server(&ServerAddress::new(host, 0));
        key.pop();
        key
    }

    /// The name in a key below [`services`](Self::services), and the key's part in front of the
    /// server. A key that has another form than a server gives it names no service, nor does one
    /// without a server's address: nobody would find a server there.
    pub(super) fn name_in<'k>(
        &self,
        key: &'k [u8],
    ) -> Result<(ServiceName, &'k str), &'static str> {
        let key = text(key, MAX_KEY)?;
        let rest = key.strip_prefix(&*self.services()).ok_or(FOREIGN)?;
        let (coded, address) = rest.split_once('/').ok_or("a service without a server")?;
        let front = key.strip_suffix(address).unwrap_or(key);
        let name = uncoded(coded).ok_or("a name with a wrong %")?;
        let name = name_of(&name).ok_or("a name that isn't one, or isn't in capitals")?;
        if self.service(name.as_str()) != front {
            return Err("a name in another form than servers write");
        }
        address_of(address).ok_or(NO_ADDRESS)?;
        Ok((name, front))
    }

    /// The server of a key below `front`, and what its value says.
    pub(super) fn entry(
        &self,
        front: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<(ServerEntry, Option<&'static str>), &'static str> {
        let key = text(key, MAX_KEY)?;
        let address = key.strip_prefix(front).ok_or(FOREIGN)?;
        let mut entry = ServerEntry::new(address_of(address).ok_or(NO_ADDRESS)?);
        Ok(match facts(value) {
            Ok(facts) => {
                entry.facts = Some(facts);
                (entry, None)
            }
            Err(problem) => (entry, Some(problem)),
        })
    }
}

/// The end of the keys that begin with this text.
pub(super) fn end_of(front: &str) -> Blob {
    let mut end = front.as_bytes().to_vec();
    // All end with `/` or `:`, which have a successor.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Blob(end)
}

/// The value that says this of a server.
pub(super) fn value(facts: &ServerFacts, names: &[ServiceName], is_registrys: bool) -> Blob {
    let ServerFacts {
        version,
        started,
        evaluator,
        max_clients,
        clients,
    } = facts.clone();
    let line = |text: Option<String>| text.filter(|text| is_line(text));
    Blob(encode(&Record {
        names: names.iter().map(|name| name.as_str().to_owned()).collect(),
        version: line(version),
        started,
        evaluator: line(evaluator),
        max_clients,
        clients,
        registry: is_registrys,
    }))
}

/// Whether a registry has written a server's value, and not the server.
pub(super) fn is_registrys(value: &[u8]) -> bool {
    record(value, MAX_INDEX).is_ok_and(|record| record.registry)
}

/// The services in a server's value.
pub(super) fn names(value: &[u8]) -> Result<Vec<ServiceName>, &'static str> {
    let record = record(value, MAX_INDEX)?;
    let names = record.names.iter().map(|name| name_of(name));
    let names: Option<Vec<ServiceName>> = names.collect();
    let names = names.ok_or("what is no service's name")?;
    match names.is_empty() {
        true => Err("no names"),
        false => Ok(names),
    }
}

fn some_names<'de, D: Deserializer<'de>>(names: D) -> Result<Vec<String>, D::Error> {
    Many::<String, MAX_NAMES>::deserialize(names).map(|names| names.0)
}

fn facts(value: &[u8]) -> Result<ServerFacts, &'static str> {
    let record = record(value, MAX_VALUE)?;
    let lines = [&record.version, &record.evaluator];
    if !lines.into_iter().flatten().all(|line| is_line(line)) {
        return Err("a text that is too long or no line");
    }
    Ok(ServerFacts {
        version: record.version,
        started: record.started,
        evaluator: record.evaluator,
        max_clients: record.max_clients,
        clients: record.clients,
    })
}

fn record(value: &[u8], max: usize) -> Result<Record, &'static str> {
    if value.len() > max {
        return Err("a value that is too long");
    }
    decode(value).map_err(|_| "a value that isn't what a server writes")
}

fn is_line(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

/// A name as servers write it.
fn name_of(text: &str) -> Option<ServiceName> {
    ServiceName::new(text).filter(|name| name.as_str() == text)
}

fn address_of(text: &str) -> Option<ServerAddress> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => host,
    };
    let is_host = (1..=MAX_HOST).contains(&host.len())
        && host
            .chars()
            .all(|char| char.is_ascii_graphic() && !"/[]@".contains(char));
    let port = port.parse().ok().filter(|&port: &u16| port > 0)?;
    is_host.then(|| ServerAddress::new(host, port))
}

fn text(bytes: &[u8], max: usize) -> Result<&str, &'static str> {
    if bytes.len() > max {
        return Err("a key that is too long");
    }
    std::str::from_utf8(bytes).map_err(|_| "a key that is no text")
}

fn uncoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let code = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        name.push(code.into());
        name.push_str(part.get(2..)?);
    }
    Some(name)
}

const NO_ADDRESS: &str = "no address of a server";
const FOREIGN: &str = "a key of something else";
/// Bytes of a prefix.
const MAX_PREFIX: usize = 256;
/// Bytes of a key: a prefix, a name, each of whose bytes may take three, a host.
const MAX_KEY: usize = 2_048;
/// Bytes of a value that is about one service.
const MAX_VALUE: usize = 4_096;
/// Bytes of one that has a server's names.
const MAX_INDEX: usize = 128 * 1024;
/// Bytes of a text within a value.
const MAX_TEXT: usize = 200;
/// Bytes of a host's name.
const MAX_HOST: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::below("/lab").expect("a short one")
    }

    #[test]
    fn each_name_and_each_address_has_a_key_of_its_own_from_which_it_is_read() {
        let long = "%".repeat(255);
        for name in ["NOTES", "A/B", "50%", "A B\n", "ÄÖ", "%2F", &long] {
            for (host, port) in [("10.0.0.1", 1), ("::1", 65_535), ("node-1.lab", 18_812)] {
                let server = ServerAddress::new(host, port);
                let key = keys().service_of(name, &server);
                let (read, front) = keys().name_in(key.as_bytes()).expect("one of ours");
                assert_eq!((read.as_str(), front), (name, &*keys().service(name)));
                let (entry, problem) = keys().entry(front, key.as_bytes(), b"{}").expect("one");
                assert_eq!((entry.address, problem), (server, None));
            }
        }
        assert_eq!(
            keys().service_of("A/B", &ServerAddress::new("::1", 7)),
            "/lab/services/A%2FB/[::1]:7"
        );
        assert_eq!(keys().servers_on("::1"), "/lab/servers/[::1]:");
        assert_eq!(end_of("/a/").0, b"/a0");
    }

    #[test]
    fn what_a_server_says_of_itself_is_read_back() {
        let facts = ServerFacts {
            version: Some("0.1.0".to_owned()),
            started: Some(1_700_000_000),
            evaluator: Some("RustPython 0.6".to_owned()),
            max_clients: Some(100),
            clients: Some(3),
        };
        let names = [ServiceName::new("a").expect("a name")];
        let value = value(&facts, &names, true);
        assert!(is_registrys(&value.0) && !is_registrys(b"{}"));
        assert_eq!(self::facts(&value.0), Ok(facts));
        assert_eq!(self::names(&value.0).as_deref(), Ok(&names[..]));
    }

    #[test]
    fn keys_and_values_of_others_are_left_out_and_told() {
        let front = keys().service("NOTES");
        for key in [
            "/lab/services/NOTES/",
            "/lab/services/NOTES/host",
            "/lab/services/NOTES/host:0",
            "/lab/services/NOTES/host:70000",
            "/lab/services/NOTES/[::1:1",
            "/lab/services/NOTES/ho st:1",
            "/lab/services/NOTES/a/b:1",
            "/lab/services/OTHER/a:1",
            "",
        ] {
            assert!(
                keys().entry(&front, key.as_bytes(), b"{}").is_err(),
                "{key}"
            );
        }
        let key = format!("{front}h:1");
        let long = format!("{{\"version\":\"{}\"}}", "1".repeat(201));
        let huge = vec![b' '; MAX_VALUE + 1];
        for value in [
            b"".as_slice(),
            b"\xff",
            b"7",
            b"{\"started\":-1}",
            b"{\"version\":\"\\u0007\"}",
        ]
        .into_iter()
        .chain([long.as_bytes(), &huge])
        {
            let (entry, problem) = keys().entry(&front, key.as_bytes(), value).expect("a key");
            assert!(entry.facts.is_none() && problem.is_some(), "{value:?}");
        }
        for key in [
            "/lab/services/notes/h:1",
            "/lab/services/%ZZ/h:1",
            "/lab/services/A",
            // Nobody who asks for A, B or C D finds a server there.
            "/lab/services/%41/h:1",
            "/lab/services/B/no address",
            "/lab/services/C D/h:1",
        ] {
            assert!(keys().name_in(key.as_bytes()).is_err(), "{key}");
        }
        for value in [
            "{}",
            "{\"names\":[\"\"]}",
            "{\"names\":[\"a\"]}",
            "{\"names\":\"a\"}",
        ] {
            assert!(names(value.as_bytes()).is_err(), "{value}");
        }
        assert!(Keys::below(&"p".repeat(300)).is_none());
    }
}
