//! The wire, byte by byte: frames, values, messages.
//!
//! Everything that can be wrong about bytes is decided here, in code that sees only slices and values. The layer
//! is pure: no sockets, threads, locks, clocks, logging, and no objects. Bytes go in, values come out, and every
//! limit is a parameter ([`Limits`]). No input makes it panic, overflow the stack, or allocate more than a small
//! multiple of the bytes that were received (or, for a compressed frame, of what [`Limits`] lets it inflate to).
//!
//! From the bottom up:
//!
//! | part | turns |
//! |---|---|
//! | [`FrameDecoder`], [`FrameBuf`] | a stream of bytes into payloads, and back |
//! | [`decode_value`], [`encode_to_vec`] | bytes into one [`Value`] (brine), and back |
//! | [`Envelope`] | a payload into a message and what stands around it |
//! | [`Message`] | a message into a request, a reply, or an exception, and back |
//! | [`Boxed`] | what an argument or a result is: a value, or a reference by [`IdPack`] |
//! | [`DumpedException`] | an exception as it travels (vinegar) |
//!
//! What is sent never exceeds what a receiver with the same limits accepts: the encoders check depth, counts,
//! digits and frame length by the same rules as the decoders.
#![deny(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

pub(crate) mod boxed;
mod boxed_read;
mod decode;
mod deflate;
mod dialect;
mod display;
mod encode;
mod envelope;
mod error;
mod exception;
mod frame;
mod framebuf;
mod handler;
pub(crate) mod heap_size;
mod idpack;
mod int;
mod limits;
mod message;
mod message_write;
mod plain_type;
mod reader;
mod seq;
mod string;
mod tag;
pub(crate) mod value;

pub use boxed::Boxed;
pub(crate) use boxed::Callee;
pub(crate) use boxed_read::{AsBoxed, Resolver};
pub use decode::{decode_value, decode_value_strict};
pub use deflate::InflateError;
pub use dialect::Dialect;
pub(crate) use dialect::MethodCall;
pub use encode::encode_to_vec;
pub use envelope::{Envelope, Threads};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, FrameError, ShapeError};
pub use exception::{DumpedException, NamedException};
pub use frame::FrameDecoder;
pub(crate) use frame::Payload;
pub use framebuf::FrameBuf;
pub use handler::Handler;
pub use idpack::{ClassId, IdPack, InstanceId, Kind};
pub use int::Int;
pub use limits::Limits;
pub(crate) use limits::settings;
pub use message::{Message, MessageError};
pub(crate) use message_write::{Arguments, Body, encode, encode_reference};
pub use plain_type::PlainType;
pub use seq::Seq;
pub use string::Str;
pub use value::Value;
