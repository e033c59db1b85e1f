//! Convolution of any geometry, forward: a matrix product over the values that each window sees, or, with a filter for each
//! channel, a direct one.

use rayon::prelude::*;

use super::WindowShape;
use crate::buffer::Buffer;
use crate::gemm::{Matrix, Packed, Start, multiply, product};
use crate::linear::Activation;
use crate::simd::{Isa, Kernel, LANES, Vector, some, store_some};
use crate::tile::ROWS;

/// The geometry of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneralShape {
    /// The windows.
    pub windows: WindowShape,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Into how many parts the channels fall that do not mix.
    pub groups: usize,
}

/// The most pixels whose windows exist side by side.
const BLOCK: usize = 16 * ROWS;

/// Weights and bias of a convolution, ready for it.
#[derive(Debug)]
pub struct PackedConvolution {
    weights: PackedFilters,
    /// `[outputs]`, filled up to whole vectors.
    bias: Buffer,
}

#[derive(Debug)]
enum PackedFilters {
    /// For each group a matrix from the values of a window, `[kernel row, kernel column, input]`.
    Mixing(Vec<Packed>),
    /// `[kernel row, kernel column, channel]`, channels in whole vectors.
    ByChannel(Buffer),
}

impl GeneralShape {
    /// Whether each channel is convolved on its own.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups == self.inputs && self.groups == self.outputs
    }

    pub(super) fn inputs_of_group(&self) -> usize {
        self.inputs / self.groups
    }

    pub(super) fn outputs_of_group(&self) -> usize {
        self.outputs / self.groups
    }

    /// Values of a group in a window.
    pub(super) fn window_len(&self) -> usize {
        self.windows.kernel[0] * self.windows.kernel[1] * self.inputs_of_group()
    }

    /// Whether a window is a pixel, and all pixels are windows.
    pub(super) fn is_pointwise(&self) -> bool {
        let WindowShape { kernel, stride, padding, .. } = self.windows;
        (kernel, stride, padding, self.groups) == ([1, 1], [1, 1], [0; 4], 1)
    }

    /// Calls `visit` with the place of each weight of a group in `[output, input, kernel row, kernel column]` and in
    /// `[kernel row, kernel column, input, output]`.
    pub(super) fn each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        let (inputs, outputs) = (self.inputs_of_group(), self.outputs_of_group());
        let taps = self.windows.kernel[0] * self.windows.kernel[1];
        for output in 0..outputs {
            for input in 0..inputs {
                for tap in 0..taps {
                    visit((output * inputs + input) * taps + tap, (tap * inputs + input) * outputs + output);
                }
            }
        }
    }
}

/// The weights of a convolution with a filter for each channel, `[kernel row, kernel column, channel]`, channels in whole vectors.
pub(super) fn by_channel(shape: &GeneralShape, weights: &[f32]) -> Buffer {
    let taps = shape.windows.kernel[0] * shape.windows.kernel[1];
    let line = shape.outputs.next_multiple_of(LANES);
    let mut packed = Buffer::zeros(taps * line);
    for (channel, weights) in weights.chunks_exact(taps).enumerate() {
        for (tap, &weight) in weights.iter().enumerate() {
            packed[tap * line + channel] = weight;
        }
    }
    packed
}

impl PackedConvolution {
    /// `weights` are `[outputs, inputs of a group, kernel height, kernel width]`, `bias` is `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit the shape.
    pub fn new(isa: Isa, shape: &GeneralShape, weights: &[f32], bias: &[f32]) -> Self {
        let [height, width] = shape.windows.kernel;
        let (taps, inputs) = (height * width, shape.inputs_of_group());
        assert_eq!((weights.len(), bias.len()), (shape.outputs * inputs * taps, shape.outputs));
        let mut padded_bias = Buffer::zeros(shape.outputs);
        padded_bias[..bias.len()].copy_from_slice(bias);
        if shape.is_depthwise() {
            return Self { weights: PackedFilters::ByChannel(by_channel(shape, weights)), bias: padded_bias };
        }
        let outputs = shape.outputs_of_group();
        let groups = weights.chunks_exact(outputs * inputs * taps).map(|weights| {
            let mut by_window = vec![0.0; weights.len()];
            shape.each_weight(|weight, in_window| by_window[in_window] = weights[weight]);
            Packed::new(isa, Matrix::new(&by_window, inputs * taps, outputs))
        });
        Self { weights: PackedFilters::Mixing(groups.collect()), bias: padded_bias }
    }
}

