//! A linear layer, with an activation and dropout where asked for: forward and backward.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::gemm::{Matrix, Packed, Start, are_few, few_rows, product};
use crate::math::{Activate, Chain};
use crate::simd::Isa;

/// The sizes of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearShape {
    /// Rows of the input: the batch.
    pub rows: usize,
    /// Values in an input row.
    pub inputs: usize,
    /// Values in an output row.
    pub outputs: usize,
}

/// What follows the linear map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// Zero in place of what is negative.
    Relu,
    /// ReLU, and 6 in place of what is more.
    Relu6,
    /// `x/2 (1 + erf(x/sqrt 2))`.
    Gelu,
    /// GELU with the hyperbolic tangent in place of the error function.
    GeluTanh,
    /// `x / (1 + exp(-x))`.
    Silu,
}

/// The weights of a linear layer.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// `[inputs, outputs]`
    Plain(&'a [f32]),
    /// Made ready for many rows.
    Packed(&'a PackedWeights),
}

/// Weights as the product of matrices reads them.
#[derive(Debug)]
pub struct PackedWeights(Packed);

impl PackedWeights {
    /// `weights` are `[inputs, outputs]`.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn new(isa: Isa, inputs: usize, outputs: usize, weights: &[f32]) -> Self {
        Self(Packed::new(isa, Matrix::new(weights, inputs, outputs)))
    }

    /// Whether they are of use for an input of so many rows; fewer are faster with the weights as they are.
    pub fn pay_for(rows: usize) -> bool {
        !are_few(rows)
    }
}

/// Writes `activation(input * weights + bias) * scale` to `out` `[rows, outputs]`.
///
/// `input` is `[rows, inputs]`, `bias` is `[outputs]`, `scale` is like `out`. The bits are the same for any weights and any
/// number of threads.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn forward(
    isa: Isa,
    shape: LinearShape,
    activation: Activation,
    input: &[f32],
    weights: Weights<'_>,
    bias: Option<&[f32]>,
    scale: Option<&[f32]>,
    out: &mut [f32],
) {
    let LinearShape { rows, inputs, outputs } = shape;
    assert_eq!(out.len(), rows * outputs);
    assert!(bias.is_none_or(|bias| bias.len() == outputs));
    let input = Matrix::new(input, rows, inputs);
    let start = bias.map_or(Start::Zero, Start::Bias);
    match weights {
        Weights::Packed(PackedWeights(weights)) => product(isa, input, weights, start, activation, out),
        Weights::Plain(weights) => {
            let weights = Matrix::new(weights, inputs, outputs);
            match are_few(rows) {
                true => few_rows(isa, input, weights, bias, activation, out),
                false => product(isa, input, &Packed::new(isa, weights), start, activation, out),
            }
        }
    }
    scaled(out, scale);
}

/// Writes `activation(input) * scale` to `out`, elementwise.
///
/// # Panics
/// When the lengths differ.
pub fn activate(isa: Isa, activation: Activation, input: &[f32], scale: Option<&[f32]>, out: &mut [f32]) {
    assert_eq!(input.len(), out.len());
    out.par_chunks_mut(CHUNK).zip(input.par_chunks(CHUNK)).for_each(|(values, input)| {
        values.copy_from_slice(input);
        isa.run(Activate { activation, values });
    });
    scaled(out, scale);
}

fn scaled(values: &mut [f32], scale: Option<&[f32]>) {
    let Some(scale) = scale else { return };
    assert_eq!(values.len(), scale.len());
    for (value, scale) in values.iter_mut().zip(scale) {
        *value *= scale;
    }
}

/// The gradient of the output of [`forward`], and what its backward pass fills.
#[derive(Debug)]
pub struct LinearGradients<'a> {
    /// Of the output, `[rows, outputs]`.
    pub output: &'a [f32],
    /// Of the input, `[rows, inputs]`, where it is wanted.
    pub input: Option<&'a mut [f32]>,
    /// Of the weights, `[inputs, outputs]`.
    pub weights: &'a mut [f32],
    /// Of the bias, `[outputs]`.
    pub bias: &'a mut [f32],
}

