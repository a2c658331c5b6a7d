//! What the program prints as its result.

use std::io::{self, Write};

use crate::program::failure::Failure;

pub(crate) fn print(text: &[u8]) -> Result<(), Failure> {
    io::stdout().write_all(text).map_err(Failure::stdout)
}