/// Writes `activation(conv(images) + residual)` to `out`, all channels-last.
///
/// `residual` is like `out`.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn infer(
    isa: Isa,
    shape: &GeneralShape,
    layer: &PackedConvolution,
    activation: Activation,
    images: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    let [height, width] = shape.windows.output_size();
    let [input_height, input_width] = shape.windows.size;
    let count = images.len() / (input_height * input_width * shape.inputs);
    assert_eq!(images.len(), count * input_height * input_width * shape.inputs);
    assert_eq!(out.len(), count * height * width * shape.outputs);
    let bias = &layer.bias[..shape.outputs];
    if let Some(residual) = residual {
        assert_eq!(residual.len(), out.len());
        out.par_chunks_mut(shape.outputs * BLOCK).zip(residual.par_chunks(shape.outputs * BLOCK)).for_each(
            |(out, from)| {
                for (out, from) in out.chunks_exact_mut(shape.outputs).zip(from.chunks_exact(shape.outputs)) {
                    for ((out, from), bias) in out.iter_mut().zip(from).zip(bias) {
                        *out = from + bias;
                    }
                }
            },
        );
    }
    let there = residual.is_some();
    match &layer.weights {
        PackedFilters::ByChannel(weights) => {
            let rows = out.par_chunks_mut(width * shape.outputs).enumerate();
            rows.for_each(|(row, out)| {
                let image = &images[row / height * input_height * input_width * shape.inputs..];
                let bias = &layer.bias;
                isa.run(DepthwiseRow { shape, weights, bias, there, activation, image, row: row % height, out });
            });
        }
        PackedFilters::Mixing(groups) if shape.is_pointwise() => {
            let pixels = Matrix::new(images, count * height * width, shape.inputs);
            let start = if there { Start::There } else { Start::Bias(bias) };
            product(isa, pixels, &groups[0], start, activation, out);
        }
        PackedFilters::Mixing(groups) => {
            let pixels = count * height * width;
            let block = pixels.div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS).clamp(ROWS, BLOCK);
            let blocks = out.par_chunks_mut(block * shape.outputs).enumerate();
            blocks.for_each_init(Buffer::default, |scratch, (index, out)| {
                let (rows, length, outputs) = (out.len() / shape.outputs, shape.window_len(), shape.outputs_of_group());
                scratch.resize(rows * length);
                let windows = &mut scratch[..rows * length];
                for (group, weights) in groups.iter().enumerate() {
                    copy_windows(shape, group, images, index * block, windows);
                    let columns = group * outputs..(group + 1) * outputs;
                    let start = if there { Start::There } else { Start::Bias(&bias[columns.clone()]) };
                    let pixels = out.chunks_exact_mut(shape.outputs);
                    let mut out: Vec<&mut [f32]> = pixels.map(|pixel| &mut pixel[columns.clone()]).collect();
                    multiply(isa, Matrix::new(windows, rows, length), weights, 0, start, activation, &mut out);
                }
            });
        }
    }
}

/// Writes the values of a group that the windows of the pixels from `first` see, `[pixel, kernel row, kernel column, input]`.
pub(super) fn copy_windows(shape: &GeneralShape, group: usize, images: &[f32], first: usize, windows: &mut [f32]) {
    let [height, width] = shape.windows.output_size();
    let length = shape.windows.size[0] * shape.windows.size[1] * shape.inputs;
    for (index, window) in windows.chunks_exact_mut(shape.window_len()).enumerate() {
        let pixel = first + index;
        let (image, place) = (&images[pixel / (height * width) * length..], [pixel / width % height, pixel % width]);
        if !shape.windows.is_inside(place) {
            window.fill(0.0);
        }
        stretches(shape, group, place, |to, from, count| {
            window[to..to + count].copy_from_slice(&image[from..from + count]);
        });
    }
}

