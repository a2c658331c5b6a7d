//! The bounds on what a peer can make this process do.

/// A struct of settings: for each its type and its default, and a setter of its name, to be chained. What
/// says `(into)` is converted by its setter.
macro_rules! settings {
    (
        $(#[$of_all:meta])*
        pub struct $all:ident;
        $($(#[$meta:meta])* $name:ident $(($into:ident))?: $kind:ty = $default:expr;)*
    ) => {
        $(#[$of_all])*
        pub struct $all {
            $($(#[$meta])* pub $name: $kind,)*
        }

        impl Default for $all {
            fn default() -> $all {
                $all { $($name: $default,)* }
            }
        }

        /// Setters, to be chained.
        impl $all {
            $($crate::wire::settings!(@setter $name $(($into))? $kind);)*
        }
    };
    (@setter $name:ident $kind:ty) => {
        $crate::wire::settings!(@setter $name value: $kind, value);
    };
    (@setter $name:ident (into) $kind:ty) => {
        $crate::wire::settings!(@setter $name value: impl Into<$kind>, value.into());
    };
    (@setter $name:ident $value:ident: $kind:ty, $converted:expr) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](Self#structfield.", stringify!($name), ").")]
        #[must_use]
        pub fn $name(mut self, $value: $kind) -> Self {
            self.$name = $converted;
            self
        }
    };
}
pub(crate) use settings;

settings! {
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
    pub struct Limits;

    /// Payload bytes of one frame as sent. 256 MiB.
    ///
    /// Stops a header that announces 4 GiB: it is refused before anything is allocated. What lies below the bound
    /// is allocated only as its bytes arrive.
    max_frame: usize = 256 << 20;
    /// Payload bytes of one compressed frame after inflating. 256 MiB.
    ///
    /// Stops a deflate bomb, in which one megabyte becomes a gigabyte.
    max_inflated: usize = 256 << 20;
    /// How many times its own size a compressed frame may inflate to, once the result is over 16 MiB. 256.
    ///
    /// Stops a peer for which a byte sent costs a thousand bytes and their processor time here: deflate
    /// itself reaches 1,032. Python's rpyc compresses with level 1, which reaches 229 on nothing but zero bytes, so
    /// an honest peer is never refused.
    max_inflate_ratio: usize = 256;
    /// Nesting of tuples, frozensets and slices in a result, or in the tuple of a request's arguments. 100.
    ///
    /// Stops a few kilobytes of tuple headers that overflow the stack when they are read, compared or dropped.
    /// Values over 250 count as 250, which a thread with a stack of one megabyte survives.
    max_depth: usize = 100;
    /// Items in all tuples, frozensets and slices of one frame together. 1,000,000, and never more than there are
    /// bytes.
    ///
    /// Stops a count of 4 billion in front of nothing, and a frame of one-byte items that takes 40 times its size
    /// in memory.
    max_items: usize = 1_000_000;
    /// Decimal digits of one int. 4,300, as in Python. An int of 64 bits always passes.
    ///
    /// Stops the quadratic cost of reading a number of a million digits. A longer int can't be sent by value: a
    /// Python peer would fail to read it, and drop the connection.
    max_int_digits: usize = 4_300;
    /// Bytes of an encoded sequence number. 256.
    ///
    /// A peer's sequence number may be any value and is echoed as it came. Stops one of 100 MB, which would be
    /// kept with each pending request and sent back.
    max_seq: usize = 256;
    /// Arguments, and attributes, of one exception. 1,000 of each; more are dropped.
    ///
    /// Stops an exception with a million attributes, each of which would be set on an object here.
    max_exception_items: usize = 1_000;
    /// Bytes of an exception's traceback text. 1 MiB; the middle of a longer one is cut out.
    ///
    /// Stops a text of 100 MB that is kept with the exception, and logged.
    max_traceback: usize = 1 << 20;
}

impl Limits {
    /// The nesting that [`max_depth`](Self::max_depth) can't raise: decoding, comparing and dropping recurse.
    pub(crate) const DEPTH_CEILING: usize = 250;
    /// Inflated bytes that [`max_inflate_ratio`](Self::max_inflate_ratio) leaves alone.
    pub(crate) const RATIO_FREE: usize = 16 << 20;

    /// The nesting in force: [`max_depth`](Self#structfield.max_depth), but no more than the ceiling.
    pub(crate) fn depth(&self) -> usize {
        self.max_depth.min(Self::DEPTH_CEILING)
    }
}
