//! The gradients of a convolution without pooling.

use rayon::prelude::*;

use super::parts::{Order, Parts};
use super::{ConvShape, PooledTerms, pooled_parts};
use crate::buffer::Buffer;
use crate::parallel::part_size;
use crate::simd::{Isa, Kernel, LANES, Vector};
use crate::tile::{Tiled, Walk, accumulate, cover};

/// The gradient of the output of [`forward`](super::forward), and what its backward pass fills.
#[derive(Debug)]
pub struct UnpooledGradients<'a> {
    /// Of the output, channels-last.
    pub output: &'a [f32],
    /// Of the images, channels-last, where it is wanted.
    pub images: Option<&'a mut [f32]>,
    /// Of the weights, `[outputs, inputs, kernel height, kernel width]`.
    pub weights: &'a mut [f32],
    /// Of the bias, `[outputs]`.
    pub bias: &'a mut [f32],
}

/// The backward pass of [`forward`](super::forward), which wrote `out`. The sums are the same for any number of threads.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward(
    isa: Isa,
    shape: &ConvShape,
    images: &[f32],
    weights: &[f32],
    out: &[f32],
    gradients: UnpooledGradients<'_>,
) {
    let UnpooledGradients { output, images: d_images, weights: d_weights, bias: d_bias } = gradients;
    let parts = parts(isa, shape, images.len() / shape.image_len(), images, weights, out, (output, d_images));
    parts.finish(&parts.total(), d_weights, d_bias);
}

/// The gradients of weights and bias before the last sum, for `images` that begin a part of a batch of `whole` ones; `gradients` are
/// those of the output and, where it is wanted, of the images, as in [`UnpooledGradients`].
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn parts(
    isa: Isa,
    shape: &ConvShape,
    whole: usize,
    images: &[f32],
    weights: &[f32],
    out: &[f32],
    gradients: (&[f32], Option<&mut [f32]>),
) -> Parts {
    let (output, d_images) = gradients;
    let (count, length) = (images.len() / shape.image_len(), shape.output_len());
    assert_eq!((out.len(), output.len()), (count * length, count * length));
    if let Some(d_images) = d_images {
        // As a pooled one with windows of a single value, whose gradient the ReLU makes sparse.
        let (gradient, winners) = channels_first(shape, out, output);
        let terms = PooledTerms { output: &gradient, winners: &winners, scale: None, images: Some(d_images) };
        return pooled_parts(isa, shape, 1, whole, images, weights, terms);
    }
    let (columns, chunk) = (shape.output_vectors() * LANES, part_size(whole));
    let weights = Order::ByTap.weights(shape);
    let part = |index: usize| {
        let mut sums = Buffer::zeros(weights + columns);
        let (mut padded, mut active) = (Buffer::default(), Buffer::zeros(length / shape.outputs * columns));
        for index in index * chunk..count.min((index + 1) * chunk) {
            let image = shape.padded(&images[index * shape.image_len()..][..shape.image_len()], false, &mut padded);
            let (out, gradient) = (&out[index * length..][..length], &output[index * length..][..length]);
            let (weights, bias) = sums.split_at_mut(weights);
            isa.run(Activate { outputs: shape.outputs, out, gradient, active: &mut active, bias });
            isa.run(WeightSums { shape, image, active: &active, sums: weights });
        }
        sums
    };
    let parts = (0..count.div_ceil(chunk)).into_par_iter().map(part).collect();
    Parts { shape: *shape, order: Order::ByTap, parts }
}

/// The gradient behind the ReLU, and zeros for the winners: `[image, output, row, column]`.
fn channels_first(shape: &ConvShape, out: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let (channels, length) = (shape.outputs, shape.output_len());
    let cells = length / channels;
    let mut transposed = vec![0.0; gradient.len()];
    let images = out.par_chunks_exact(length).zip(gradient.par_chunks_exact(length));
    transposed.par_chunks_exact_mut(length).zip(images).for_each(|(to, (out, gradient))| {
        for (channel, to) in to.chunks_exact_mut(cells).enumerate() {
            for (cell, to) in to.iter_mut().enumerate() {
                let at = cell * channels + channel;
                *to = if out[at] <= 0.0 { 0.0 } else { gradient[at] };
            }
        }
    });
    (transposed, vec![0; gradient.len()])
}

