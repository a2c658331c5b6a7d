//! The registry: ours and Python's own, with servers and clients of both kinds.

mod broadcasts;
mod hostile;
mod our_registry;
mod pythons_registry;
