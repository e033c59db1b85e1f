//! The backward pass of a convolution of any geometry.

use rayon::prelude::*;

use super::GeneralShape;
use super::inference::{by_channel, copy_windows, stretches};
use crate::buffer::Buffer;
use crate::gemm::{DEPTH, Matrix, Packed, Start, multiply, product, rows};
use crate::linear::{Activation, sum_rows};
use crate::simd::{Isa, Kernel, LANES, Vector, some, store_some};
use crate::tile::ROWS;

/// Pixels whose windows exist side by side.
const BLOCK: usize = 16 * ROWS;

/// The gradient of the output of a convolution, and what its backward pass fills.
#[derive(Debug)]
pub struct GeneralGradients<'a> {
    /// Of the output, channels-last.
    pub output: &'a [f32],
    /// Of the images, channels-last, where it is wanted.
    pub images: Option<&'a mut [f32]>,
    /// `[outputs, inputs of a group, kernel height, kernel width]`
    pub weights: &'a mut [f32],
    /// `[outputs]`
    pub bias: &'a mut [f32],
}

/// The backward pass of a convolution with bias, as [`infer`](super::infer) computes it without an activation and a residual. The
/// sums are the same for any number of threads.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward_general(
    isa: Isa,
    shape: &GeneralShape,
    images: &[f32],
    weights: &[f32],
    gradients: GeneralGradients<'_>,
) {
    let GeneralGradients { output, images: d_images, weights: d_weights, bias: d_bias } = gradients;
    let ([height, width], kernel) = (shape.windows.output_size(), shape.windows.kernel);
    let image = shape.windows.size[0] * shape.windows.size[1] * shape.inputs;
    assert_eq!(images.len() / image * height * width * shape.outputs, output.len());
    assert_eq!(weights.len(), shape.outputs * shape.inputs_of_group() * kernel[0] * kernel[1]);
    assert_eq!((d_weights.len(), d_bias.len()), (weights.len(), shape.outputs));
    assert!(d_images.as_ref().is_none_or(|d_images| d_images.len() == images.len()));
    sum_rows(output, d_bias);
    if shape.is_depthwise() {
        return depthwise(isa, shape, images, weights, output, d_images, d_weights);
    }
    for (group, d_weights) in d_weights.chunks_exact_mut(shape.window_len() * shape.outputs_of_group()).enumerate() {
        weights_of_group(isa, shape, group, images, output, d_weights);
    }
    if let Some(d_images) = d_images {
        gradients_of_images(isa, shape, weights, output, d_images);
    }
}

/// `pixels` of a group in a gradient of the output, from `first`.
fn pixels<'a>(shape: &GeneralShape, group: usize, output: &'a [f32], first: usize, pixels: usize) -> Matrix<'a> {
    let outputs = shape.outputs_of_group();
    let values = &output[first * shape.outputs + group * outputs..];
    Matrix { values, rows: pixels, columns: outputs, steps: [shape.outputs, 1] }
}

/// The gradient of the weights of a group: a product over all pixels, part after part.
fn weights_of_group(
    isa: Isa,
    shape: &GeneralShape,
    group: usize,
    images: &[f32],
    output: &[f32],
    d_weights: &mut [f32],
) {
    let (length, count) = (shape.window_len(), output.len() / shape.outputs);
    let mut by_window = Buffer::zeros(d_weights.len());
    let by_window = &mut by_window[..d_weights.len()];
    let add = |windows: Matrix<'_>, first: usize, by_window: &mut [f32]| {
        let gradient = Packed::new(isa, pixels(shape, group, output, first, windows.rows));
        let start = if first == 0 { Start::Zero } else { Start::There };
        product(isa, windows.transposed(), &gradient, start, Activation::Identity, by_window);
    };
    if shape.is_pointwise() {
        add(Matrix::new(images, count, length), 0, by_window);
    } else {
        let mut windows = Buffer::zeros(DEPTH.min(count) * length);
        for first in (0..count).step_by(DEPTH) {
            let windows = &mut windows[..DEPTH.min(count - first) * length];
            windows.par_chunks_mut(BLOCK * length).enumerate().for_each(|(block, windows)| {
                copy_windows(shape, group, images, first + block * BLOCK, windows);
            });
            add(Matrix::new(windows, windows.len() / length, length), first, by_window);
        }
    }
    shape.each_weight(|weight, in_window| d_weights[weight] = by_window[in_window]);
}