/// The gradient behind the ReLU with channels in whole vectors, and its sum over an image.
struct Activate<'a> {
    outputs: usize,
    out: &'a [f32],
    gradient: &'a [f32],
    active: &'a mut [f32],
    bias: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { outputs, out, gradient, active, bias } = self;
        let columns = bias.len();
        let (mut out_lanes, mut gradient_lanes) = ([0.0; LANES], [0.0; LANES]);
        assert!(columns.is_multiple_of(LANES) && columns >= outputs);
        let pixels = out.chunks_exact(outputs).zip(gradient.chunks_exact(outputs));
        for column in (0..columns).step_by(LANES) {
            let width = LANES.min(outputs - column);
            // SAFETY: the instructions are those of the caller, and every slice has 16 values.
            unsafe {
                let mut sum = V::splat(0.0);
                for ((out, gradient), active) in pixels.clone().zip(active.chunks_exact_mut(columns)) {
                    let (mut out, mut gradient) = (&out[column..][..width], &gradient[column..][..width]);
                    if width < LANES {
                        out_lanes[..width].copy_from_slice(out);
                        gradient_lanes[..width].copy_from_slice(gradient);
                        (out, gradient) = (&out_lanes, &gradient_lanes);
                    }
                    let value = V::load(gradient.as_ptr()).where_active(V::load(out.as_ptr()));
                    value.store(active[column..][..LANES].as_mut_ptr());
                    sum = sum.add(value);
                }
                let bias = &mut bias[column..][..LANES];
                V::load(bias.as_ptr()).add(sum).store(bias.as_mut_ptr());
            }
        }
    }
}

/// Adds to `sums` `[kernel row, run, output]` the products of the image and the gradient.
struct WeightSums<'a> {
    shape: &'a ConvShape,
    /// Padded.
    image: &'a [f32],
    /// `[row, column, output]`, outputs in whole vectors.
    active: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for WeightSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { shape, image, active, sums } = self;
        let (columns, [height, width]) = (shape.output_vectors() * LANES, shape.output_size());
        assert!(image.len() >= shape.padded_len() && active.len() >= height * width * columns);
        for (row, sums) in sums.chunks_exact_mut(shape.run() * columns).enumerate() {
            let taps = Taps {
                image: image[row * shape.row()..].as_ptr(),
                active: active.as_ptr(),
                sums: sums.as_mut_ptr(),
                columns,
                walk: Walk {
                    outer: height,
                    inner: width,
                    a_outer: shape.row_step(),
                    a_inner: shape.step(),
                    b_outer: width * columns,
                    b_inner: columns,
                },
            };
            // SAFETY: the instructions are those of the caller; every window is inside the padded image, and gradient and
            // sums have whole vectors of columns.
            unsafe { cover::<V>(shape.run(), columns / LANES, &taps) };
        }
    }
}

/// The taps of a kernel row, a row of the tile for each value of the run.
struct Taps {
    image: *const f32,
    active: *const f32,
    sums: *mut f32,
    columns: usize,
    walk: Walk,
}

impl Tiled for Taps {
    #[inline(always)]
    unsafe fn tile<V: Vector, const M: usize, const N: usize>(&self, row: usize, vector: usize) {
        // SAFETY: the caller keeps to the area of `cover`.
        unsafe {
            let sums = self.sums.add(row * self.columns + vector * LANES);
            let (a, b) = (self.image.add(row), self.active.add(vector * LANES));
            let tile = accumulate::<V, M, N>([[V::splat(0.0); N]; M], a, 1, b, self.walk);
            for (m, values) in tile.into_iter().enumerate() {
                for (n, value) in values.into_iter().enumerate() {
                    let at = sums.add(m * self.columns + n * LANES);
                    V::load(at).add(value).store(at);
                }
            }
        }
    }
}
