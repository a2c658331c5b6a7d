//! What goes to etcd's gateway and comes back: JSON, in which bytes are base64 and long integers
//! are text. Pure.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a key or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Blob {
    pub(super) fn of(text: &str) -> Blob {
        Blob(text.as_bytes().to_vec())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Base64;
        impl Visitor<'_> for Base64 {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                STANDARD.decode(text).map(Blob).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Base64)
    }
}

/// An integer of 64 bits: text on the wire, or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Long(pub(super) i64);

impl Serialize for Long {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Long {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Long, D::Error> {
        struct Integer;
        impl Visitor<'_> for Integer {
            type Value = Long;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Long, E> {
                text.parse().map(Long).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Long, E> {
                Ok(Long(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Long, E> {
                number.try_into().map(Long).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Integer)
    }
}

/// A list that ends, as an error, with more than `MAX` elements: `{},{},{}` takes thirty times as much
/// memory as text.
#[derive(Debug)]
pub(super) struct Many<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Many<T, MAX> {
    fn default() -> Many<T, MAX> {
        Many(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Many<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Many<T, MAX>, D::Error> {
        struct List<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
            type Value = Many<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of up to {MAX} elements")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    if all.len() == MAX {
                        return Err(de::Error::invalid_length(MAX + 1, &self));
                    }
                    all.push(element);
                }
                Ok(Many(all))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Range {
    pub(super) key: Blob,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range_end: Option<Blob>,
    pub(super) limit: Long,
    pub(super) keys_only: bool,
    pub(super) count_only: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Ranged {
    pub(super) header: Header,
    pub(super) kvs: Many<Pair, PAGE>,
    pub(super) more: bool,
    pub(super) count: Long,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub(super) revision: Long,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pair {
    pub(super) key: Blob,
    pub(super) value: Blob,
    pub(super) create_revision: Long,
    pub(super) lease: Long,
}

impl Pair {
    /// Whether it is on a lease, and not on this one.
    pub(super) fn is_of_another(&self, lease: i64) -> bool {
        self.lease.0 != 0 && self.lease.0 != lease
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Grant {
    #[serde(rename = "ID")]
    pub(super) id: Long,
    #[serde(rename = "TTL")]
    pub(super) ttl: Long,
}

#[derive(Debug, Serialize)]
pub(super) struct LeaseQuestion {
    #[serde(rename = "ID")]
    pub(super) id: Long,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) keys: bool,
}

/// A lease: its id when it is new; the seconds that it has left, none if it is over; and the keys on it
/// where they are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Lease {
    #[serde(rename = "ID")]
    pub(super) id: Long,
    #[serde(rename = "TTL")]
    pub(super) ttl: Long,
    pub(super) keys: Many<Blob, PAGE>,
}

/// One message of an answer that is a stream of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Streamed<T: Default> {
    pub(super) result: Option<T>,
    pub(super) error: Option<Refusal>,
}

#[derive(Debug, Serialize)]
pub(super) struct Txn {
    pub(super) compare: Vec<Compare>,
    pub(super) success: Vec<Op>,
    pub(super) failure: Vec<Op>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "target", rename_all = "UPPERCASE")]
pub(super) enum Compare {
    Lease { key: Blob, lease: Long },
    Value { key: Blob, value: Blob },
}

impl Compare {
    pub(super) fn lease_of(put: &Put) -> Compare {
        Compare::Lease {
            key: put.key.clone(),
            lease: put.lease,
        }
    }

    pub(super) fn value_of(put: &Put) -> Compare {
        Compare::Value {
            key: put.key.clone(),
            value: put.value.clone(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    RequestPut(Put),
    RequestRange(Range),
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Put {
    pub(super) key: Blob,
    pub(super) value: Blob,
    pub(super) lease: Long,
}

/// What a transaction has done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    pub(super) succeeded: bool,
    responses: Many<Response, PAGE>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    response_range: Ranged,
}

impl Done {
    /// The pair that its first operation has looked for.
    pub(super) fn first(&self) -> Option<&Pair> {
        self.responses.0.first()?.response_range.kvs.0.first()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Login<'a> {
    pub(super) name: &'a str,
    pub(super) password: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Token {
    pub(super) token: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WatchRequest {
    pub(super) create_request: WatchCreate,
}

#[derive(Debug, Serialize)]
pub(super) struct WatchCreate {
    pub(super) key: Blob,
    pub(super) range_end: Blob,
    pub(super) start_revision: Long,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Watched {
    pub(super) canceled: bool,
    pub(super) events: Many<Event, MAX_EVENTS>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) kv: Pair,
}

impl Event {
    pub(super) fn is_delete(&self) -> bool {
        self.kind == "DELETE"
    }
}

/// What etcd says when it doesn't do something: gRPC's number, and a text. Either stands within
/// `error`, too, which may also be the text alone: so differ its versions, and answers that go on.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) code: i64,
    pub(super) message: String,
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Refusal, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Fields {
            code: i64,
            grpc_code: i64,
            message: String,
            error: Option<Box<Refusal>>,
        }
        struct Said;
        impl<'de> Visitor<'de> for Said {
            type Value = Refusal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error, or its text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Refusal, E> {
                let message = text.to_owned();
                Ok(Refusal { code: 0, message })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Refusal, A::Error> {
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                let inner = fields.error.map_or_else(Refusal::default, |inner| *inner);
                let codes = [fields.code, fields.grpc_code, inner.code];
                let code = codes.into_iter().find(|&code| code != 0).unwrap_or(0);
                let message = match fields.message.is_empty() {
                    true => inner.message,
                    false => fields.message,
                };
                Ok(Refusal { code, message })
            }
        }
        deserializer.deserialize_any(Said)
    }
}

impl Refusal {
    /// Whether it is the token that doesn't do: an unknown one, or one from before a change of users.
    pub(super) fn is_about_token(&self) -> bool {
        // The number for the others differs by etcd's version.
        let texts = [
            "revision of auth store is old",
            "revision in header is old",
            "user name is empty",
        ];
        let is_outdated = texts.iter().any(|text| self.message.contains(text));
        self.code == UNAUTHENTICATED || is_outdated
    }
}

/// Nothing of the answer is used.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ignored {}

pub(super) fn encode(question: &impl Serialize) -> Vec<u8> {
    // No map with keys that aren't text, and nothing that fails by itself.
    serde_json::to_vec(question).unwrap_or_default()
}

pub(super) fn decode<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    serde_json::from_slice(answer).map_err(|error| error.to_string())
}

/// Pairs that are asked for at a time.
pub(super) const PAGE: usize = 1_000;
/// Events in one message. etcd sends those of up to a thousand changes together, each of which may be
/// of a few keys.
const MAX_EVENTS: usize = 20_000;

/// gRPC's numbers for what went wrong.
pub(super) const NOT_FOUND: i64 = 5;
pub(super) const ALREADY_THERE: i64 = 9;
pub(super) const UNAUTHENTICATED: i64 = 16;
