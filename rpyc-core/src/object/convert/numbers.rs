//! Conversions of numbers.

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::{ConversionError, FromAny, IntoAny};
use crate::object::{Any, ObjectResult};
use crate::wire::{Int, Value};

/// The integer that it is; Python takes a bool for one, too.
fn integer(any: Any) -> Result<Int, ConversionError> {
    match any {
        Any::Value(Value::Int(int)) => Ok(int),
        Any::Value(Value::Bool(flag)) => Ok(Int::from(i64::from(flag))),
        other => Err(ConversionError::mismatch("int", other.type_name())),
    }
}

/// A number that fits, and how it is sent.
macro_rules! integers {
    ($($int:ident via $method:ident)*) => {
        $(
            impl FromAny for $int {
                fn from_any(any: Any) -> Result<$int, ConversionError> {
                    let number = integer(any)?.$method();
                    number
                        .and_then(|number| $int::try_from(number).ok())
                        .ok_or_else(|| ConversionError::overflow(stringify!($int)))
                }
            }
        )*

        numbers! { $($int)* }
    };
}

macro_rules! numbers {
    ($($number:ident)*) => {
        $(
            impl IntoAny for $number {
                fn into_any(self) -> ObjectResult {
                    Ok(Any::from(self))
                }
            }
        )*
    };
}

integers! {
    i8 via to_i64
    i16 via to_i64
    i32 via to_i64
    i64 via to_i64
    isize via to_i64
    u16 via to_u64
    u32 via to_u64
    u64 via to_u64
    usize via to_u64
}

numbers! { i128 u128 BigInt f64 bool }

impl FromAny for u8 {
    fn from_any(any: Any) -> Result<u8, ConversionError> {
        let number = integer(any)?.to_u64();
        number
            .and_then(|number| u8::try_from(number).ok())
            .ok_or_else(|| ConversionError::overflow("u8"))
    }

    fn vec_from_any(any: Any) -> Result<Vec<u8>, ConversionError> {
        match any {
            Any::Value(Value::Bytes(bytes)) => Ok(bytes.into()),
            other => super::items_from_any(other),
        }
    }
}

impl IntoAny for u8 {
    fn into_any(self) -> ObjectResult {
        Ok(Any::from(self))
    }

    fn vec_into_any(items: Vec<u8>) -> ObjectResult {
        Ok(Any::from(items))
    }
}

impl FromAny for i128 {
    fn from_any(any: Any) -> Result<i128, ConversionError> {
        let number = integer(any)?.to_bigint().to_i128();
        number.ok_or_else(|| ConversionError::overflow("i128"))
    }
}

impl FromAny for u128 {
    fn from_any(any: Any) -> Result<u128, ConversionError> {
        let number = integer(any)?.to_bigint().to_u128();
        number.ok_or_else(|| ConversionError::overflow("u128"))
    }
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

impl IntoAny for f32 {
    fn into_any(self) -> ObjectResult {
        f64::from(self).into_any()
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
