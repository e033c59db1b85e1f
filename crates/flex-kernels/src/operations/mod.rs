//! The kernels as operations on Burn's tensors, with handwritten backward passes.
//!
//! Each operation answers `None` when a tensor is not float32 on the flex backend, or when the sizes are none that the
//! kernels handle; [`layers`](crate::layers) then takes Burn's own operations.

mod attention;
mod convolution;
mod inference;
mod linear;
mod loss;
mod norm;
mod packing;
mod recycling;
mod terms;
mod values;
mod windows;

pub use crate::parallel::part_size;
pub use attention::{attention, packed_attention};
pub use convolution::{conv_relu, conv_relu_pool};
pub use inference::{conv2d, pool2d};
pub use linear::linear;
pub use loss::cross_entropy;
pub use norm::residual_norm;
pub use terms::{Collected, LayerTerms, LinearTerms, Terms, collect, node};
pub use values::{adadelta, adadelta_part, adamw, change, fits, sum_of_squares};
pub use windows::{recorded_conv2d, recorded_pool2d};
