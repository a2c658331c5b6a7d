//! What the peers are made to do.

/// The shape of a client's work. What it is about, its *load*, is a number that comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// One call at a time that carries nothing.
    Null,
    /// One call at a time, each of which returns a new object: its netref is dropped at once.
    Fresh,
    /// As many calls unanswered at a time, on one connection.
    Pipe,
    /// As many connections, each with one call at a time.
    Fan,
    /// Calls that carry as many bytes.
    Bulk,
    /// As many connections that have made one call and then do nothing.
    Hold,
    /// One call at a time, each of another of as many objects that the client has references to.
    References,
    /// One call at a time, each on another of as many connections.
    Turns,
    /// Calls within calls, as deep: each end calls the other before it answers.
    Nested,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 9] = [
        Kind::Null,
        Kind::Fresh,
        Kind::Pipe,
        Kind::Fan,
        Kind::Bulk,
        Kind::Hold,
        Kind::References,
        Kind::Turns,
        Kind::Nested,
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
            Kind::References => "references",
            Kind::Turns => "turns",
            Kind::Nested => "nested",
        }
    }

    /// Whether it is measured by how long a call takes, and not by how many there are a second.
    pub(crate) fn is_latency(self) -> bool {
        matches!(self, Kind::Null | Kind::Fresh)
    }

    /// The fewest calls that say anything.
    pub(crate) fn least_calls(self, load: usize) -> usize {
        let load = load.max(1);
        match self {
            Kind::Pipe | Kind::Fan | Kind::Turns => 2 * load,
            Kind::Bulk => ((8 << 20) / load).clamp(3, 20),
            Kind::Nested => (100 / load).clamp(3, 20),
            Kind::Null | Kind::Fresh | Kind::Hold | Kind::References => 20,
        }
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
    /// How much of what the kind of work is about.
    pub load: usize,
}

impl Scenario {
    pub(crate) const fn new(name: &'static str, kind: Kind, cores: Cores, load: usize) -> Scenario {
        Scenario {
            name,
            kind,
            cores,
            load,
        }
    }
}

/// Everything that is compared.
pub const SCENARIOS: [Scenario; 9] = [
    Scenario::new("null-same", Kind::Null, Cores::Same, 1),
    Scenario::new("null-split", Kind::Null, Cores::Split, 1),
    Scenario::new("fresh-same", Kind::Fresh, Cores::Same, 1),
    Scenario::new("fresh-split", Kind::Fresh, Cores::Split, 1),
    Scenario::new("pipe-64", Kind::Pipe, Cores::Any, 64),
    Scenario::new("pipe-1024", Kind::Pipe, Cores::Any, 1024),
    Scenario::new("fan-64", Kind::Fan, Cores::Any, 64),
    Scenario::new("bulk-64k", Kind::Bulk, Cores::Any, 64 << 10),
    Scenario::new("bulk-1m", Kind::Bulk, Cores::Any, 1 << 20),
];
