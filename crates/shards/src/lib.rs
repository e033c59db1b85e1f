//! A large prediction in parts: each is a run of its own, on whatever machine, and the parts together are, byte for byte, what one
//! run gives.
//!
//! A part is a file of JSON Lines: a [`Header`] that says of which run it is, a line for each item, and a [`Footer`] with the
//! SHA-256 of all before it. It is written in one step, so that two runs of the same part at the same time leave one whole file.

mod merge;
mod part;
mod shard;

pub use merge::{MergeError, Merged, Parts, merge};
pub use part::{Footer, Header, PartError, State, state, write};
pub use shard::{Shard, ShardError};
