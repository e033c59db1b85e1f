//! The gradients of a pooled convolution, which are sparse.
//!
//! Of each pooling window one position gets a gradient, and none where the ReLU or the dropout was silent: of four
//! products in a dense pass at most one is not zero. The positions that count are listed channel by channel, and each of
//! them adds its window of the image to the weights' gradient (*gather*) and the weights to its window of the image's
//! gradient (*scatter*), both in whole vectors.

use rayon::prelude::*;

use super::parts::{Order, Parts};
use super::{ConvShape, SILENT};
use crate::buffer::Buffer;
use crate::parallel::part_size;
use crate::simd::{Isa, Kernel, LANES, Vector};

/// The gradient of the output of [`forward_pooled`](super::forward_pooled), and what its backward pass fills.
#[derive(Debug)]
pub struct PooledGradients<'a> {
    /// Of the output, `[images, outputs, pooled height, pooled width]`.
    pub output: &'a [f32],
    /// As the forward pass wrote them.
    pub winners: &'a [u8],
    /// As given to the forward pass.
    pub scale: Option<&'a [f32]>,
    /// Of the images, channels-last, where it is wanted.
    pub images: Option<&'a mut [f32]>,
    /// Of the weights, `[outputs, inputs, kernel height, kernel width]`.
    pub weights: &'a mut [f32],
    /// Of the bias, `[outputs]`.
    pub bias: &'a mut [f32],
}

/// The gradient of the output of [`forward_pooled`](super::forward_pooled) for some images, and that of the images.
#[derive(Debug)]
pub struct PooledTerms<'a> {
    /// Of the output, `[images, outputs, pooled height, pooled width]`.
    pub output: &'a [f32],
    /// As the forward pass wrote them.
    pub winners: &'a [u8],
    /// As given to the forward pass.
    pub scale: Option<&'a [f32]>,
    /// Of the images, channels-last, where it is wanted.
    pub images: Option<&'a mut [f32]>,
}

/// The backward pass of [`forward_pooled`](super::forward_pooled). The sums are the same for any number of threads.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward_pooled(
    isa: Isa,
    shape: &ConvShape,
    pool: usize,
    images: &[f32],
    weights: &[f32],
    gradients: PooledGradients<'_>,
) {
    let PooledGradients { output, winners, scale, images: d_images, weights: d_weights, bias: d_bias } = gradients;
    let terms = PooledTerms { output, winners, scale, images: d_images };
    let parts = pooled_parts(isa, shape, pool, images.len() / shape.image_len(), images, weights, terms);
    parts.finish(&parts.total(), d_weights, d_bias);
}

/// The gradients of weights and bias before the last sum, for `images` that begin a part of a batch of `whole` ones.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn pooled_parts(
    isa: Isa,
    shape: &ConvShape,
    pool: usize,
    whole: usize,
    images: &[f32],
    weights: &[f32],
    terms: PooledTerms<'_>,
) -> Parts {
    assert!((1..16).contains(&pool));
    let PooledTerms { output, winners, scale, images: d_images } = terms;
    let [height, width] = shape.output_size().map(|side| side / pool);
    let (cells, count) = (height * width, images.len() / shape.image_len());
    let length = shape.outputs * cells;
    assert_eq!((output.len(), winners.len()), (count * length, count * length));
    assert_eq!(weights.len(), shape.weights_len());
    assert!(scale.is_none_or(|scale| scale.len() == count * shape.outputs));
    assert!(d_images.as_ref().is_none_or(|d_images| d_images.len() == images.len()));

    let weights = shape.weights_by_run(weights);
    let pass = Pass { isa, shape, pool, height, width, weights: &weights };
    let chunk = part_size(whole);
    let part = |index: usize, d_images: Option<&mut [f32]>| {
        let mut part = Part::new(shape);
        let mut d_images = d_images.map(|d_images| d_images.chunks_exact_mut(shape.image_len()));
        for index in index * chunk..count.min((index + 1) * chunk) {
            pass.image(
                &images[index * shape.image_len()..][..shape.image_len()],
                &output[index * length..][..length],
                &winners[index * length..][..length],
                scale.map(|scale| &scale[index * shape.outputs..][..shape.outputs]),
                d_images.as_mut().and_then(Iterator::next),
                &mut part,
            );
        }
        part.sums
    };
    let parts = match d_images {
        Some(d_images) => d_images
            .par_chunks_mut((chunk * shape.image_len()).max(1))
            .enumerate()
            .map(|(index, d_images)| part(index, Some(d_images)))
            .collect(),
        None => (0..count.div_ceil(chunk)).into_par_iter().map(|index| part(index, None)).collect(),
    };
    Parts { shape: *shape, order: Order::ByRun, parts }
}

/// A position of an output channel that has a gradient.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Where its window begins in the padded image.
    offset: u32,
    gradient: f32,
}

/// What all images share.
struct Pass<'a> {
    isa: Isa,
    shape: &'a ConvShape,
    pool: usize,
    /// Of the pooled output.
    height: usize,
    width: usize,
    /// By run.
    weights: &'a Buffer,
}

