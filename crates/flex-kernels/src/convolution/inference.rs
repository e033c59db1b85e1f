//! Convolution of any geometry, forward: a matrix product over the values that each window sees, or, with a filter for each
//! channel, a direct one.

use rayon::prelude::*;

use super::WindowShape;
use crate::buffer::Buffer;
use crate::gemm::{Matrix, Packed, Start, multiply, product};
use crate::linear::Activation;
use crate::simd::{Isa, Kernel, LANES, Vector};
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
                isa.run(DepthwiseRow { shape, weights, bias: &layer.bias, there, image, row: row % height, out });
                isa.run(crate::math::Activate { activation, values: out });
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
    image: &'a [f32],
    row: usize,
    out: &'a mut [f32],
}

/// Neighbouring pixels that share the weights.
const TOGETHER: usize = 4;

impl Kernel for DepthwiseRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let width = self.shape.windows.output_size()[1];
        let mut x = 0;
        while x < width {
            let together = x + TOGETHER <= width && self.is_inner(x) && self.is_inner(x + TOGETHER - 1);
            // SAFETY: the instructions are those of the caller.
            unsafe {
                if together {
                    self.pixels::<V, TOGETHER>(x);
                } else {
                    self.pixels::<V, 1>(x);
                }
            }
            x += if together { TOGETHER } else { 1 };
        }
    }
}

impl DepthwiseRow<'_> {
    /// Whether no tap of the window falls beside the image.
    #[inline(always)]
    fn is_inner(&self, x: usize) -> bool {
        let WindowShape { size, kernel, dilation, .. } = self.shape.windows;
        let left = self.shape.windows.corner([self.row, x])[1];
        left >= 0 && left as usize + (kernel[1] - 1) * dilation[1] < size[1]
    }

    /// Computes `N` pixels, more than one only where all windows are inside of the image's width.
    ///
    /// # Safety
    /// The machine has the instructions of `V`.
    #[inline(always)]
    unsafe fn pixels<V: Vector, const N: usize>(&mut self, x: usize) {
        let WindowShape { size, kernel, dilation, stride, .. } = self.shape.windows;
        let channels = self.shape.outputs;
        let line = channels.next_multiple_of(LANES);
        let [top, left] = self.shape.windows.corner([self.row, x]);
        for channel in (0..channels).step_by(LANES) {
            let count = LANES.min(channels - channel);
            // SAFETY: the caller's promise; `lanes` and slices have 16 values.
            unsafe {
                let mut sums = [V::load(self.bias[channel..][..LANES].as_ptr()); N];
                if self.there {
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = lanes::<V>(&self.out[(x + n) * channels + channel..], count);
                    }
                }
                for ky in 0..kernel[0] {
                    let row = top + (ky * dilation[0]) as isize;
                    if row < 0 || row >= size[0] as isize {
                        continue;
                    }
                    for kx in 0..kernel[1] {
                        let column = left + (kx * dilation[1]) as isize;
                        if N == 1 && (column < 0 || column >= size[1] as isize) {
                            continue;
                        }
                        let weight = V::load(self.weights[(ky * kernel[1] + kx) * line + channel..][..LANES].as_ptr());
                        let from = (row as usize * size[1] + column as usize) * channels + channel;
                        for (n, sum) in sums.iter_mut().enumerate() {
                            let value = lanes::<V>(&self.image[from + n * stride[1] * channels..], count);
                            *sum = sum.mul_add(value, weight);
                        }
                    }
                }
                for (n, sum) in sums.into_iter().enumerate() {
                    let out = &mut self.out[(x + n) * channels + channel..][..count];
                    if count == LANES {
                        sum.store(out.as_mut_ptr());
                    } else {
                        let mut values = [0.0; LANES];
                        sum.store(values.as_mut_ptr());
                        out.copy_from_slice(&values[..count]);
                    }
                }
            }
        }
    }
}

/// The first `count` values, and zeros.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn lanes<V: Vector>(values: &[f32], count: usize) -> V {
    // SAFETY: the caller's promise, and 16 values.
    unsafe {
        if count == LANES {
            return V::load(values[..LANES].as_ptr());
        }
        let mut lanes = [0.0; LANES];
        lanes[..count].copy_from_slice(&values[..count]);
        V::load(lanes.as_ptr())
    }
}
