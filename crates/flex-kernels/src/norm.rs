//! Layer normalisation, alone and behind a residual connection with dropout: forward and backward.

use rayon::prelude::*;

use crate::dropout::Dropout;
use crate::linear::sum_rows;
use crate::math::{Term, total};
use crate::simd::{Isa, Kernel, Vector};

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
                let mean = total::<V>(values, values, Term::First) / width as f32;
                let variance = total::<V>(values, values, Term::SquareFrom(mean)) / width as f32;
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
                let mean = total::<V>(gradient, gradient, Term::First) / width as f32;
                let slope = total::<V>(gradient, normalised, Term::Product) / width as f32;
                (mean, slope)
            };
            for (gradient, normalised) in gradient.iter_mut().zip(normalised) {
                *gradient = (*gradient - mean - normalised * slope) * deviation;
            }
        }
    }
}