/// Calls `visit` with each stretch of a group's values that the window at `place` sees in an image: where it begins in the window
/// and in the image, and its length.
#[inline(always)]
pub(super) fn stretches(
    shape: &GeneralShape,
    group: usize,
    place: [usize; 2],
    mut visit: impl FnMut(usize, usize, usize),
) {
    let WindowShape { size: [rows, columns], kernel, dilation, .. } = shape.windows;
    let inputs = shape.inputs_of_group();
    let [top, left] = shape.windows.corner(place);
    let whole = shape.groups == 1 && dilation[1] == 1;
    let (before, after) = inside(left, kernel[1], columns);
    for tap in 0..kernel[0] {
        let row = top + (tap * dilation[0]) as isize;
        if row < 0 || row >= rows as isize {
            continue;
        }
        let (in_window, in_image) = (tap * kernel[1] * inputs, row as usize * columns * shape.inputs);
        if whole {
            if before < after {
                let column = (left + before as isize) as usize;
                visit(in_window + before * inputs, in_image + column * inputs, (after - before) * inputs);
            }
            continue;
        }
        for tap in 0..kernel[1] {
            let column = left + (tap * dilation[1]) as isize;
            if column >= 0 && column < columns as isize {
                let in_image = in_image + column as usize * shape.inputs + group * inputs;
                visit(in_window + tap * inputs, in_image, inputs);
            }
        }
    }
}

/// Which taps, from and to, are inside of a line of `length` when the first is at `start`.
fn inside(start: isize, taps: usize, length: usize) -> (usize, usize) {
    let before = (-start).clamp(0, taps as isize) as usize;
    let after = (length as isize - start).clamp(before as isize, taps as isize) as usize;
    (before, after)
}

/// A row of the output of a convolution with a filter for each channel.
struct DepthwiseRow<'a> {
    shape: &'a GeneralShape,
    weights: &'a [f32],
    bias: &'a [f32],
    /// Whether to add to what is in the output, in place of the bias.
    there: bool,
    activation: Activation,
    /// At least the image.
    image: &'a [f32],
    row: usize,
    out: &'a mut [f32],
}

/// Neighbouring pixels that share the values and the weights.
const TOGETHER: usize = 4;

impl Kernel for DepthwiseRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let WindowShape { size, kernel, stride, dilation, .. } = self.shape.windows;
        let (channels, width) = (self.shape.outputs, self.shape.windows.output_size()[1]);
        let line = channels.next_multiple_of(LANES);
        assert!(self.image.len() >= size[0] * size[1] * channels && self.out.len() == width * channels);
        assert!(self.weights.len() >= kernel[0] * kernel[1] * line && self.bias.len() >= line);
        // SAFETY: the instructions are those of the caller, and the lengths have been seen.
        unsafe {
            match (kernel[1], stride[1], dilation[1]) {
                (3, 1, 1) => self.pixels::<V, 3, 1>(width),
                (3, 2, 1) => self.pixels::<V, 3, 2>(width),
                (5, 1, 1) => self.pixels::<V, 5, 1>(width),
                (5, 2, 1) => self.pixels::<V, 5, 2>(width),
                _ => {
                    for x in 0..width {
                        self.pixel::<V>(x);
                    }
                }
            }
        }
        if !self.activation.is_bound() {
            // SAFETY: as above.
            unsafe { crate::math::Activate { activation: self.activation, values: self.out }.run::<V>() };
        }
    }
}

