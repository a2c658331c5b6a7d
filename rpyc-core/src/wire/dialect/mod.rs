//! The versions of the wire, and how their messages are put in the terms of the newest one.
//!
//! Everything above the wire layer knows the messages of rpyc 6 only. What an older peer says differently is said in
//! those terms when it is read, and put back when it is written.

mod detect;
mod exceptions;
mod methods;
mod names;
mod requests;

use std::fmt;

use super::{handler::Handler, plain_type::PlainType};

pub(super) use self::exceptions::as_sent;
pub(super) use self::names::{name, split};
pub(super) use self::requests::{named_by, number_of};

/// A version of the wire format, fixed for a connection by its first frames.
///
/// The first payload shows most of it ([`detect`](Dialect::detect)), the messages behind it the rest
/// ([`learn`](Dialect::learn)).
///
/// ```
/// use rpyc_core::wire::Dialect;
///
/// // The same request in rpyc 6 and later, with the ids of threads in front of it, and in rpyc 3 to 5.
/// let getroot = b"\x01\x11\x50\x11\x53\x11\x51\x02";
/// assert_eq!(Dialect::detect(getroot)?, Dialect::CURRENT);
/// assert_eq!(Dialect::detect(&[&[0; 16][..], getroot].concat())?, Dialect::CURRENT.with_threads());
/// assert_eq!(Dialect::detect(b"\x12\x51\x50\x11\x53\x11\x51\x02")?, Dialect::LEGACY);
/// # Ok::<(), rpyc_core::wire::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(align(4))] // so that it fits an atomic, which every message asks for it
pub struct Dialect {
    framing: Framing,
    threads: ThreadIds,
    references: References,
    python: Python,
}

/// How a message is put together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Framing {
    /// A byte and a pair: rpyc 6.
    #[default]
    Pair,
    /// A triple: all before.
    Triple,
}

/// What stands in front of each message about threads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum ThreadIds {
    /// Nothing.
    #[default]
    Absent,
    /// Two numbers of 32 bits: bind_threads of rpyc 5.3.0.
    Short,
    /// Two numbers of 64 bits: bind_threads of all later ones.
    Long,
}

/// What a reference is, and what a request is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum References {
    /// An id_pack: rpyc 4.1 and later.
    #[default]
    IdPack,
    /// Not known yet: nothing but the root can have been asked for.
    Unknown,
    /// A number, and the peer is rpyc 3 or 4.0.
    Number,
    /// A number, which stands bare where a request is about it: rpyc 3.
    NumberBare,
    /// A number, which is boxed as any argument: rpyc 4.0.
    NumberBoxed,
    /// An id_pack, and it isn't known yet whether the peer tells kinds: rpyc 6 or rpyc-ng 7.
    AnyIdPack,
    /// An id_pack that tells the kind of the object: rpyc-ng 7.
    IdPackWithKind,
}

/// Whether references to objects of this side tell the kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kinds {
    /// They don't.
    Untold,
    /// They do.
    Told,
    /// They do, with one item more that says that this side doesn't know yet which version the peer has. Python's
    /// peers ignore the items that they don't know.
    ToWhomever,
}

/// How a method of a peer's object is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MethodCall {
    /// By CALLATTR.
    AtOnce,
    /// The peer has no such request: its attribute is got, and then called.
    InTwoSteps,
    /// By a request of its own, which takes no arguments.
    By(Handler),
}

impl Kinds {
    /// How many items an id_pack has.
    pub(super) const fn items(self) -> usize {
        match self {
            Self::Untold => 3,
            Self::Told => 4,
            Self::ToWhomever => 5,
        }
    }
}

/// Which Python the peer runs on: Python 2 has other names for things.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Python {
    /// Python 3.
    #[default]
    Three,
    Unknown,
    Two,
}

impl Dialect {
    /// Python's rpyc 6.
    pub const V6: Self = Self {
        framing: Framing::Pair,
        threads: ThreadIds::Absent,
        references: References::IdPack,
        python: Python::Three,
    };

    /// The fork rpyc-ng, version 7.
    pub const NG7: Self = Self {
        references: References::IdPackWithKind,
        ..Self::V6
    };

    /// rpyc 6 or rpyc-ng 7; which of them is still to be learnt.
    pub const CURRENT: Self = Self {
        references: References::AnyIdPack,
        ..Self::V6
    };

