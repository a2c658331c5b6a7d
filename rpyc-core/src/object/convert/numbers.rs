//! Conversions of numbers.

use num_bigint::BigInt;

use super::{ConversionError, FromAny};
use crate::object::Any;
use crate::wire::{Int, Value};

/// The integer that it is; Python takes a bool for one, too.
fn integer(any: Any) -> Result<Int, ConversionError> {
    match any {
        Any::Value(Value::Int(int)) => Ok(int),
        Any::Value(Value::Bool(flag)) => Ok(Int::from(i64::from(flag))),
        other => Err(ConversionError::mismatch("int", other.type_name())),
    }
}

/// Numbers that fit, each made of a wider one.
macro_rules! integers {
    ($($wider:path: $($int:ident $({ $($more:tt)* })?)*;)*) => {
        $($(
            impl FromAny for $int {
                fn from_any(any: Any) -> Result<$int, ConversionError> {
                    let number = $wider(&integer(any)?);
                    number
                        .and_then(|number| $int::try_from(number).ok())
                        .ok_or_else(|| ConversionError::overflow(stringify!($int)))
                }

                $($($more)*)?
            }
        )*)*
    };
}

integers! {
    Int::to_i64: i8 i16 i32 i64 isize;
    Int::to_u64: u16 u32 u64 usize u8 {
        fn vec_from_any(any: Any) -> Result<Vec<u8>, ConversionError> {
            match any {
                Any::Value(Value::Bytes(bytes)) => Ok(bytes.into()),
                other => super::items_from_any(other),
            }
        }
    };
    big: i128 u128;
}

fn big(int: &Int) -> Option<BigInt> {
    Some(int.to_bigint())
}

impl FromAny for BigInt {
    fn from_any(any: Any) -> Result<BigInt, ConversionError> {
        Ok(integer(any)?.to_bigint())
    }
}

impl FromAny for f64 {
    fn from_any(any: Any) -> Result<f64, ConversionError> {
        match any {
            Any::Value(Value::Float(float)) => Ok(float),
            Any::Value(Value::Int(int)) => {
                int.to_f64().ok_or_else(|| ConversionError::overflow("f64"))
            }
            Any::Value(Value::Bool(flag)) => Ok(f64::from(u8::from(flag))),
            other => Err(ConversionError::mismatch("float", other.type_name())),
        }
    }
}

impl FromAny for f32 {
    fn from_any(any: Any) -> Result<f32, ConversionError> {
        // Rounded to the nearest, as any literal would be.
        #[allow(clippy::cast_possible_truncation)]
        f64::from_any(any).map(|double| double as f32)
    }
}

impl FromAny for bool {
    fn from_any(any: Any) -> Result<bool, ConversionError> {
        match any {
            Any::Value(Value::Bool(flag)) => Ok(flag),
            other => Err(ConversionError::mismatch("bool", other.type_name())),
        }
    }
}
