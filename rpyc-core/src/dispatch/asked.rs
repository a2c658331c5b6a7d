//! [`Asked`]: what a request of ours asks for, in the words that people are told.

use std::fmt;

use crate::wire::{Handler, Str};

/// What a request asks for: a handler and, of a method or an attribute, its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    handler: Handler,
    name: Option<Str>,
}

impl Asked {
    pub(crate) fn new(handler: Handler, name: Option<Str>) -> Asked {
        Asked { handler, name }
    }

    pub(crate) fn handler(&self) -> Handler {
        self.handler
    }

    /// Whether the end of the connection.
    pub(super) fn is_close(&self) -> bool {
        self.handler == Handler::Close
    }

    /// The request of this seq: `measure (CALLATTR, seq 52)`.
    pub(crate) fn at(&self, seq: u64) -> impl fmt::Display {
        fmt::from_fn(move |f| match &self.name {
            Some(name) => write!(f, "{name} ({}, seq {seq})", self.handler),
            None => write!(f, "{} (seq {seq})", self.handler),
        })
    }
}

impl From<Handler> for Asked {
    fn from(handler: Handler) -> Asked {
        Asked::new(handler, None)
    }
}