    /// Python's rpyc 3.4 to 5.3; which of them is still to be learnt.
    pub const LEGACY: Self = Self {
        framing: Framing::Triple,
        threads: ThreadIds::Absent,
        references: References::Unknown,
        python: Python::Unknown,
    };

    /// The same, of a peer that has `bind_threads` on: each message tells between which threads it goes.
    #[must_use]
    pub const fn with_threads(mut self) -> Self {
        self.threads = ThreadIds::Long;
        self
    }

    /// Whether each message tells between which threads it goes.
    pub const fn has_threads(self) -> bool {
        !matches!(self.threads, ThreadIds::Absent)
    }

    /// Whether nothing is left to be learnt.
    pub const fn is_settled(self) -> bool {
        !matches!(
            self.references,
            References::Unknown | References::Number | References::AnyIdPack
        ) && !matches!(self.python, Python::Unknown)
    }

    /// Whether a peer that was spoken to in this dialect may answer in the other one: it differs at most in what
    /// was still to be learnt.
    pub fn agrees_with(self, other: Self) -> bool {
        (self.framing, self.threads) == (other.framing, other.threads)
    }

    /// The same, with threads told as in the other one.
    pub(crate) fn with_threads_of(mut self, other: Self) -> Self {
        self.threads = other.threads;
        self
    }

    pub(super) const fn framing(self) -> Framing {
        self.framing
    }

    pub(super) const fn threads(self) -> ThreadIds {
        self.threads
    }

    pub(super) const fn references(self) -> References {
        self.references
    }

    /// Whether the peer may send types by value.
    pub(super) const fn reads_types(self) -> bool {
        matches!(
            self.references,
            References::AnyIdPack | References::IdPackWithKind
        )
    }

    /// Whether the peer takes this type by value.
    pub(crate) const fn writes_type(self, plain: PlainType) -> bool {
        matches!(self.references, References::IdPackWithKind) && plain.is_read_everywhere()
    }

    /// How a method of a peer's object is called.
    pub(crate) fn method_call(self, name: &str) -> MethodCall {
        match (self.references, name) {
            (References::IdPackWithKind, methods::TRUTH) => MethodCall::By(Handler::Bool),
            (References::IdPackWithKind, _) => MethodCall::InTwoSteps,
            _ => MethodCall::AtOnce,
        }
    }

    /// Whether the peer is told of an exception that leaves a context as of any other: by value.
    pub(crate) const fn leaves_by_value(self) -> bool {
        matches!(self.references, References::IdPackWithKind)
    }

    pub(super) const fn is_python2(self) -> bool {
        matches!(self.python, Python::Two)
    }
}

impl References {
    /// Whether a reference is a number, not an id_pack.
    pub(super) const fn are_numbers(self) -> bool {
        matches!(self, Self::Number | Self::NumberBare | Self::NumberBoxed)
    }

    /// Whether references to objects of this side tell the kind.
    pub(super) const fn kinds(self) -> Kinds {
        match self {
            Self::AnyIdPack => Kinds::ToWhomever,
            Self::IdPackWithKind => Kinds::Told,
            _ => Kinds::Untold,
        }
    }
}

impl ThreadIds {
    /// How many bytes they take.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Short => 8,
            Self::Long => 16,
        }
    }
}

/// Which versions speak it: `rpyc 4.1 to 5.3`.
impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.framing, self.references) {
            (_, References::IdPackWithKind) => "rpyc-ng 7",
            (_, References::AnyIdPack) => "rpyc 6 or rpyc-ng 7",
            (Framing::Pair, _) => "rpyc 6",
            (Framing::Triple, References::IdPack) => "rpyc 4.1 to 5.3",
            (Framing::Triple, References::Unknown) => "rpyc 5.3 or older",
            (Framing::Triple, References::Number) => "rpyc 4.0 or older",
            (Framing::Triple, References::NumberBoxed) => "rpyc 4.0",
            (Framing::Triple, References::NumberBare) => "rpyc 3",
        })?;
        if self.is_python2() {
            f.write_str(" on Python 2")?;
        }
        if self.has_threads() {
            f.write_str(" with bind_threads")?;
        }
        Ok(())
    }
}
