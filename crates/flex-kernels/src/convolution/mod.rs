//! Convolution with bias and ReLU, and a max-pooling where asked for: forward and backward, without im2col; and convolution of
//! any geometry.
//!
//! Images are channels-last, `[image, row, column, channel]`: then the values that one row of the kernel sees are
//! contiguous (a *run* of `kernel width * channels` values), and a convolution is one matrix product for each row of the
//! kernel, straight from the image.

mod dense;
mod forward;
mod gradients;
mod inference;
mod parts;
mod shape;
mod sparse;
mod windows;

pub use dense::{UnpooledGradients, backward, parts};
pub use forward::{Pooled, forward, forward_pooled};
pub use gradients::{GeneralGradients, backward_general};
pub use inference::{GeneralShape, PackedConvolution, infer};
pub use parts::Parts;
pub use shape::ConvShape;
pub use sparse::{PooledGradients, PooledTerms, backward_pooled, pooled_parts};
pub use windows::WindowShape;

/// In place of the winner's position in a pooling window: the ReLU let nothing through, so no gradient comes back.
pub const SILENT: u8 = u8::MAX;
