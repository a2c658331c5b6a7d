//! `dict!`: a dict as Python writes it.

use super::{Dict, ObjectResult};

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
        let dict: $crate::object::ObjectResult<$crate::object::Dict> =
            ::core::result::Result::Ok($crate::object::Dict::new());
        // Each in a statement of its own: what it locks is free again for the next one.
        $(
            let dict = $crate::object::with_entry(
                dict,
                $crate::object::IntoAny::into_any($key),
                $crate::object::IntoAny::into_any($value),
            );
        )*
        dict
    }};
}

/// The dict with another entry.
#[doc(hidden)]
pub fn with_entry(
    dict: ObjectResult<Dict>,
    key: ObjectResult,
    value: ObjectResult,
) -> ObjectResult<Dict> {
    let dict = dict?;
    dict.insert(key?, value?)?;
    Ok(dict)
}
