//! Matrix products of any size, the second operand packed into panels.
//!
//! A sum is made of parts of [`DEPTH`] terms each, added in their order, so that it depends neither on the instruction set nor
//! on the number of threads.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::linear::Activation;
use crate::math::Activate;
use crate::simd::{Isa, Kernel, LANES, Vector, some, store_some};
use crate::tile::{ROWS, Tiled, Walk, accumulate, cover};

/// Terms that are summed up in one part.
pub(crate) const DEPTH: usize = 512;

/// The most rows of a block: with all terms of a part they fit into the second cache.
const BLOCK: usize = 16 * ROWS;

/// Up to this many rows, packing costs more than it gains.
const FEW: usize = 4;

/// Rows that are transposed together, so that a cache line is used before it is gone.
const SQUARE: usize = 16;

/// Columns that are summed up at a time for few rows: their sums stay in the first cache.
const CHUNK: usize = 4096;

/// A matrix somewhere in `values`, with the distance between rows and between the values in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) steps: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Row after row without gaps.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self { values, rows, columns, steps: [columns, 1] }
    }

    pub(crate) fn transposed(self) -> Self {
        let Self { values, rows, columns, steps: [row, column] } = self;
        Self { values, rows: columns, columns: rows, steps: [column, row] }
    }

    fn check(&self) {
        if self.rows * self.columns > 0 {
            let last = (self.rows - 1) * self.steps[0] + (self.columns - 1) * self.steps[1];
            assert!(last < self.values.len(), "the matrix reaches beyond its values");
        }
    }

    /// `count` rows from `first`.
    pub(crate) fn part(self, first: usize, count: usize) -> Self {
        let start = (first * self.steps[0]).min(self.values.len());
        Self { values: &self.values[start..], rows: count, ..self }
    }
}

/// The second operand of a product: for each part of [`DEPTH`] rows, panels of columns, each row after row.
#[derive(Debug)]
pub(crate) struct Packed {
    rows: usize,
    columns: usize,
    panel: usize,
    values: Buffer,
}

/// Columns of a panel: as many as a tile has.
fn panel(isa: Isa) -> usize {
    struct Sums;
    impl Kernel for Sums {
        type Output = usize;
        #[inline(always)]
        unsafe fn run<V: Vector>(self) -> usize {
            V::SUMS
        }
    }
    if isa.run(Sums) >= 4 * ROWS { 4 * LANES } else { LANES }
}

impl Packed {
    pub(crate) fn new(isa: Isa, matrix: Matrix<'_>) -> Self {
        matrix.check();
        let Matrix { values: from, rows, columns, steps: [row_step, column_step] } = matrix;
        let (panel, padded) = (panel(isa), columns.next_multiple_of(LANES));
        let mut values = Buffer::zeros(rows * padded);
        let parts = values[..rows * padded].par_chunks_mut((DEPTH * padded).max(1)).enumerate();
        parts.for_each(|(part, values)| {
            let (first, count) = (part * DEPTH, values.len() / padded);
            for (index, values) in values.chunks_mut(panel * count).enumerate() {
                let start = index * panel;
                let (width, real) = (values.len() / count, panel.min(columns - start));
                if column_step == 1 {
                    for (row, to) in values.chunks_exact_mut(width).enumerate() {
                        let from = (first + row) * row_step + start;
                        to[..real].copy_from_slice(&matrix.values[from..][..real]);
                    }
                    continue;
                }
                for (tile, values) in values.chunks_mut(SQUARE * width).enumerate() {
                    for column in 0..real {
                        let from = &from[(start + column) * column_step + (first + tile * SQUARE) * row_step..];
                        let to = values[column..].iter_mut().step_by(width);
                        for (to, from) in to.zip(from.iter().step_by(row_step)) {
                            *to = *from;
                        }
                    }
                }
            }
        });
        Self { rows, columns, panel, values }
    }

    fn padded(&self) -> usize {
        self.columns.next_multiple_of(LANES)
    }
}

/// Where the sums of a product begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// At zero.
    Zero,
    /// At a value for each column.
    Bias(&'a [f32]),
    /// At what is there.
    There,
}

