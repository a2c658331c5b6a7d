//! What the peers are made to do.

/// The shape of a client's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// One call at a time that carries nothing.
    Null,
    /// One call at a time, each of which returns a new object: its netref is dropped at once.
    Fresh,
    /// Many calls unanswered at a time, on one connection.
    Pipe,
    /// Many connections, each with one call at a time.
    Fan,
    /// Calls that carry bytes.
    Bulk,
    /// Connections that have made one call and then do nothing.
    Hold,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Null,
        Kind::Fresh,
        Kind::Pipe,
        Kind::Fan,
        Kind::Bulk,
        Kind::Hold,
    ];

    /// Its name on the command line of a client.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Fresh => "fresh",
            Kind::Pipe => "pipe",
            Kind::Fan => "fan",
            Kind::Bulk => "bulk",
            Kind::Hold => "hold",
        }
    }

    /// Whether it is measured by how long a call takes, and not by how many there are a second.
    pub(crate) fn is_latency(self) -> bool {
        matches!(self, Kind::Null | Kind::Fresh)
    }
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cores {
    /// Both on the first one.
    Same,
    /// One each.
    Split,
    /// Wherever the scheduler puts them.
    Any,
}

/// One row of what is measured.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// Its name on the command line and in the tables.
    pub name: &'static str,
    /// The shape of the work.
    pub kind: Kind,
    /// Where the processes run. A latency without this says nothing: the scheduler flips between
    /// the placements, and one takes three times as long as the other.
    pub cores: Cores,
    /// How many calls are unanswered.
    pub window: usize,
    /// How many connections there are.
    pub connections: usize,
    /// How many bytes a call carries.
    pub size: usize,
}

const fn scenario(name: &'static str, kind: Kind, cores: Cores) -> Scenario {
    Scenario {
        name,
        kind,
        cores,
        window: 1,
        connections: 1,
        size: 0,
    }
}

/// Everything that is compared.
pub const SCENARIOS: [Scenario; 9] = [
    scenario("null-same", Kind::Null, Cores::Same),
    scenario("null-split", Kind::Null, Cores::Split),
    scenario("fresh-same", Kind::Fresh, Cores::Same),
    scenario("fresh-split", Kind::Fresh, Cores::Split),
    Scenario {
        window: 64,
        ..scenario("pipe-64", Kind::Pipe, Cores::Any)
    },
    Scenario {
        window: 1024,
        ..scenario("pipe-1024", Kind::Pipe, Cores::Any)
    },
    Scenario {
        connections: 64,
        ..scenario("fan-64", Kind::Fan, Cores::Any)
    },
    Scenario {
        size: 64 << 10,
        ..scenario("bulk-64k", Kind::Bulk, Cores::Any)
    },
    Scenario {
        size: 1 << 20,
        ..scenario("bulk-1m", Kind::Bulk, Cores::Any)
    },
];