/// The backward pass of [`forward`]. The sums are the same for any number of threads.
///
/// `control` is what the activation was applied to; for ReLU its result serves as well, and without an activation nothing is
/// read from it.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward(
    isa: Isa,
    shape: LinearShape,
    activation: Activation,
    input: &[f32],
    weights: &[f32],
    scale: Option<&[f32]>,
    control: &[f32],
    gradients: LinearGradients<'_>,
) {
    let LinearGradients { output, input: d_input, weights: d_weights, bias: d_bias } = gradients;
    let active = backward_rows(isa, shape, activation, weights, scale, control, output, d_input);
    backward_weights(isa, shape.rows, input, &active, d_weights, d_bias);
}

/// The part of [`backward`] in which each row is for itself. Gives the gradient of what the activation is applied to, `[rows, outputs]`,
/// and writes that of the input to `d_input` where it is wanted.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward_rows<'a>(
    isa: Isa,
    shape: LinearShape,
    activation: Activation,
    weights: &[f32],
    scale: Option<&[f32]>,
    control: &[f32],
    output: &'a [f32],
    d_input: Option<&mut [f32]>,
) -> Cow<'a, [f32]> {
    let LinearShape { rows, inputs, outputs } = shape;
    assert_eq!(output.len(), rows * outputs);
    let active = before_activation(isa, activation, scale, control, output);
    if let Some(d_input) = d_input {
        let weights = Packed::new(isa, Matrix::new(weights, inputs, outputs).transposed());
        product(isa, Matrix::new(&active, rows, outputs), &weights, Start::Zero, Activation::Identity, d_input);
    }
    active
}

/// The part of [`backward`] that sums over the rows: `active` is what [`backward_rows`] gives. The bits of a row of the weights' gradient
/// do not depend on what other values the input has: for some columns of it the gradient of these rows of the weights comes out.
///
/// # Panics
/// When the lengths do not fit the rows and the bias.
pub fn backward_weights(
    isa: Isa,
    rows: usize,
    input: &[f32],
    active: &[f32],
    d_weights: &mut [f32],
    d_bias: &mut [f32],
) {
    let (inputs, outputs) = (input.len() / rows, d_bias.len());
    sum_rows(active, d_bias);
    let by_row = Packed::new(isa, Matrix::new(active, rows, outputs));
    let columns = Matrix::new(input, rows, inputs).transposed();
    product(isa, columns, &by_row, Start::Zero, Activation::Identity, d_weights);
}

/// Values of one task.
const CHUNK: usize = 1 << 14;

/// The gradient of what the activation is applied to.
pub(crate) fn before_activation<'a>(
    isa: Isa,
    activation: Activation,
    scale: Option<&[f32]>,
    control: &[f32],
    output: &'a [f32],
) -> Cow<'a, [f32]> {
    if activation == Activation::Identity && scale.is_none() {
        return Cow::Borrowed(output);
    }
    let mut active = output.to_vec();
    scaled(&mut active, scale);
    if activation != Activation::Identity {
        assert_eq!(control.len(), active.len());
        active.par_chunks_mut(CHUNK).zip(control.par_chunks(CHUNK)).for_each(|(gradient, control)| {
            isa.run(Chain { activation, control, gradient });
        });
    }
    Cow::Owned(active)
}

/// Columns that are summed up together.
const COLUMNS: usize = 64;

/// The sums over the rows, one row after another.
pub(crate) fn sum_rows(values: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(index, sums)| {
        sums.fill(0.0);
        for row in values.chunks_exact(width) {
            for (sum, value) in sums.iter_mut().zip(&row[index * COLUMNS..]) {
                *sum += value;
            }
        }
    });
}
