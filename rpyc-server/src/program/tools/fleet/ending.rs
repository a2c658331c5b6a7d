//! What became of a tool at a server, and how that is shown.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::printable::on_one_line;

/// How a fleet's outcome is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    pub(super) json: bool,
    pub(super) quiet: bool,
    // The table is what was asked for, and goes where results go.
    pub(super) is_table_result: bool,
}

/// What a tool has done with a server.
#[derive(Debug, Default)]
pub(in crate::program::tools) struct Done {
    /// Not as it should be, although the server has answered: the code raised an exception, say.
    pub(in crate::program::tools) failed: bool,
    /// In words, for the table.
    pub(in crate::program::tools) text: String,
    /// The same in numbers, for programs.
    pub(in crate::program::tools) details: Map<String, Value>,
}

/// How it ended with a server.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) details: Map<String, Value>,
    pub(super) took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ok,
    Failed,
    /// By Ctrl-C, before its end or before it began.
    Interrupted,
}

impl Ending {
    pub(super) fn new(kind: Kind, text: &str, began: Instant) -> Ending {
        Ending {
            kind,
            text: shortened(&on_one_line(text), MAX_TEXT),
            details: Map::new(),
            took: began.elapsed(),
        }
    }
}

/// What the one who waits for the fleet is told.
#[derive(Debug)]
pub(super) enum Event {
    /// It is done with a server.
    Ended(usize, Ending),
    /// The server has printed more than it may.
    Exceeded(usize),
    /// The standard output can't be written.
    OutputLost,
    /// Ctrl-C.
    Interrupt,
}

/// The text, or its beginning and three dots.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A server has its say in how it ended; this keeps it to a line of the table.
const MAX_TEXT: usize = 300;
