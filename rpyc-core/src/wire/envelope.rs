//! What stands around a message: its dialect, and between which threads it goes.

use bytes::Bytes;

use super::{
    dialect::{Dialect, ThreadIds},
    encode::Writer,
    error::{DecodeError, DecodeErrorKind},
};

/// Between which threads a message goes, where the peer has `bind_threads` on.
///
/// Python binds a thread that waits for an answer to the thread over there that works for it: the answer, and the
/// requests on the way to it, name both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Threads {
    /// The thread that sends the message.
    pub sender: u64,
    /// The thread that it is for; 0 where that is anyone.
    pub recipient: u64,
}

/// The dialect that a message is written in, and what the dialect wants to know beside it.
///
/// A [`Dialect`] alone is an envelope, too: without threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // a pair, made by whoever sends
pub struct Envelope {
    /// The dialect.
    pub dialect: Dialect,
    /// The threads; left out where the dialect doesn't tell them.
    pub threads: Threads,
}

impl From<Dialect> for Envelope {
    fn from(dialect: Dialect) -> Self {
        Self {
            dialect,
            threads: Threads::default(),
        }
    }
}

impl Envelope {
    /// Opens a payload: the threads that it tells, and the message that it holds.
    ///
    /// # Errors
    ///
    /// The payload is too short for what the dialect has in front of a message.
    pub fn open(dialect: Dialect, payload: Bytes) -> Result<(Threads, Bytes), DecodeError> {
        let length = dialect.threads().length();
        let Some(ids) = payload.get(..length) else {
            return Err(*DecodeError::at(
                0,
                DecodeErrorKind::Truncated {
                    reading: "ids of threads",
                    needed: length,
                    left: payload.len(),
                },
            ));
        };
        let (sender, recipient) = ids.split_at(length / 2);
        let id = |bytes: &[u8]| bytes.iter().fold(0, |id, byte| id << 8 | u64::from(*byte));
        let threads = Threads {
            sender: id(sender),
            recipient: id(recipient),
        };
        Ok((threads, payload.slice(length..)))
    }

    /// Writes what comes before the message.
    pub(super) fn write(self, writer: &mut Writer<'_>) {
        let Threads { sender, recipient } = self.threads;
        for id in [sender, recipient] {
            match self.dialect.threads() {
                ThreadIds::Absent => {}
                // What doesn't fit is no thread of a peer with short ids.
                ThreadIds::Short => writer.put(&u32::try_from(id).unwrap_or(0).to_be_bytes()),
                ThreadIds::Long => writer.put(&id.to_be_bytes()),
            }
        }
    }
}
