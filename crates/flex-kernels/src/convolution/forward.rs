//! `relu(conv(images))`, and its max-pooling.

use rayon::prelude::*;

use super::{ConvShape, SILENT};
use crate::buffer::Buffer;
use crate::simd::{Isa, Kernel, LANES, Vector};
use crate::tile::{Tiled, Walk, accumulate, cover};

/// Writes `relu(conv(images))` to `out`, both channels-last.
///
/// `weights` are `[outputs, inputs, kernel height, kernel width]`, `bias` is `[outputs]`.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn forward(isa: Isa, shape: &ConvShape, images: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let layer = Layer::new(isa, shape, weights, bias);
    let length = shape.output_len();
    assert_eq!(images.len() / shape.image_len(), out.len() / length);
    out.par_chunks_exact_mut(length)
        .zip(images.par_chunks_exact(shape.image_len()))
        .for_each_init(Scratch::default, |scratch, (out, image)| layer.image(image, out, scratch));
}

/// What [`forward_pooled`] writes.
#[derive(Debug)]
pub struct Pooled<'a> {
    /// `[images, outputs, pooled height, pooled width]`
    pub out: &'a mut [f32],
    /// Which position of its window each value comes from, row by row, or [`SILENT`]; in the order of `out`.
    pub winners: Option<&'a mut [u8]>,
}

/// Writes `max_pool(relu(conv(images))) * scale`, channels-first, with non-overlapping windows of `pool` by `pool`.
///
/// Rows and columns that fill no window are left out. `scale` is `[images, outputs]`; see [`forward`] for the rest.
///
/// # Panics
/// When the lengths do not fit the shape, or `pool` is not from 1 to 15.
pub fn forward_pooled(
    isa: Isa,
    shape: &ConvShape,
    pool: usize,
    images: &[f32],
    weights: &[f32],
    bias: &[f32],
    scale: Option<&[f32]>,
    to: Pooled<'_>,
) {
    assert!((1..16).contains(&pool));
    let layer = Layer::new(isa, shape, weights, bias);
    let [height, width] = shape.output_size().map(|side| side / pool);
    let length = shape.outputs * height * width;
    let count = images.len() / shape.image_len();
    assert_eq!(
        (to.out.len(), scale.map_or(count * shape.outputs, <[f32]>::len)),
        (count * length, count * shape.outputs)
    );
    if length == 0 {
        return;
    }
    let images = images.par_chunks_exact(shape.image_len()).enumerate();
    let scale = |image: usize| scale.map(|scale| &scale[image * shape.outputs..][..shape.outputs]);
    match to.winners {
        Some(winners) => {
            assert_eq!(winners.len(), count * length);
            let outs = to.out.par_chunks_exact_mut(length).zip(winners.par_chunks_exact_mut(length));
            outs.zip(images).for_each_init(Scratch::default, |scratch, ((out, winners), (index, image))| {
                layer.pooled_image(pool, image, scale(index), out, Some(winners), scratch);
            });
        }
        None => {
            let outs = to.out.par_chunks_exact_mut(length);
            outs.zip(images).for_each_init(Scratch::default, |scratch, (out, (index, image))| {
                layer.pooled_image(pool, image, scale(index), out, None, scratch);
            });
        }
    }
}

#[derive(Default)]
struct Scratch {
    padded: Buffer,
    rows: Buffer,
    pooled: Buffer,
    labels: Buffer,
}

/// A convolution ready to run.
struct Layer<'a> {
    isa: Isa,
    shape: &'a ConvShape,
    weights: Buffer,
    bias: Buffer,
    /// Output channels in whole vectors.
    columns: usize,
}

impl<'a> Layer<'a> {
    fn new(isa: Isa, shape: &'a ConvShape, weights: &[f32], bias: &[f32]) -> Self {
        assert_eq!((weights.len(), bias.len()), (shape.weights_len(), shape.outputs));
        let columns = shape.output_vectors() * LANES;
        let mut padded_bias = Buffer::zeros(columns);
        padded_bias[..bias.len()].copy_from_slice(bias);
        Self { isa, shape, weights: shape.weights_by_tap(weights), bias: padded_bias, columns }
    }

    fn image(&self, image: &[f32], out: &mut [f32], scratch: &mut Scratch) {
        let (shape, columns) = (self.shape, self.columns);
        let [height, width] = shape.output_size();
        let image = shape.padded(image, false, &mut scratch.padded);
        if columns == shape.outputs {
            self.rows(image, 0, height, out);
            return;
        }
        scratch.rows.resize(width * columns);
        for (row, out) in out.chunks_exact_mut(width * shape.outputs).enumerate() {
            self.rows(image, row, 1, &mut scratch.rows);
            for (to, from) in out.chunks_exact_mut(shape.outputs).zip(scratch.rows.chunks_exact(columns)) {
                to.copy_from_slice(&from[..shape.outputs]);
            }
        }
    }

