//! The geometry of a convolution.

use crate::buffer::Buffer;
use crate::simd::LANES;

/// The sizes of a convolution without dilation or groups. Pairs are (height, width).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// The size of an image.
    pub size: [usize; 2],
    /// The size of the kernel.
    pub kernel: [usize; 2],
    /// The distance between two windows.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on each side.
    pub padding: [usize; 2],
}

impl ConvShape {
    /// The size of an output image, or `None` where the kernel is larger than the image or the stride is zero.
    pub fn checked_output_size(&self) -> Option<[usize; 2]> {
        let side = |axis: usize| {
            let room = (self.size[axis] + 2 * self.padding[axis]).checked_sub(self.kernel[axis])?;
            Some(room.checked_div(self.stride[axis])? + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// The size of an output image.
    ///
    /// # Panics
    /// Where [`checked_output_size`](Self::checked_output_size) gives none.
    pub fn output_size(&self) -> [usize; 2] {
        self.checked_output_size().expect("the kernel fits into the image")
    }

    /// Values in an input image.
    pub fn image_len(&self) -> usize {
        self.inputs * self.size[0] * self.size[1]
    }

    /// Values in an output image.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        self.outputs * height * width
    }

    /// Values in the weights, `[outputs, inputs, kernel height, kernel width]`.
    pub fn weights_len(&self) -> usize {
        self.outputs * self.kernel[0] * self.run()
    }

    /// Contiguous values of a padded image that one row of the kernel sees.
    pub(super) fn run(&self) -> usize {
        self.kernel[1] * self.inputs
    }

    /// The vectors that hold a run.
    pub(super) fn run_vectors(&self) -> usize {
        self.run().div_ceil(LANES)
    }

    /// The vectors that hold a value of each output channel.
    pub(super) fn output_vectors(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// The distance between rows of a padded image, in values.
    pub(super) fn row(&self) -> usize {
        (self.size[1] + 2 * self.padding[1]) * self.inputs
    }

    /// Values in a padded image.
    pub(super) fn padded_len(&self) -> usize {
        (self.size[0] + 2 * self.padding[0]) * self.row()
    }

    /// The distance between two windows in a row of a padded image, in values.
    pub(super) fn step(&self) -> usize {
        self.stride[1] * self.inputs
    }

    /// The distance between two rows of windows in a padded image, in values.
    pub(super) fn row_step(&self) -> usize {
        self.stride[0] * self.row()
    }

    /// The image with its padding, copied into `scratch` only where that is necessary: when it has padding, or when
    /// `vectors` are to be read from it and the last one would reach beyond the end.
    pub(super) fn padded<'a>(&self, image: &'a [f32], vectors: bool, scratch: &'a mut Buffer) -> &'a [f32] {
        if self.padding == [0, 0] && (!vectors || self.run().is_multiple_of(LANES)) {
            return image;
        }
        let line = self.size[1] * self.inputs;
        let start = self.padding[0] * self.row() + self.padding[1] * self.inputs;
        scratch.resize(self.padded_len() + LANES);
        for (to, from) in scratch[start..].chunks_mut(self.row()).zip(image.chunks_exact(line)) {
            to[..line].copy_from_slice(from);
        }
        scratch
    }

    /// The reverse of [`padded`](Self::padded): copies the image out of its padding.
    pub(super) fn unpadded(&self, padded: &[f32], image: &mut [f32]) {
        let line = self.size[1] * self.inputs;
        let start = self.padding[0] * self.row() + self.padding[1] * self.inputs;
        for (from, to) in padded[start..].chunks(self.row()).zip(image.chunks_exact_mut(line)) {
            to.copy_from_slice(&from[..line]);
        }
    }

    /// The weights as `[kernel row, kernel column, input, output]`, outputs filled up to whole vectors.
    pub(super) fn weights_by_tap(&self, weights: &[f32]) -> Buffer {
        let [height, width] = self.kernel;
        let columns = self.output_vectors() * LANES;
        let mut packed = Buffer::zeros(height * self.run() * columns);
        for (output, weights) in weights.chunks_exact(self.inputs * height * width).enumerate() {
            for (input, weights) in weights.chunks_exact(height * width).enumerate() {
                for (tap, &weight) in weights.iter().enumerate() {
                    packed[(tap * self.inputs + input) * columns + output] = weight;
                }
            }
        }
        packed
    }

    /// The weights as `[output, kernel row, run]`, runs filled up to whole vectors.
    pub(super) fn weights_by_run(&self, weights: &[f32]) -> Buffer {
        let [height, width] = self.kernel;
        let line = self.run_vectors() * LANES;
        let mut packed = Buffer::zeros(self.outputs * height * line);
        for (output, weights) in weights.chunks_exact(self.inputs * height * width).enumerate() {
            for (input, weights) in weights.chunks_exact(height * width).enumerate() {
                for (row, weights) in weights.chunks_exact(width).enumerate() {
                    let to = &mut packed[(output * height + row) * line..];
                    for (column, &weight) in weights.iter().enumerate() {
                        to[column * self.inputs + input] = weight;
                    }
                }
            }
        }
        packed
    }
}