/// Writes `activation(start + a b)` to `out` `[rows of a, columns of b]`, on all threads.
///
/// # Panics
/// When the sizes do not fit.
pub(crate) fn product(isa: Isa, a: Matrix<'_>, b: &Packed, start: Start<'_>, activation: Activation, out: &mut [f32]) {
    assert_eq!((a.columns, out.len()), (b.rows, a.rows * b.columns));
    a.check();
    if out.is_empty() {
        return;
    }
    let threads = rayon::current_num_threads();
    let block = a.rows.div_ceil(threads).next_multiple_of(ROWS).clamp(ROWS, BLOCK);
    let blocks = a.rows.div_ceil(block);
    let shares = threads.div_ceil(blocks);
    let width = b.columns.div_ceil(shares).next_multiple_of(b.panel);
    let mut tasks: Vec<(usize, usize, Vec<&mut [f32]>)> = Vec::new();
    for (block_index, out) in out.chunks_mut(block * b.columns).enumerate() {
        let mut parts: Vec<Vec<&mut [f32]>> =
            (0..b.columns.div_ceil(width)).map(|_| Vec::with_capacity(block)).collect();
        for row in out.chunks_exact_mut(b.columns) {
            for (part, row) in parts.iter_mut().zip(row.chunks_mut(width)) {
                part.push(row);
            }
        }
        tasks.extend(parts.into_iter().enumerate().map(|(share, out)| (block_index * block, share * width, out)));
    }
    tasks.into_par_iter().for_each(|(row, column, mut out)| {
        let a = a.part(row, out.len());
        multiply(isa, a, b, column, start, activation, &mut out);
    });
}

/// Writes `activation(start + a b)` to the rows `out`, which hold the columns of `b` from `column`, on this thread.
pub(crate) fn multiply(
    isa: Isa,
    a: Matrix<'_>,
    b: &Packed,
    column: usize,
    start: Start<'_>,
    activation: Activation,
    out: &mut [&mut [f32]],
) {
    a.check();
    assert_eq!((a.columns, a.rows), (b.rows, out.len()));
    let width = out.first().map_or(0, |row| row.len());
    assert!(column.is_multiple_of(b.panel) && column + width <= b.columns);
    assert!(out.iter().all(|row| row.len() == width));
    if let Start::Bias(bias) = start {
        assert_eq!(bias.len(), b.columns);
    }
    let packed_rows;
    let (a_values, a_row, a_term, a_tile) = if a.steps[1] == 1 {
        (a.values, a.steps[0], 1, a.steps[0] * ROWS)
    } else {
        packed_rows = rows_side_by_side(a);
        (&packed_rows[..], 1, ROWS, ROWS * a.columns)
    };
    let bound = if activation.is_bound() { activation } else { Activation::Identity };
    isa.run(Block { a: a_values, a_row, a_term, a_tile, b, column, width, start, bound, out });
    if !activation.is_bound() {
        for values in out.iter_mut() {
            isa.run(Activate { activation, values });
        }
    }
}

/// `[tile, term, row of the tile]`
fn rows_side_by_side(a: Matrix<'_>) -> Buffer {
    let mut packed = Buffer::zeros(a.rows.next_multiple_of(ROWS) * a.columns);
    for (tile, packed) in packed.chunks_exact_mut((ROWS * a.columns).max(1)).take(a.rows.div_ceil(ROWS)).enumerate() {
        let count = ROWS.min(a.rows - tile * ROWS);
        for (term, to) in packed.chunks_exact_mut(ROWS).enumerate() {
            let from = &a.values[tile * ROWS * a.steps[0] + term * a.steps[1]..];
            if a.steps[0] == 1 {
                to[..count].copy_from_slice(&from[..count]);
            } else {
                for (to, from) in to[..count].iter_mut().zip(from.iter().step_by(a.steps[0])) {
                    *to = *from;
                }
            }
        }
    }
    packed
}

struct Block<'a, 'b> {
    a: &'a [f32],
    /// The distance between rows, terms, and tiles of rows in `a`.
    a_row: usize,
    a_term: usize,
    a_tile: usize,
    b: &'a Packed,
    column: usize,
    width: usize,
    start: Start<'a>,
    /// The activation where it is a bound.
    bound: Activation,
    out: &'a mut [&'b mut [f32]],
}