/// Each image on one thread: what its windows get is added up where they overlap.
fn gradients_of_images(isa: Isa, shape: &GeneralShape, weights: &[f32], output: &[f32], d_images: &mut [f32]) {
    let (length, outputs) = (shape.window_len(), shape.outputs_of_group());
    let groups = weights.chunks_exact(length * outputs).map(|weights| {
        let mut by_window = vec![0.0; weights.len()];
        shape.each_weight(|weight, in_window| by_window[in_window] = weights[weight]);
        Packed::new(isa, Matrix::new(&by_window, length, outputs).transposed())
    });
    let groups: Vec<Packed> = groups.collect();
    let [height, width] = shape.windows.output_size();
    let image = shape.windows.size[0] * shape.windows.size[1] * shape.inputs;
    d_images.par_chunks_exact_mut(image).enumerate().for_each_init(Buffer::default, |scratch, (index, image)| {
        image.fill(0.0);
        for (group, weights) in groups.iter().enumerate() {
            for first in (0..height * width).step_by(BLOCK) {
                let count = BLOCK.min(height * width - first);
                let gradient = pixels(shape, group, output, index * height * width + first, count);
                scratch.resize(count * length);
                let windows = &mut scratch[..count * length];
                multiply(isa, gradient, weights, 0, Start::Zero, Activation::Identity, &mut rows(windows, length));
                for (pixel, window) in windows.chunks_exact(length).enumerate() {
                    let place = [(first + pixel) / width, (first + pixel) % width];
                    stretches(shape, group, place, |from, to, count| {
                        for (to, from) in image[to..to + count].iter_mut().zip(&window[from..from + count]) {
                            *to += from;
                        }
                    });
                }
            }
        }
    });
}

/// Each image on one thread, and the gradients of the weights added up in the order of the images.
fn depthwise(
    isa: Isa,
    shape: &GeneralShape,
    images: &[f32],
    weights: &[f32],
    output: &[f32],
    d_images: Option<&mut [f32]>,
    d_weights: &mut [f32],
) {
    let ([height, width], channels) = (shape.windows.output_size(), shape.outputs);
    let image = shape.windows.size[0] * shape.windows.size[1] * channels;
    let weights = by_channel(shape, weights);
    let mut of_images: Vec<Option<&mut [f32]>> = match d_images {
        Some(d_images) => d_images.chunks_exact_mut(image).map(Some).collect(),
        None => images.chunks_exact(image).map(|_| None).collect(),
    };
    let parts = of_images
        .par_iter_mut()
        .zip(images.par_chunks_exact(image))
        .zip(output.par_chunks_exact(height * width * channels));
    let parts: Vec<Buffer> = parts
        .map(|((d_image, image), output)| {
            let mut d_weights = Buffer::zeros(weights.len());
            if let Some(d_image) = d_image {
                d_image.fill(0.0);
            }
            let d_image = d_image.as_deref_mut();
            isa.run(DepthwiseImage { shape, weights: &weights, image, output, d_image, d_weights: &mut d_weights });
            d_weights
        })
        .collect();
    let (taps, line) = (shape.windows.kernel[0] * shape.windows.kernel[1], channels.next_multiple_of(LANES));
    for (channel, d_weights) in d_weights.chunks_exact_mut(taps).enumerate() {
        for (tap, d_weight) in d_weights.iter_mut().enumerate() {
            *d_weight = parts.iter().fold(0.0, |sum, part| sum + part[tap * line + channel]);
        }
    }
}

struct DepthwiseImage<'a> {
    shape: &'a GeneralShape,
    /// `[kernel row, kernel column, channel]`, channels in whole vectors.
    weights: &'a [f32],
    image: &'a [f32],
    output: &'a [f32],
    d_image: Option<&'a mut [f32]>,
    /// Like the weights.
    d_weights: &'a mut [f32],
}

impl Kernel for DepthwiseImage<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let ([height, width], channels) = (self.shape.windows.output_size(), self.shape.outputs);
        let ([rows, columns], kernel) = (self.shape.windows.size, self.shape.windows.kernel);
        let (dilation, line) = (self.shape.windows.dilation, channels.next_multiple_of(LANES));
        for pixel in 0..height * width {
            let [top, left] = self.shape.windows.corner([pixel / width, pixel % width]);
            for tap in 0..kernel[0] * kernel[1] {
                let row = top + (tap / kernel[1] * dilation[0]) as isize;
                let column = left + (tap % kernel[1] * dilation[1]) as isize;
                if row < 0 || column < 0 || row as usize >= rows || column as usize >= columns {
                    continue;
                }
                let place = (row as usize * columns + column as usize) * channels;
                for channel in (0..channels).step_by(LANES) {
                    // SAFETY: the instructions are those of the caller.
                    unsafe { self.vector::<V>(pixel * channels, place, tap * line, channel) };
                }
            }
        }
    }
}

impl DepthwiseImage<'_> {
    /// What one pixel and one weight of each channel give each other, for a vector of channels.
    ///
    /// # Safety
    /// The machine has the instructions of `V`.
    #[inline(always)]
    unsafe fn vector<V: Vector>(&mut self, pixel: usize, place: usize, tap: usize, channel: usize) {
        let count = LANES.min(self.shape.outputs - channel);
        // SAFETY: the caller's promise; the slices have `count` values, and the weights whole vectors.
        unsafe {
            let gradient = some::<V>(self.output[pixel + channel..][..count].as_ptr(), count);
            let value = some::<V>(self.image[place + channel..][..count].as_ptr(), count);
            let d_weights = &mut self.d_weights[tap + channel..][..LANES];
            V::load(d_weights.as_ptr()).mul_add(gradient, value).store(d_weights.as_mut_ptr());
            let Some(d_image) = self.d_image.as_deref_mut() else { return };
            let to = &mut d_image[place + channel..][..count];
            let weight = V::load(self.weights[tap + channel..][..LANES].as_ptr());
            store_some(some::<V>(to.as_ptr(), count).mul_add(gradient, weight), to.as_mut_ptr(), count);
        }
    }
}
