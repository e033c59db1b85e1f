//! The last sum of the gradients of a convolution's weights and bias: over parts of the batch, in their order.
//!
//! Each part is the sum over a few images. Which images those are is a function of the whole batch, so that processes that share one
//! get the bits of a single process when they add their parts one after another.

use rayon::prelude::*;

use super::ConvShape;
use crate::buffer::Buffer;
use crate::simd::LANES;

/// Sums over parts of a batch, not yet added up.
#[derive(Debug)]
pub struct Parts {
    pub(super) shape: ConvShape,
    pub(super) order: Order,
    /// The weights in their order, then the bias.
    pub(super) parts: Vec<Buffer>,
}

/// How the weights lie in a sum.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// `[kernel row, kernel column, input, output]`, outputs filled up to whole vectors.
    ByTap,
    /// `[output, kernel row, run]`, runs filled up to whole vectors.
    ByRun,
}

/// Values that one task adds up.
const CHUNK: usize = 1 << 11;

impl Order {
    /// Values of the weights.
    pub(super) fn weights(self, shape: &ConvShape) -> usize {
        match self {
            Self::ByTap => shape.kernel[0] * shape.run() * shape.output_vectors() * LANES,
            Self::ByRun => shape.outputs * shape.kernel[0] * shape.run_vectors() * LANES,
        }
    }
}

impl Parts {
    /// Values in a sum.
    pub fn sums(&self) -> usize {
        self.order.weights(&self.shape) + self.shape.outputs
    }

    /// Values of the weights, and of the bias.
    pub fn sizes(&self) -> [usize; 2] {
        [self.shape.weights_len(), self.shape.outputs]
    }

    /// The sum of no part.
    pub fn nothing(&self) -> Vec<f32> {
        let weights = self.order.weights(&self.shape);
        let mut sums = vec![0.0; self.sums()];
        if matches!(self.order, Order::ByRun) {
            // What adding leaves as it is.
            sums[weights..].fill(-0.0);
        }
        sums
    }

    /// Adds the parts to a sum of those before them, one after another.
    ///
    /// # Panics
    /// When the sum has another length.
    pub fn add_to(&self, sums: &mut [f32]) {
        assert_eq!(sums.len(), self.sums());
        sums.par_chunks_mut(CHUNK).enumerate().for_each(|(index, sums)| {
            for part in &self.parts {
                for (sum, value) in sums.iter_mut().zip(&part[index * CHUNK..]) {
                    *sum += value;
                }
            }
        });
    }

    /// The sum of these parts alone.
    pub fn total(&self) -> Vec<f32> {
        let mut sums = self.nothing();
        self.add_to(&mut sums);
        sums
    }

    /// Writes a sum of all parts to the gradients of the weights `[outputs, inputs, kernel height, kernel width]` and of the bias
    /// `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit the shape.
    pub fn finish(&self, sums: &[f32], d_weights: &mut [f32], d_bias: &mut [f32]) {
        let ConvShape { inputs, outputs, kernel: [height, width], .. } = self.shape;
        assert_eq!((d_weights.len(), d_bias.len()), (self.shape.weights_len(), outputs));
        let (weights, bias) = sums.split_at(self.order.weights(&self.shape));
        let (columns, line) = (self.shape.output_vectors() * LANES, self.shape.run_vectors() * LANES);
        for (output, d_weights) in d_weights.chunks_exact_mut(inputs * height * width).enumerate() {
            for (input, d_weights) in d_weights.chunks_exact_mut(height * width).enumerate() {
                for (tap, to) in d_weights.iter_mut().enumerate() {
                    *to = match self.order {
                        Order::ByTap => weights[(tap * inputs + input) * columns + output],
                        Order::ByRun => weights[(output * height + tap / width) * line + tap % width * inputs + input],
                    };
                }
            }
        }
        d_bias.copy_from_slice(bias);
    }
}