impl DepthwiseRow<'_> {
    /// Computes all pixels of a kernel that is `K` wide and moves by `S`.
    ///
    /// # Safety
    /// The machine has the instructions of `V`, and the lengths fit the shape.
    #[inline(always)]
    unsafe fn pixels<V: Vector, const K: usize, const S: usize>(&mut self, width: usize) {
        let mut x = 0;
        while x < width {
            // The last ones are computed with some before them again, unless they would be added to twice.
            let first = if x + TOGETHER > width && width >= TOGETHER && !self.there { width - TOGETHER } else { x };
            // SAFETY: the caller's promise.
            unsafe {
                if first + TOGETHER <= width {
                    self.together::<V, K, S>(first);
                    x = first + TOGETHER;
                } else {
                    self.pixel::<V>(x);
                    x += 1;
                }
            }
        }
    }

    /// Computes [`TOGETHER`] pixels from `x`. Every value is read once for all of them; each sum is made in the order of the taps.
    ///
    /// # Safety
    /// As for [`pixels`](Self::pixels).
    #[inline(always)]
    unsafe fn together<V: Vector, const K: usize, const S: usize>(&mut self, x: usize) {
        let WindowShape { size, kernel, dilation, .. } = self.shape.windows;
        let channels = self.shape.outputs;
        let line = channels.next_multiple_of(LANES);
        let [top, left] = self.shape.windows.corner([self.row, x]);
        for channel in (0..channels).step_by(LANES) {
            let count = LANES.min(channels - channel);
            // SAFETY: the caller's promise; rows and columns outside of the image are left out.
            unsafe {
                let out = self.out.as_mut_ptr().add(x * channels + channel);
                let mut sums = [V::load(self.bias.as_ptr().add(channel)); TOGETHER];
                if self.there {
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = some(out.add(n * channels), count);
                    }
                }
                for ky in 0..kernel[0] {
                    let row = top + (ky * dilation[0]) as isize;
                    if row < 0 || row >= size[0] as isize {
                        continue;
                    }
                    let weights = self.weights.as_ptr().add(ky * K * line + channel);
                    for along in 0..(TOGETHER - 1) * S + K {
                        let column = left + along as isize;
                        if column < 0 || column >= size[1] as isize {
                            continue;
                        }
                        let from = (row as usize * size[1] + column as usize) * channels + channel;
                        let value = some::<V>(self.image.as_ptr().add(from), count);
                        for (n, sum) in sums.iter_mut().enumerate() {
                            if along >= n * S && along - n * S < K {
                                *sum = sum.mul_add(value, V::load(weights.add((along - n * S) * line)));
                            }
                        }
                    }
                }
                self.activation.bound(&mut sums);
                for (n, sum) in sums.into_iter().enumerate() {
                    store_some(sum, out.add(n * channels), count);
                }
            }
        }
    }

    /// Computes the pixel at `x`.
    ///
    /// # Safety
    /// As for [`pixels`](Self::pixels).
    #[inline(always)]
    unsafe fn pixel<V: Vector>(&mut self, x: usize) {
        let WindowShape { size, kernel, dilation, .. } = self.shape.windows;
        let channels = self.shape.outputs;
        let line = channels.next_multiple_of(LANES);
        let [top, left] = self.shape.windows.corner([self.row, x]);
        for channel in (0..channels).step_by(LANES) {
            let count = LANES.min(channels - channel);
            // SAFETY: the caller's promise; rows and columns outside of the image are left out.
            unsafe {
                let out = self.out.as_mut_ptr().add(x * channels + channel);
                let mut sum = [if self.there { some(out, count) } else { V::load(self.bias.as_ptr().add(channel)) }];
                for tap in 0..kernel[0] * kernel[1] {
                    let row = top + (tap / kernel[1] * dilation[0]) as isize;
                    let column = left + (tap % kernel[1] * dilation[1]) as isize;
                    if row < 0 || row >= size[0] as isize || column < 0 || column >= size[1] as isize {
                        continue;
                    }
                    let from = (row as usize * size[1] + column as usize) * channels + channel;
                    let value = some::<V>(self.image.as_ptr().add(from), count);
                    sum[0] = sum[0].mul_add(value, V::load(self.weights.as_ptr().add(tap * line + channel)));
                }
                self.activation.bound(&mut sum);
                store_some(sum[0], out, count);
            }
        }
    }
}