/// The sums over some images, and memory to compute them in.
struct Part {
    /// Those of the weights, by run, and those of the bias.
    sums: Buffer,
    padded: Buffer,
    d_padded: Buffer,
    entries: Vec<Entry>,
    /// Where the entries of each channel and band end.
    ends: Vec<usize>,
}

impl Part {
    fn new(shape: &ConvShape) -> Self {
        Self {
            sums: Buffer::zeros(Order::ByRun.weights(shape) + shape.outputs),
            padded: Buffer::default(),
            d_padded: Buffer::default(),
            entries: Vec::new(),
            ends: Vec::new(),
        }
    }
}

/// Rows of the pooled output that are taken together: their part of the image stays in the first-level cache.
const BAND: usize = 3;

impl Pass<'_> {
    fn image(
        &self,
        image: &[f32],
        gradient: &[f32],
        winners: &[u8],
        scale: Option<&[f32]>,
        d_image: Option<&mut [f32]>,
        part: &mut Part,
    ) {
        let shape = self.shape;
        let image = shape.padded(image, true, &mut part.padded);
        let cells = self.height * self.width;
        let mut winner_offsets = [0; 256];
        for (position, offset) in winner_offsets.iter_mut().take(self.pool * self.pool).enumerate() {
            *offset = (position / self.pool * shape.row_step() + position % self.pool * shape.step()) as u32;
        }
        if d_image.is_some() {
            part.d_padded.resize(shape.padded_len() + LANES);
            part.d_padded.fill(0.0);
        }
        let bands = self.height.div_ceil(BAND);
        part.entries.resize(shape.outputs * cells, Entry::default());
        part.ends.clear();
        for channel in 0..shape.outputs {
            let (gradient, winners) = (&gradient[channel * cells..][..cells], &winners[channel * cells..][..cells]);
            let entries = &mut part.entries[channel * cells..][..cells];
            let scale = scale.map_or(1.0, |scale| scale[channel]);
            let step = self.pool * shape.step();
            let mut length = 0;
            for band in 0..bands {
                let rows = band * BAND..self.height.min((band + 1) * BAND);
                for row in rows {
                    let mut offset = (row * self.pool * shape.row_step()) as u32;
                    let cells = row * self.width..(row + 1) * self.width;
                    for (&gradient, &winner) in gradient[cells.clone()].iter().zip(&winners[cells]) {
                        let gradient = gradient * scale;
                        let counts = (winner != SILENT) & (gradient != 0.0);
                        entries[length] = Entry { offset: offset + winner_offsets[usize::from(winner)], gradient };
                        length += usize::from(counts);
                        offset += step as u32;
                    }
                }
                part.ends.push(length);
            }
        }
        let (rows, row) = (shape.kernel[0], shape.row());
        let vectors = shape.run_vectors();
        let (weight_sums, bias_sums) = part.sums.split_at_mut(Order::ByRun.weights(shape));
        for band in 0..bands {
            let lists = Lists { entries: &part.entries, ends: &part.ends, cells, bands, band };
            self.isa.run(Gather { lists, image, row, rows, vectors, sums: weight_sums, bias: bias_sums });
            if d_image.is_some() {
                self.isa.run(Scatter { lists, image: &mut part.d_padded, row, rows, vectors, weights: self.weights });
            }
        }
        if let Some(d_image) = d_image {
            shape.unpadded(&part.d_padded, d_image);
        }
    }
}

/// The entries of each channel in one band.
#[derive(Clone, Copy)]
struct Lists<'a> {
    entries: &'a [Entry],
    ends: &'a [usize],
    cells: usize,
    bands: usize,
    band: usize,
}

impl Lists<'_> {
    /// Each channel with its entries, having checked that a window of `reach` values from each is inside `available`.
    #[inline(always)]
    fn channels(&self, reach: usize, available: usize) -> impl Iterator<Item = (usize, &[Entry])> {
        let lists = self.ends.chunks_exact(self.bands).zip(self.entries.chunks_exact(self.cells));
        lists.enumerate().map(move |(channel, (ends, entries))| {
            let start = self.band.checked_sub(1).map_or(0, |before| ends[before]);
            let entries = &entries[start..ends[self.band]];
            let last = entries.iter().map(|entry| entry.offset).max().unwrap_or(0);
            assert!(last as usize + reach <= available);
            (channel, entries)
        })
    }
}

/// `sums[channel][row][..] += gradient * image[offset + row..][..]` and `bias[channel] += gradient` over all entries.
struct Gather<'a> {
    lists: Lists<'a>,
    image: &'a [f32],
    row: usize,
    rows: usize,
    vectors: usize,
    sums: &'a mut [f32],
    bias: &'a mut [f32],
}

/// `image[offset + row..][..] += gradient * weights[channel][row][..]` over all entries.
struct Scatter<'a> {
    lists: Lists<'a>,
    image: &'a mut [f32],
    row: usize,
    rows: usize,
    vectors: usize,
    weights: &'a [f32],
}

