//! Layer normalisation, alone and behind a residual connection with dropout: forward and backward.

use rayon::prelude::*;

use crate::dropout::Dropout;
use crate::linear::sum_rows;
use crate::simd::{Isa, Kernel, LANES, Vector};

/// What a normalisation is told.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What the normalised values are multiplied by, `[width]`.
    pub gamma: &'a [f32],
    /// What is added to them, `[width]`.
    pub beta: &'a [f32],
    /// Keeps the quotient finite.
    pub epsilon: f32,
}

/// Rows of one task.
const ROWS: usize = 32;

/// Writes `norm(values)` to `out` `[rows, width]`. `values` `[rows, width]` become the normalised values before `gamma` and `beta`,
/// and `deviations` `[rows]` the reciprocal standard deviations, as the backward pass wants them.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward(isa: Isa, norm: Norm<'_>, values: &mut [f32], deviations: &mut [f32], out: &mut [f32]) {
    let width = norm.gamma.len();
    assert_eq!((norm.beta.len(), values.len(), out.len()), (width, deviations.len() * width, deviations.len() * width));
    if out.is_empty() {
        return;
    }
    let rows = values.par_chunks_mut(ROWS * width).zip(out.par_chunks_mut(ROWS * width));
    rows.zip(deviations.par_chunks_mut(ROWS)).for_each(|((values, out), deviations)| {
        isa.run(Forward { norm, values, deviations, out });
    });
}

/// Writes `dropout(input) + residual` to `out`.
///
/// # Panics
/// When the lengths differ.
pub fn add(input: &[f32], residual: &[f32], dropout: Option<Dropout>, out: &mut [f32]) {
    const CHUNK: usize = 1 << 13;
    assert_eq!((input.len(), residual.len()), (out.len(), out.len()));
    let chunks = out.par_chunks_mut(CHUNK).zip(input.par_chunks(CHUNK)).zip(residual.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(index, ((out, input), residual))| {
        match dropout {
            Some(dropout) => dropout.fill(index * CHUNK, out),
            None => out.fill(1.0),
        }
        for ((out, input), residual) in out.iter_mut().zip(input).zip(residual) {
            *out = *out * input + residual;
        }
    });
}

/// `values *= dropout`.
pub fn silence(dropout: Dropout, values: &mut [f32]) {
    const CHUNK: usize = 1 << 13;
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(index, values)| {
        let mut factors = [0.0; CHUNK];
        let factors = &mut factors[..values.len()];
        dropout.fill(index * CHUNK, factors);
        for (value, factor) in values.iter_mut().zip(factors) {
            *value *= *factor;
        }
    });
}

/// The gradients of [`forward`]: turns `gradient` `[rows, width]`, that of its output, into that of `values` as they were, and
/// fills those of gamma and beta. `normalised` and `deviations` are what the forward pass left.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward(
    isa: Isa,
    gamma: &[f32],
    normalised: &[f32],
    deviations: &[f32],
    gradient: &mut [f32],
    d_gamma: &mut [f32],
    d_beta: &mut [f32],
) {
    let width = gamma.len();
    assert_eq!((d_gamma.len(), d_beta.len()), (width, width));
    assert_eq!((normalised.len(), gradient.len()), (deviations.len() * width, deviations.len() * width));
    if gradient.is_empty() {
        d_gamma.fill(0.0);
        d_beta.fill(0.0);
        return;
    }
    sum_rows(gradient, d_beta);
    d_gamma.par_chunks_mut(64).enumerate().for_each(|(index, sums)| {
        sums.fill(0.0);
        for (gradient, normalised) in gradient.chunks_exact(width).zip(normalised.chunks_exact(width)) {
            let at = index * 64;
            for ((sum, gradient), normalised) in sums.iter_mut().zip(&gradient[at..]).zip(&normalised[at..]) {
                *sum += gradient * normalised;
            }
        }
    });
    let rows = gradient.par_chunks_mut(ROWS * width).zip(normalised.par_chunks(ROWS * width));
    rows.zip(deviations.par_chunks(ROWS)).for_each(|((gradient, normalised), deviations)| {
        isa.run(Backward { gamma, normalised, deviations, gradient });
    });
}

