//! Recording `forward` at several sizes.

mod linear;
pub(crate) mod panic;
pub(crate) mod parameters;
mod points;
pub(crate) mod pools;
pub(crate) mod recurrent;
pub(crate) mod signature;
pub(crate) mod survey;
pub(crate) mod trace;

pub use signature::{InputSource, ModelInputs, ModelOutputs, OutputSink};
