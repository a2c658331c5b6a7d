//! Blocking bytes: the streams that a connection can run over.

mod memory;
mod patience;
mod read_half;
mod stream;

pub use self::memory::{MemoryStream, memory_pair};
pub(crate) use self::patience::{Phase, Silence};
pub(crate) use self::read_half::{Input, ReadHalf};
pub use self::stream::Stream;
