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
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::object::dict_of_entries([$((
            $crate::object::IntoAny::into_any($key),
            $crate::object::IntoAny::into_any($value),
        )),*])
    };
}

/// What [`dict!`] is.
#[doc(hidden)]
pub fn dict_of_entries<const N: usize>(
    entries: [(ObjectResult, ObjectResult); N],
) -> Result<Dict, Exception> {
    let dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key?, value?)?;
    }
    Ok(dict)
}