impl Kernel for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { a, a_row, a_term, a_tile, b, column, width, start, bound, out } = self;
        let padded = b.padded();
        for (part, first) in (0..b.rows.max(1)).step_by(DEPTH).enumerate() {
            let depth = DEPTH.min(b.rows - first);
            for from in (column..column + width).step_by(b.panel) {
                let panel = b.panel.min(padded - from);
                let columns = panel.min(b.columns - from);
                let values = &b.values[first * padded + from * depth..][..panel * depth];
                let bias = match start {
                    Start::Bias(bias) => &bias[from..from + columns],
                    _ => &[],
                };
                let tiles = Tiles {
                    a: a.as_ptr().wrapping_add(first * a_term),
                    a_row,
                    a_tile,
                    b: values.as_ptr(),
                    walk: Walk { outer: 1, inner: depth, a_outer: 0, a_inner: a_term, b_outer: 0, b_inner: panel },
                    there: part > 0 || matches!(start, Start::There),
                    bias,
                    bound: if first + depth == b.rows { bound } else { Activation::Identity },
                    column: from - column,
                    columns,
                    rows: out.as_mut_ptr(),
                };
                // SAFETY: the instructions are those of the caller. `multiply` has checked that `a` has all rows and terms and
                // each row of `out` all columns; the panel has `depth` rows of whole vectors.
                unsafe { cover::<V>(out.len(), columns.div_ceil(LANES), &tiles) };
            }
        }
    }
}

struct Tiles<'a, 'b> {
    a: *const f32,
    a_row: usize,
    a_tile: usize,
    b: *const f32,
    walk: Walk,
    /// Whether to add to what is in the output.
    there: bool,
    /// Nothing, or a value for each column of the panel.
    bias: &'a [f32],
    bound: Activation,
    /// Where the panel begins in a row of the output, and how many columns it has.
    column: usize,
    columns: usize,
    rows: *mut &'b mut [f32],
}

impl Tiled for Tiles<'_, '_> {
    #[inline(always)]
    unsafe fn tile<V: Vector, const M: usize, const N: usize>(&self, row: usize, vector: usize) {
        let (at, whole) = (vector * LANES, (vector + N) * LANES <= self.columns);
        // SAFETY: the caller keeps to the area of `cover`: the rows of the output, and the vectors of the panel. Behind `at` a row
        // has `columns - at` values of the panel, which are whole vectors where `whole` says so; so has the bias.
        unsafe {
            let a = self.a.wrapping_add(row / ROWS * self.a_tile);
            let out = |row: usize| (*self.rows.add(row)).as_mut_ptr().add(self.column + at);
            let count = |n: usize| if whole { LANES } else { LANES.min(self.columns - at - n * LANES) };
            let mut sums = accumulate::<V, M, N>([[V::splat(0.0); N]; M], a, self.a_row, self.b.add(at), self.walk);
            if self.there {
                for (m, sums) in sums.iter_mut().enumerate() {
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = some::<V>(out(row + m).add(n * LANES), count(n)).add(*sum);
                    }
                }
            } else if !self.bias.is_empty() {
                let mut bias = [V::splat(0.0); N];
                for (n, bias) in bias.iter_mut().enumerate() {
                    *bias = some::<V>(self.bias.as_ptr().add(at + n * LANES), count(n));
                }
                for sums in &mut sums {
                    for (sum, bias) in sums.iter_mut().zip(bias) {
                        *sum = bias.add(*sum);
                    }
                }
            }
            self.bound.bound(sums.as_flattened_mut());
            for (m, sums) in sums.into_iter().enumerate() {
                for (n, sum) in sums.into_iter().enumerate() {
                    store_some(sum, out(row + m).add(n * LANES), count(n));
                }
            }
        }
    }
}

