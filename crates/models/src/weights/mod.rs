//! Weights from files into Burn modules, under the names of PyTorch's `state_dict`.
//!
//! A [`Checkpoint`] is a set of named tensors in a file: safetensors (whole or sharded) or PyTorch's own formats (zip and
//! legacy). Opening reads names, types and shapes only. [`load`] fills every parameter of a module, and fails with the
//! complete list of what is missing or has the wrong shape. [`randomize`] fills a module from a seed instead.
//!
//! Safetensors files stay memory-mapped: an aligned float32 tensor is used where it lies, without a copy.

mod checkpoint;
mod error;
mod layout;
mod load;
pub(crate) mod names;
mod pickle;
mod pytorch;
mod random;
mod recognise;
mod safetensors;
mod save;

pub use checkpoint::{Checkpoint, Format, StoredTensor};
pub use error::{Misshaped, WeightsError};
pub use layout::contiguous;
pub use load::{LoadReport, StateDictName, fit, identity_name, load, parameter_names};
pub use random::{Initialization, random_checkpoint, randomize};
pub use save::{state_dict, to_safetensors};