struct Forward<'a> {
    norm: Norm<'a>,
    values: &'a mut [f32],
    deviations: &'a mut [f32],
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { norm: Norm { gamma, beta, epsilon }, values, deviations, out } = self;
        let width = gamma.len();
        let rows = values.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)).zip(deviations);
        for ((values, out), deviation) in rows {
            // SAFETY: the instructions are those of the caller.
            unsafe {
                let mean = total(values, values, |sum: V, value, _| sum.add(value)) / width as f32;
                let centre = V::splat(mean);
                let square = |sum: V, value: V, _| {
                    let off = value.sub(centre);
                    sum.mul_add(off, off)
                };
                // The lanes beyond the end are taken for the mean.
                let variance = total_around(values, mean, square) / width as f32;
                *deviation = 1.0 / (variance + epsilon).sqrt();
                for ((value, out), (gamma, beta)) in values.iter_mut().zip(out).zip(gamma.iter().zip(beta)) {
                    *value = (*value - mean) * *deviation;
                    *out = value.mul_add(*gamma, *beta);
                }
            }
        }
    }
}

struct Backward<'a> {
    gamma: &'a [f32],
    normalised: &'a [f32],
    deviations: &'a [f32],
    gradient: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { gamma, normalised, deviations, gradient } = self;
        let width = gamma.len();
        let rows = gradient.chunks_exact_mut(width).zip(normalised.chunks_exact(width)).zip(deviations);
        for ((gradient, normalised), deviation) in rows {
            for (gradient, gamma) in gradient.iter_mut().zip(gamma) {
                *gradient *= gamma;
            }
            // SAFETY: the instructions are those of the caller.
            let (mean, slope) = unsafe {
                let mean = total(gradient, gradient, |sum: V, value, _| sum.add(value)) / width as f32;
                let slope = total(gradient, normalised, |sum: V, a, b| sum.mul_add(a, b)) / width as f32;
                (mean, slope)
            };
            for (gradient, normalised) in gradient.iter_mut().zip(normalised) {
                *gradient = (*gradient - mean - normalised * slope) * deviation;
            }
        }
    }
}

/// Folds two slices of one length sixteen at a time, with zeros beyond the end, and adds up the lanes in their order.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
pub(crate) unsafe fn total<V: Vector>(a: &[f32], b: &[f32], fold: impl Fn(V, V, V) -> V) -> f32 {
    assert_eq!(a.len(), b.len());
    let (mut vectors, mut others) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    // SAFETY: the caller's promise, and slices of 16 values.
    unsafe {
        let mut sum = V::splat(0.0);
        for (a, b) in (&mut vectors).zip(&mut others) {
            sum = fold(sum, V::load(a.as_ptr()), V::load(b.as_ptr()));
        }
        if !vectors.remainder().is_empty() {
            let (mut a, mut b) = ([0.0; LANES], [0.0; LANES]);
            a[..vectors.remainder().len()].copy_from_slice(vectors.remainder());
            b[..others.remainder().len()].copy_from_slice(others.remainder());
            sum = fold(sum, V::load(a.as_ptr()), V::load(b.as_ptr()));
        }
        let mut lanes = [0.0; LANES];
        sum.store(lanes.as_mut_ptr());
        lanes.iter().sum()
    }
}

/// [`total`] of one slice, with `filler` beyond its end.
///
/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn total_around<V: Vector>(values: &[f32], filler: f32, fold: impl Fn(V, V, V) -> V) -> f32 {
    let whole = values.len() / LANES * LANES;
    let mut tail = [filler; LANES];
    tail[..values.len() - whole].copy_from_slice(&values[whole..]);
    // SAFETY: the caller's promise, and an array of 16 values.
    unsafe {
        let mut sum = V::splat(0.0);
        for values in values[..whole].chunks_exact(LANES) {
            let values = V::load(values.as_ptr());
            sum = fold(sum, values, values);
        }
        let tail = V::load(tail.as_ptr());
        sum = fold(sum, tail, tail);
        let mut lanes = [0.0; LANES];
        sum.store(lanes.as_mut_ptr());
        lanes.iter().sum()
    }
}
