//! The bounds on what a peer can make this process do.

/// How much a peer may ask of the wire layers: each bound, its default, and the attack that it stops.
///
/// The same bounds hold for what is sent, so that nothing leaves which a peer with equal limits would refuse.
///
/// ```
/// use rpyc_core::wire::Limits;
///
/// let limits = Limits::default().max_frame(16 << 20).max_depth(64);
/// assert_eq!(limits.max_frame, 16 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Payload bytes of one frame as sent. 256 MiB.
    ///
    /// Stops a header that announces 4 GiB: it is refused before anything is allocated. What lies below the bound
    /// is allocated only as its bytes arrive.
    pub max_frame: usize,
    /// Payload bytes of one compressed frame after inflating. 256 MiB.
    ///
    /// Stops a deflate bomb, in which one megabyte becomes a gigabyte.
    pub max_inflated: usize,
    /// How many times its own size a compressed frame may inflate to, once the result is over 16 MiB. 256.
    ///
    /// Stops a peer for which a byte sent costs a thousand bytes and their processor time here: deflate
    /// itself reaches 1,032. Python's rpyc compresses with level 1, which reaches 229 on nothing but zero bytes, so
    /// an honest peer is never refused.
    pub max_inflate_ratio: usize,
    /// Nesting of tuples, frozensets and slices in a result, or in the tuple of a request's arguments. 100.
    ///
    /// Stops a few kilobytes of tuple headers that overflow the stack when they are read, compared or dropped.
    /// Values over 250 count as 250, which a thread with a stack of one megabyte survives.
    pub max_depth: usize,
    /// Items in all tuples, frozensets and slices of one frame together. 1,000,000, and never more than there are
    /// bytes.
    ///
    /// Stops a count of 4 billion in front of nothing, and a frame of one-byte items that takes 40 times its size
    /// in memory.
    pub max_items: usize,
    /// Decimal digits of one int. 4,300, as in Python. An int of 64 bits always passes.
    ///
    /// Stops the quadratic cost of reading a number of a million digits. A longer int can't be sent by value: a
    /// Python peer would fail to read it, and drop the connection.
    pub max_int_digits: usize,
    /// Bytes of an encoded sequence number. 256.
    ///
    /// A peer's sequence number may be any value and is echoed as it came. Stops one of 100 MB, which would be
    /// kept with each pending request and sent back.
    pub max_seq: usize,
    /// Arguments, and attributes, of one exception. 1,000 of each; more are dropped.
    ///
    /// Stops an exception with a million attributes, each of which would be set on an object here.
    pub max_exception_items: usize,
    /// Bytes of an exception's traceback text. 1 MiB; the middle of a longer one is cut out.
    ///
    /// Stops a text of 100 MB that is kept with the exception, and logged.
    pub max_traceback: usize,
}

impl Limits {
    /// The nesting that [`max_depth`](Self::max_depth) can't raise: decoding, comparing and dropping recurse.
    pub(crate) const DEPTH_CEILING: usize = 250;
    /// Inflated bytes that [`max_inflate_ratio`](Self::max_inflate_ratio) leaves alone.
    pub(crate) const RATIO_FREE: usize = 16 << 20;

    /// Sets [`max_frame`](Self#structfield.max_frame).
    #[must_use]
    pub fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Sets [`max_inflated`](Self#structfield.max_inflated).
    #[must_use]
    pub fn max_inflated(mut self, bytes: usize) -> Self {
        self.max_inflated = bytes;
        self
    }

    /// Sets [`max_inflate_ratio`](Self#structfield.max_inflate_ratio).
    #[must_use]
    pub fn max_inflate_ratio(mut self, ratio: usize) -> Self {
        self.max_inflate_ratio = ratio;
        self
    }

    /// Sets [`max_depth`](Self#structfield.max_depth).
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    /// Sets [`max_items`](Self#structfield.max_items).
    #[must_use]
    pub fn max_items(mut self, items: usize) -> Self {
        self.max_items = items;
        self
    }

    /// Sets [`max_int_digits`](Self#structfield.max_int_digits).
    #[must_use]
    pub fn max_int_digits(mut self, digits: usize) -> Self {
        self.max_int_digits = digits;
        self
    }

    /// Sets [`max_seq`](Self#structfield.max_seq).
    #[must_use]
    pub fn max_seq(mut self, bytes: usize) -> Self {
        self.max_seq = bytes;
        self
    }

    /// Sets [`max_exception_items`](Self#structfield.max_exception_items).
    #[must_use]
    pub fn max_exception_items(mut self, items: usize) -> Self {
        self.max_exception_items = items;
        self
    }

    /// Sets [`max_traceback`](Self#structfield.max_traceback).
    #[must_use]
    pub fn max_traceback(mut self, bytes: usize) -> Self {
        self.max_traceback = bytes;
        self
    }

    /// The nesting in force: [`max_depth`](Self#structfield.max_depth), but no more than the ceiling.
    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(Self::DEPTH_CEILING)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame: 256 << 20,
            max_inflated: 256 << 20,
            max_inflate_ratio: 256,
            max_depth: 100,
            max_items: 1_000_000,
            max_int_digits: 4_300,
            max_seq: 256,
            max_exception_items: 1_000,
            max_traceback: 1 << 20,
        }
    }
}
