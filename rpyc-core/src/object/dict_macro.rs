//! `dict!`: a dict as Python writes it.

use super::{Dict, ObjectResult};
use crate::exception::Exception;

/// Builds a [`Dict`](crate::object::Dict) in the order given: `dict! { "volts" => 1.5, "channel" => 3 }`.
///
/// Keys and values are whatever [`IntoAny`](crate::object::IntoAny) takes. It gives a `Result`, which a
/// method can return and [`args!`](crate::args) takes as it is:
///
/// ```
/// use rpyc_core::object::Dict;
/// use rpyc_core::{Exception, args, dict, service};
///
/// struct Lab;
///
/// #[service]
/// impl Lab {
///     #[exposed]
///     fn read(&self, channel: u32) -> Result<Dict, Exception> {
///         dict! { "channel" => channel, "volts" => 1.5, "range" => (0, 10) }
///     }
/// }
///
/// let args = args![settings = dict! { "gain" => 2.0 }];
/// ```
///
/// # Errors
/// What a conversion raised; a TypeError for a key that isn't hashable.
#[macro_export]
macro_rules! dict {
    ($($key:expr => $value:expr),* $(,)?) => {{
        let entries = $crate::object::DictEntries::new();
        // Each in a statement of its own: what it locks is free again for the next one.
        $(
            let entries = entries.entry(
                $crate::object::IntoAny::into_any($key),
                $crate::object::IntoAny::into_any($value),
            );
        )*
        entries.finish()
    }};
}

/// What [`dict!`] gathers.
#[doc(hidden)]
#[derive(Debug)]
pub struct DictEntries(Result<Dict, Exception>);

impl DictEntries {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)] // of the macro alone
    pub fn new() -> DictEntries {
        DictEntries(Ok(Dict::new()))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn entry(self, key: ObjectResult, value: ObjectResult) -> DictEntries {
        DictEntries(self.0.and_then(|dict| {
            dict.insert(key?, value?)?;
            Ok(dict)
        }))
    }

    #[doc(hidden)]
    pub fn finish(self) -> Result<Dict, Exception> {
        self.0
    }
}