/// Calls `$function::<V, R, T>` for blocks of `R` kernel rows by `T` vectors that fill `$rows` by `$vectors`. `$wide` says
/// whether to take three rows at once where there are three.
macro_rules! blocks {
    ($vector:ident, $wide:expr, $rows:expr, $vectors:expr, $function:ident($row:ident, $first:ident)($($argument:expr),*)) => {{
        let wide = $wide && $rows == 3;
        let mut $row = 0;
        while $row < $rows {
            let mut $first = 0;
            while $first < $vectors {
                match ($vectors - $first, wide) {
                    (1, false) => $function::<$vector, 1, 1>($($argument),*),
                    (2, false) => $function::<$vector, 1, 2>($($argument),*),
                    (3, false) => $function::<$vector, 1, 3>($($argument),*),
                    (4, false) => $function::<$vector, 1, 4>($($argument),*),
                    (5, false) => $function::<$vector, 1, 5>($($argument),*),
                    (_, false) => $function::<$vector, 1, 6>($($argument),*),
                    (1, true) => $function::<$vector, 3, 1>($($argument),*),
                    (2, true) => $function::<$vector, 3, 2>($($argument),*),
                    (3, true) => $function::<$vector, 3, 3>($($argument),*),
                    (4, true) => $function::<$vector, 3, 4>($($argument),*),
                    (5, true) => $function::<$vector, 3, 5>($($argument),*),
                    (_, true) => $function::<$vector, 3, 6>($($argument),*),
                }
                $first += 6;
            }
            $row += if wide { 3 } else { 1 };
        }
    }};
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { lists, image, row, rows, vectors, sums, bias } = self;
        let (line, reach) = (vectors * LANES, (rows - 1) * row + vectors * LANES);
        for (channel, entries) in lists.channels(reach, image.len()) {
            bias[channel] += entries.iter().map(|entry| entry.gradient).sum::<f32>();
            let sums = &mut sums[channel * rows * line..][..rows * line];
            // SAFETY: the instructions are those of the caller; `channels` checked the windows, the slice the sums.
            unsafe {
                blocks!(
                    V,
                    V::SUMS >= 18,
                    rows,
                    vectors,
                    gather(r, t)(
                        entries,
                        image.as_ptr().add(r * row + t * LANES),
                        row,
                        sums.as_mut_ptr().add(r * line + t * LANES),
                        line
                    )
                );
            }
        }
    }
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { lists, image, row, rows, vectors, weights } = self;
        let (line, reach) = (vectors * LANES, (rows - 1) * row + vectors * LANES);
        for (channel, entries) in lists.channels(reach, image.len()) {
            let weights = &weights[channel * rows * line..][..rows * line];
            // SAFETY: the instructions are those of the caller; `channels` checked the windows, the slice the weights.
            unsafe {
                // Blocks of the same kind on every instruction set: they decide the order of the sums.
                blocks!(
                    V,
                    true,
                    rows,
                    vectors,
                    scatter(r, t)(
                        entries,
                        image.as_mut_ptr().add(r * row + t * LANES),
                        row,
                        weights.as_ptr().add(r * line + t * LANES),
                        line
                    )
                );
            }
        }
    }
}

/// # Safety
/// The machine has the instructions of `V`; windows of `R` rows by `T` vectors from each entry, and the sums, are valid.
#[inline(always)]
unsafe fn gather<V: Vector, const R: usize, const T: usize>(
    entries: &[Entry],
    image: *const f32,
    row: usize,
    sums: *mut f32,
    line: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut block = load_block::<V, R, T>(sums, line);
        for entry in entries {
            let gradient = V::splat(entry.gradient);
            let window = image.add(entry.offset as usize);
            for (r, sums) in block.iter_mut().enumerate() {
                for (t, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.mul_add(gradient, V::load(window.add(r * row + t * LANES)));
                }
            }
        }
        for (r, values) in block.into_iter().enumerate() {
            for (t, value) in values.into_iter().enumerate() {
                value.store(sums.add(r * line + t * LANES));
            }
        }
    }
}

/// # Safety
/// The machine has the instructions of `V`; windows of `R` rows by `T` vectors from each entry, and the weights, are valid.
#[inline(always)]
unsafe fn scatter<V: Vector, const R: usize, const T: usize>(
    entries: &[Entry],
    image: *mut f32,
    row: usize,
    weights: *const f32,
    line: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let weights = load_block::<V, R, T>(weights, line);
        for entry in entries {
            let gradient = V::splat(entry.gradient);
            let window = image.add(entry.offset as usize);
            for (r, weights) in weights.iter().enumerate() {
                for (t, weight) in weights.iter().enumerate() {
                    let at = window.add(r * row + t * LANES);
                    V::load(at).mul_add(gradient, *weight).store(at);
                }
            }
        }
    }
}

/// # Safety
/// The machine has the instructions of `V`; `R` rows by `T` vectors can be read.
#[inline(always)]
unsafe fn load_block<V: Vector, const R: usize, const T: usize>(from: *const f32, line: usize) -> [[V; T]; R] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut block = [[V::splat(0.0); T]; R];
        for (r, values) in block.iter_mut().enumerate() {
            for (t, value) in values.iter_mut().enumerate() {
                *value = V::load(from.add(r * line + t * LANES));
            }
        }
        block
    }
}