    fn pooled_image(
        &self,
        pool: usize,
        image: &[f32],
        scale: Option<&[f32]>,
        out: &mut [f32],
        winners: Option<&mut [u8]>,
        scratch: &mut Scratch,
    ) {
        let (shape, columns) = (self.shape, self.columns);
        let width = shape.output_size()[1];
        let [pooled_height, pooled_width] = shape.output_size().map(|side| side / pool);
        let cells = pooled_height * pooled_width;
        let image = shape.padded(image, false, &mut scratch.padded);
        scratch.rows.resize(pool * width * columns);
        scratch.pooled.resize(cells * columns);
        scratch.labels.resize(cells * columns);
        for row in 0..pooled_height {
            self.rows(image, row * pool, pool, &mut scratch.rows);
            let to = row * pooled_width * columns;
            self.isa.run(PoolRow {
                pool,
                width,
                columns,
                pooled_width,
                rows: &scratch.rows[..pool * width * columns],
                values: &mut scratch.pooled[to..to + pooled_width * columns],
                labels: &mut scratch.labels[to..to + pooled_width * columns],
            });
        }
        for (channel, out) in out.chunks_exact_mut(cells).enumerate() {
            let scale = scale.map_or(1.0, |scale| scale[channel]);
            for (to, from) in out.iter_mut().zip(scratch.pooled[channel..].iter().step_by(columns)) {
                *to = from * scale;
            }
        }
        let Some(winners) = winners else { return };
        for (channel, winners) in winners.chunks_exact_mut(cells).enumerate() {
            for (to, from) in winners.iter_mut().zip(scratch.labels[channel..].iter().step_by(columns)) {
                *to = *from as u8;
            }
        }
    }

    /// Computes `count` output rows from `first`, `[row, column, output]`, outputs in whole vectors.
    fn rows(&self, image: &[f32], first: usize, count: usize, out: &mut [f32]) {
        let width = self.shape.output_size()[1];
        assert!(out.len() >= count * width * self.columns && image.len() >= self.shape.padded_len());
        self.isa.run(Rows { layer: self, image, first, count, width, out });
    }
}

struct Rows<'a> {
    layer: &'a Layer<'a>,
    image: &'a [f32],
    first: usize,
    count: usize,
    width: usize,
    out: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { layer, width, .. } = self;
        let (shape, columns) = (layer.shape, layer.columns);
        for row in 0..self.count {
            let line = Line {
                a: self.image[(self.first + row) * shape.row_step()..].as_ptr(),
                step: shape.step(),
                weights: layer.weights.as_ptr(),
                bias: layer.bias.as_ptr(),
                out: self.out[row * width * columns..][..width * columns].as_mut_ptr(),
                columns,
                walk: Walk {
                    outer: shape.kernel[0],
                    inner: shape.run(),
                    a_outer: shape.row(),
                    a_inner: 1,
                    b_outer: shape.run() * columns,
                    b_inner: columns,
                },
            };
            // SAFETY: the instructions are those of the caller; every window of the row is inside the padded image, and
            // weights, bias and output have whole vectors of columns.
            unsafe { cover::<V>(width, columns / LANES, &line) };
        }
    }
}

/// One output row, a row of the tile for each of its pixels.
struct Line {
    a: *const f32,
    step: usize,
    weights: *const f32,
    bias: *const f32,
    out: *mut f32,
    columns: usize,
    walk: Walk,
}

impl Tiled for Line {
    #[inline(always)]
    unsafe fn tile<V: Vector, const M: usize, const N: usize>(&self, row: usize, vector: usize) {
        // SAFETY: the caller keeps to the area of `cover`.
        unsafe {
            let mut bias = [V::splat(0.0); N];
            for (n, value) in bias.iter_mut().enumerate() {
                *value = V::load(self.bias.add((vector + n) * LANES));
            }
            let (a, b) = (self.a.add(row * self.step), self.weights.add(vector * LANES));
            let sums = accumulate::<V, M, N>([bias; M], a, self.step, b, self.walk);
            for (m, sums) in sums.into_iter().enumerate() {
                let out = self.out.add((row + m) * self.columns + vector * LANES);
                for (n, sum) in sums.into_iter().enumerate() {
                    sum.relu().store(out.add(n * LANES));
                }
            }
        }
    }
}

/// A row of pooling windows, over `rows` `[pool, width, columns]`; values after ReLU, so never negative.
struct PoolRow<'a> {
    pool: usize,
    width: usize,
    columns: usize,
    pooled_width: usize,
    rows: &'a [f32],
    values: &'a mut [f32],
    labels: &'a mut [f32],
}

impl Kernel for PoolRow<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { pool, width, columns, pooled_width, rows, values, labels } = self;
        assert!(rows.len() >= pool * width * columns && pooled_width * pool <= width);
        assert!(values.len().min(labels.len()) >= pooled_width * columns && columns.is_multiple_of(LANES));
        for cell in 0..pooled_width {
            for column in (0..columns).step_by(LANES) {
                // SAFETY: the instructions are those of the caller; the lengths are checked above.
                unsafe {
                    let (mut best, mut label) = (V::splat(0.0), V::splat(f32::from(SILENT)));
                    for y in 0..pool {
                        for x in 0..pool {
                            let value = V::load(rows.as_ptr().add((y * width + cell * pool + x) * columns + column));
                            let position = V::splat((y * pool + x) as f32);
                            (best, label) = best.greater(label, value, position);
                        }
                    }
                    best.store(values.as_mut_ptr().add(cell * columns + column));
                    label.store(labels.as_mut_ptr().add(cell * columns + column));
                }
            }
        }
    }
}
