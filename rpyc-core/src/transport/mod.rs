//! The streams that a connection can run over. Reads and writes block.

mod memory;
mod peer_addr;
#[cfg(unix)]
mod pipes;
mod read_deadline;
mod read_half;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod write_budget;

pub use self::memory::{MemoryStream, memory_pair};
pub use self::peer_addr::{PeerAddr, UnixPeer};
#[cfg(unix)]
pub use self::pipes::PipeStream;
pub(crate) use self::read_deadline::{Phase, ReadTimeouts};
pub(crate) use self::read_half::{Input, ReadHalf};
pub use self::stream::Stream;
#[cfg(feature = "tls")]
pub use self::tls::{TlsClient, TlsClientBuilder, TlsError, TlsServer, TlsStream};
pub(crate) use self::write_budget::WriteBudget;
