//! The kernels as operations on Burn's tensors, with handwritten backward passes.
//!
//! Each operation answers `None` when a tensor is not float32 on the flex backend, or when the sizes are none that the
//! kernels handle; [`layers`](crate::layers) then takes Burn's own operations.

mod convolution;
mod linear;
mod loss;
mod recycling;
mod values;

pub use convolution::{conv_relu, conv_relu_pool};
pub use linear::linear;
pub use loss::cross_entropy;
pub use values::{adadelta, fits};
