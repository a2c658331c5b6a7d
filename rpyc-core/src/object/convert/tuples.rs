//! Conversions of tuples.

use super::{ConversionError, FromAny, IntoAny, items};
use crate::object::{Any, ObjectResult};

macro_rules! tuples {
    ($($($name:ident)*;)*) => {
        $(
            impl<$($name: FromAny),*> FromAny for ($($name,)*) {
                fn from_any(any: Any) -> Result<($($name,)*), ConversionError> {
                    let items = items(any)?;
                    let (wanted, found) = ([$(stringify!($name)),*].len(), items.len());
                    if found != wanted {
                        return Err(ConversionError::invalid(
                            format!("have {wanted} items, not {found}")
                        ));
                    }
                    let mut items = items.into_iter().enumerate();
                    Ok(($(
                        {
                            let (index, item) = items.next().unwrap_or((0, Any::NONE));
                            $name::from_any(item).map_err(|error| error.of_item(index))?
                        },
                    )*))
                }
            }

            impl<$($name: IntoAny),*> IntoAny for ($($name,)*) {
                fn into_any(self) -> ObjectResult {
                    #[allow(non_snake_case)] // the names of the types
                    let ($($name,)*) = self;
                    Ok(Any::tuple([$($name.into_any()?),*]))
                }
            }
        )*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}
