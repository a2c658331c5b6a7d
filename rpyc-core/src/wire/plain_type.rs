//! The types that rpyc-ng sends by value.

macro_rules! types {
    ($($(#[$doc:meta])* $type:ident = $tag:literal $name:literal,)*) => {
        /// The type of a plain value. Only rpyc-ng sends and takes one by value; for every other peer a class is a
        /// reference.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum PlainType {
            $($(#[$doc])* $type,)*
        }

        impl PlainType {
            /// All of them.
            pub const ALL: [Self; 9] = [$(Self::$type),*];

            /// Its name, as `__name__` has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$type => $name,)*
                }
            }

            pub(super) const fn tag(self) -> u8 {
                match self {
                    $(Self::$type => $tag,)*
                }
            }

            pub(super) const fn of_tag(tag: u8) -> Option<Self> {
                match tag {
                    $($tag => Some(Self::$type),)*
                    _ => None,
                }
            }
        }
    };
}

types! {
    /// `type(None)`
    None = 0x1c "NoneType",
    /// `int`
    Int = 0x1d "int",
    /// `bool`
    Bool = 0x1e "bool",
    /// `float`
    Float = 0x1f "float",
    /// `bytes`
    Bytes = 0xf0 "bytes",
    /// `str`
    Str = 0xf1 "str",
    /// `complex`
    Complex = 0xf2 "complex",
    /// `type(NotImplemented)`
    NotImplemented = 0xf3 "NotImplementedType",
    /// `type(...)`
    Ellipsis = 0xf4 "ellipsis",
}

impl PlainType {
    /// Whether rpyc-ng can read what it would be sent as: of two types it only writes the tags.
    pub const fn is_read_everywhere(self) -> bool {
        !matches!(self, Self::NotImplemented | Self::Ellipsis)
    }
}
