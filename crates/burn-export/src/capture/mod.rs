//! Recording `forward` at several sizes.

mod linear;
pub(crate) mod parameters;
pub(crate) mod points;
pub(crate) mod signature;
pub(crate) mod trace;

pub use signature::{InputSource, ModelInputs, ModelOutputs, OutputSink};
