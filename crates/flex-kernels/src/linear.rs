//! A linear layer, with ReLU and dropout where asked for: forward and backward.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::product::Product;
use crate::simd::{Isa, LANES};

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
    /// `x/2 (1 + erf(x/sqrt 2))`.
    Gelu,
    /// GELU with the hyperbolic tangent in place of the error function.
    GeluTanh,
    /// `x / (1 + exp(-x))`.
    Silu,
}

/// Terms that are summed up in one part; the parts are then added in their order. A function of nothing, so that the sums
/// do not depend on the number of threads.
const DEPTH: usize = 512;

/// Input columns of the backward pass that are taken together.
const PANEL: usize = 96;

impl LinearShape {
    fn columns(&self) -> usize {
        self.outputs.next_multiple_of(LANES)
    }

    /// `[_, outputs]` with rows filled up to whole vectors.
    fn filled<'a>(&self, values: &'a [f32]) -> Cow<'a, [f32]> {
        if self.columns() == self.outputs {
            return Cow::Borrowed(values);
        }
        let mut filled = vec![0.0; values.len() / self.outputs * self.columns()];
        for (to, from) in filled.chunks_exact_mut(self.columns()).zip(values.chunks_exact(self.outputs)) {
            to[..self.outputs].copy_from_slice(from);
        }
        Cow::Owned(filled)
    }
}

/// Writes `activation(input * weights + bias) * scale` to `out` `[rows, outputs]`.
///
/// `input` is `[rows, inputs]`, `weights` are `[inputs, outputs]`, `bias` is `[outputs]`, `scale` is like `out`.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn forward(
    isa: Isa,
    shape: LinearShape,
    activation: Activation,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    scale: Option<&[f32]>,
    out: &mut [f32],
) {
    let LinearShape { rows, inputs, outputs } = shape;
    assert_eq!((input.len(), weights.len(), bias.len()), (rows * inputs, inputs * outputs, outputs));
    assert_eq!((out.len(), scale.map_or(rows * outputs, <[f32]>::len)), (rows * outputs, rows * outputs));
    let (columns, weights) = (shape.columns(), shape.filled(weights));
    let part = |first: usize| {
        let mut part = Buffer::zeros(rows * columns);
        isa.run(Product {
            rows,
            columns,
            depth: DEPTH.min(inputs - first),
            a: &input[first.min(input.len())..],
            a_steps: [inputs, 1],
            b: &weights[first * columns..],
            b_step: columns,
            c: &mut part,
            c_step: columns,
        });
        part
    };
    let parts: Vec<Buffer> = (0..inputs.div_ceil(DEPTH)).into_par_iter().map(|index| part(index * DEPTH)).collect();
    for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
        out.copy_from_slice(bias);
        for part in &parts {
            for (out, value) in out.iter_mut().zip(&part[row * columns..]) {
                *out += value;
            }
        }
        if activation == Activation::Relu {
            for out in out.iter_mut() {
                *out = if *out <= 0.0 { 0.0 } else { *out };
            }
        }
        if let Some(scale) = scale {
            for (out, scale) in out.iter_mut().zip(&scale[row * outputs..]) {
                *out *= scale;
            }
        }
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

/// The backward pass of [`forward`], which wrote `out`. The sums are the same for any number of threads.
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
    out: &[f32],
    gradients: LinearGradients<'_>,
) {
    let LinearShape { rows, inputs, outputs } = shape;
    let LinearGradients { output, input: d_input, weights: d_weights, bias: d_bias } = gradients;
    assert_eq!((input.len(), weights.len(), d_weights.len()), (rows * inputs, inputs * outputs, inputs * outputs));
    assert_eq!((out.len(), output.len(), d_bias.len()), (rows * outputs, rows * outputs, outputs));
    let columns = shape.columns();
    let mut active = Buffer::zeros(rows * columns);
    d_bias.fill(0.0);
    for (row, active) in active.chunks_exact_mut(columns).take(rows).enumerate() {
        for column in 0..outputs {
            let at = row * outputs + column;
            let silent = activation == Activation::Relu && out[at] <= 0.0;
            active[column] = if silent { 0.0 } else { output[at] * scale.map_or(1.0, |scale| scale[at]) };
            d_bias[column] += active[column];
        }
    }

    let panels = d_weights.par_chunks_mut((PANEL * outputs).max(1)).enumerate();
    panels.for_each_init(Buffer::default, |scratch, (panel, d_weights)| {
        let count = d_weights.len() / outputs;
        let direct = columns == outputs;
        if !direct {
            scratch.resize(count * columns);
        }
        isa.run(Product {
            rows: count,
            columns,
            depth: rows,
            a: &input[(panel * PANEL).min(input.len())..],
            a_steps: [1, inputs],
            b: &active,
            b_step: columns,
            c: if direct { d_weights } else { scratch },
            c_step: columns,
        });
        if !direct {
            for (to, from) in d_weights.chunks_exact_mut(outputs).zip(scratch.chunks_exact(columns)) {
                to.copy_from_slice(&from[..outputs]);
            }
        }
    });

    if let Some(d_input) = d_input {
        assert_eq!(d_input.len(), input.len());
        input_gradient(isa, shape, &active, weights, d_input);
    }
}

/// `d_input = active * transposed(weights)`, computed transposed, so that `weights` are read as they lie in memory.
fn input_gradient(isa: Isa, shape: LinearShape, active: &[f32], weights: &[f32], d_input: &mut [f32]) {
    let LinearShape { rows, inputs, outputs } = shape;
    let (columns, lanes) = (shape.columns(), rows.next_multiple_of(LANES));
    let mut transposed = Buffer::zeros(outputs * lanes);
    for (output, transposed) in transposed.chunks_exact_mut(lanes.max(1)).take(outputs).enumerate() {
        for (row, to) in transposed[..rows].iter_mut().enumerate() {
            *to = active[row * columns + output];
        }
    }
    let panels: Vec<Vec<&mut [f32]>> = by_panel(d_input, inputs);
    panels.into_par_iter().enumerate().for_each_init(Buffer::default, |scratch, (panel, mut to)| {
        let count = PANEL.min(inputs - panel * PANEL);
        scratch.resize(count * lanes);
        isa.run(Product {
            rows: count,
            columns: lanes,
            depth: outputs,
            a: &weights[(panel * PANEL * outputs).min(weights.len())..],
            a_steps: [outputs, 1],
            b: &transposed,
            b_step: lanes,
            c: scratch,
            c_step: lanes,
        });
        for (row, to) in to.iter_mut().enumerate() {
            for (to, from) in to.iter_mut().zip(scratch[row..].iter().step_by(lanes)) {
                *to = *from;
            }
        }
    });
}

/// The rows of `values` cut into panels: for each panel, its part of every row.
fn by_panel(values: &mut [f32], inputs: usize) -> Vec<Vec<&mut [f32]>> {
    let mut panels: Vec<Vec<&mut [f32]>> = (0..inputs.div_ceil(PANEL)).map(|_| Vec::new()).collect();
    for row in values.chunks_exact_mut(inputs.max(1)) {
        for (panel, part) in panels.iter_mut().zip(row.chunks_mut(PANEL)) {
            panel.push(part);
        }
    }
    panels
}
