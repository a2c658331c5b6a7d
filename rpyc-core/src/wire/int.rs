//! Integers of any size.

use std::fmt;

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

/// A Python `int`: of any size, but cheap where it fits 64 bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Int(Repr);

// Normalised: `Big` only holds what `Small` can't, so equality is structural.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    Big(BigInt),
}

impl Int {
    /// The value, if it fits.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(small) => Some(*small),
            Repr::Big(_) => None,
        }
    }

    /// The value, if it fits.
    pub fn to_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(small) => u64::try_from(*small).ok(),
            Repr::Big(big) => big.to_u64(),
        }
    }

    /// The value as a number of any size.
    pub fn to_bigint(&self) -> BigInt {
        match &self.0 {
            Repr::Small(small) => BigInt::from(*small),
            Repr::Big(big) => big.clone(),
        }
    }

    /// The nearest float, if it is finite, as Python's `float()` has it.
    pub fn to_f64(&self) -> Option<f64> {
        match &self.0 {
            Repr::Small(small) => small.to_f64(),
            Repr::Big(big) => big.to_f64(),
        }
        .filter(|float| float.is_finite())
    }

    /// The bits of a number that needs memory of its own; 0 where it fits in place.
    pub(super) fn big_bits(&self) -> u64 {
        match &self.0 {
            Repr::Small(_) => 0,
            Repr::Big(big) => big.bits(),
        }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(small) => *small < 0,
            Repr::Big(big) => big.is_negative(),
        }
    }

    /// Whether it has more decimal digits than `limit`, sign aside: a question for whoever is about to send it.
    pub fn exceeds_digits(&self, limit: usize) -> bool {
        match &self.0 {
            Repr::Big(big) if least_digits(big.bits()) > limit => true,
            // At most one digit more than the estimate.
            Repr::Big(big) if least_digits(big.bits()) < limit => false,
            // Text takes time where there are many thousand digits.
            _ => self.to_string().trim_start_matches('-').len() > limit,
        }
    }
}

impl From<BigInt> for Int {
    fn from(big: BigInt) -> Self {
        Self(big.to_i64().map_or(Repr::Big(big), Repr::Small))
    }
}

impl From<i64> for Int {
    fn from(small: i64) -> Self {
        Self(Repr::Small(small))
    }
}

macro_rules! from {
    ($($int:ty)*) => {$(
        impl From<$int> for Int {
            fn from(int: $int) -> Self {
                Self(i64::try_from(int).map_or_else(|_| Repr::Big(BigInt::from(int)), Repr::Small))
            }
        }
    )*};
}

from!(i8 i16 i32 i128 isize u8 u16 u32 u64 u128 usize);

impl PartialEq<i64> for Int {
    fn eq(&self, other: &i64) -> bool {
        self.to_i64() == Some(*other)
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(small) => small.fmt(f),
            Repr::Big(big) => big.fmt(f),
        }
    }
}

impl fmt::Debug for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A lower bound of the decimal digits of a number of `bits` bits, at most one below the truth.
fn least_digits(bits: u64) -> usize {
    // The number is at least 2^(bits - 1), and the factor is just below log10(2): too little by a digit only past
    // 10^12 bits.
    let digits = u128::from(bits.saturating_sub(1)) * 301_029_995_663 / 1_000_000_000_000;
    usize::try_from(digits)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}