/// Writes `activation(start + a b)` to `out`, as [`product`] does and with the same bits, for few rows of `a` and a `b` whose
/// rows have no gaps: `b` is read once, as it lies in memory.
pub(crate) fn few_rows(
    isa: Isa,
    a: Matrix<'_>,
    b: Matrix<'_>,
    bias: Option<&[f32]>,
    activation: Activation,
    out: &mut [f32],
) {
    assert_eq!((a.columns, out.len(), b.steps[1]), (b.rows, a.rows * b.columns, 1));
    a.check();
    b.check();
    let chunk = CHUNK.min(b.columns.div_ceil(rayon::current_num_threads()).next_multiple_of(LANES)).max(LANES);
    let mut tasks: Vec<Vec<&mut [f32]>> = (0..b.columns.div_ceil(chunk)).map(|_| Vec::new()).collect();
    for row in out.chunks_exact_mut(b.columns.max(1)) {
        for (task, part) in tasks.iter_mut().zip(row.chunks_mut(chunk)) {
            task.push(part);
        }
    }
    tasks.into_par_iter().enumerate().for_each(|(index, mut out)| {
        let first = index * chunk;
        let width = out.first().map_or(0, |row| row.len());
        let bias = bias.map(|bias| &bias[first..first + width]);
        let mut sums = Buffer::zeros(a.rows * width.next_multiple_of(LANES));
        isa.run(FewRows { a, b, first, bias, sums: &mut sums, out: &mut out });
        for values in &mut out {
            isa.run(Activate { activation, values });
        }
    });
}

/// Whether [`few_rows`] is the way for so many.
pub(crate) fn are_few(rows: usize) -> bool {
    rows <= FEW
}

struct FewRows<'a, 'b> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    first: usize,
    bias: Option<&'a [f32]>,
    /// `[row, column]`, columns in whole vectors.
    sums: &'a mut [f32],
    out: &'a mut [&'b mut [f32]],
}

/// Rows of `b` that are read together.
const TOGETHER: usize = 4;

impl Kernel for FewRows<'_, '_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { a, b, first, bias, sums, out } = self;
        let width = out.first().map_or(0, |row| row.len());
        let padded = width.next_multiple_of(LANES);
        for (part, start) in (0..b.rows.max(1)).step_by(DEPTH).enumerate() {
            let end = b.rows.min(start + DEPTH);
            sums.fill(0.0);
            for term in (start..end).step_by(TOGETHER) {
                let count = TOGETHER.min(end - term);
                for (row, sums) in sums.chunks_exact_mut(padded.max(1)).take(a.rows).enumerate() {
                    let factor = |index: usize| a.values[row * a.steps[0] + (term + index) * a.steps[1]];
                    let line = |index: usize| &b.values[(term + index) * b.steps[0] + first..][..width];
                    // SAFETY: the instructions are those of the caller.
                    unsafe {
                        if count == TOGETHER {
                            add_lines::<V, TOGETHER>(sums, std::array::from_fn(factor), std::array::from_fn(line));
                        } else {
                            for index in 0..count {
                                add_lines::<V, 1>(sums, [factor(index)], [line(index)]);
                            }
                        }
                    }
                }
            }
            for (out, sums) in out.iter_mut().zip(sums.chunks_exact(padded.max(1))) {
                for (column, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                    *out = match (part, bias) {
                        (0, None) => *sum,
                        (0, Some(bias)) => bias[column] + sum,
                        _ => *out + sum,
                    };
                }
            }
        }
    }
}

/// Adds `factors` times `lines` to `sums`, which has whole vectors.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn add_lines<V: Vector, const K: usize>(sums: &mut [f32], factors: [f32; K], lines: [&[f32]; K]) {
    let width = lines[0].len();
    assert!(sums.len() >= width && lines.iter().all(|line| line.len() == width));
    let whole = width / LANES * LANES;
    // SAFETY: the caller's promise; before `whole` there are 16 values of every line and of the sums.
    unsafe {
        for at in (0..whole).step_by(LANES) {
            let sums = sums.as_mut_ptr().add(at);
            let mut sum = V::load(sums);
            for (factor, line) in factors.into_iter().zip(lines) {
                sum = sum.mul_add(V::splat(factor), V::load(line.as_ptr().add(at)));
            }
            sum.store(sums);
        }
        if whole < width {
            let sums = sums[whole..][..LANES].as_mut_ptr();
            let mut sum = V::load(sums);
            for (factor, line) in factors.into_iter().zip(lines) {
                let mut lanes = [0.0; LANES];
                lanes[..width - whole].copy_from_slice(&line[whole..]);
                sum = sum.mul_add(V::splat(factor), V::load(lanes.as_ptr()));
            }
            sum.store(sums);
        }
    }
}

/// The rows of `values` as slices.
pub(crate) fn rows(values: &mut [f32], width: usize) -> Vec<&mut [f32]> {
    values.chunks_exact_mut(width.max(1)).collect()
}
