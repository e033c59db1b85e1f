//! Multi-head attention within sequences that lie one after another: forward and backward.
//!
//! Of the scores of a head there is never more than a block of rows at a time.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::dropout::Dropout;
use crate::gemm::{Matrix, Packed, Start, multiply, rows};
use crate::linear::Activation;
use crate::math::{Exponential, Term, each, total};
use crate::simd::{Isa, Kernel, LANES, Vector};

/// The sizes of an attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape<'a> {
    /// Tokens of each sequence, in their order.
    pub lengths: &'a [usize],
    /// Heads, side by side in a row.
    pub heads: usize,
    /// Values in a row: heads times the width of a head.
    pub width: usize,
}

/// Queries, keys and values, each `[tokens, width]`.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// What is asked.
    pub query: &'a [f32],
    /// What it is compared with.
    pub key: &'a [f32],
    /// What is mixed.
    pub value: &'a [f32],
}

/// Rows of scores that exist at a time.
const BLOCK: usize = 48;

/// A head of a sequence.
#[derive(Clone, Copy)]
struct Head {
    /// Its first token, its first column, its first score among all.
    token: usize,
    column: usize,
    position: usize,
    length: usize,
}

impl AttentionShape<'_> {
    /// Tokens of all sequences.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn head_width(&self) -> usize {
        self.width / self.heads
    }

    fn scale(&self) -> f32 {
        1.0 / (self.head_width() as f32).sqrt()
    }

    fn check(&self, operands: Operands<'_>) {
        assert!(self.heads > 0 && self.width.is_multiple_of(self.heads));
        let length = self.tokens() * self.width;
        let Operands { query, key, value } = operands;
        assert_eq!([query.len(), key.len(), value.len()], [length; 3]);
    }

    fn all_heads(&self) -> Vec<Head> {
        let (mut heads, mut token, mut position) = (Vec::new(), 0, 0);
        for &length in self.lengths {
            for head in 0..self.heads {
                heads.push(Head { token, column: head * self.head_width(), position, length });
                position += length * length;
            }
            token += length;
        }
        heads
    }

    /// A head's rows in `values` `[tokens, width]`.
    fn of<'v>(&self, head: Head, values: &'v [f32]) -> Matrix<'v> {
        let start = (head.token * self.width + head.column).min(values.len());
        Matrix { values: &values[start..], rows: head.length, columns: self.head_width(), steps: [self.width, 1] }
    }

    /// What is added to the scores of the keys of a head.
    fn bias<'b>(&self, head: Head, bias: Option<&'b [f32]>) -> &'b [f32] {
        bias.map_or(&[], |bias| &bias[head.token..][..head.length])
    }

    /// Copies what each head has, `[length, head width]`, to its place in `[tokens, width]`.
    fn gather(&self, heads: &[Head], parts: &[&[f32]], out: &mut [f32]) {
        let width = self.head_width();
        for (head, part) in heads.iter().zip(parts) {
            for (row, part) in part.chunks_exact(width).take(head.length).enumerate() {
                out[(head.token + row) * self.width + head.column..][..width].copy_from_slice(part);
            }
        }
    }
}

/// Writes `dropout(softmax(query key^T / sqrt(head width) + bias)) value` to `out` `[tokens, width]`.
///
/// `bias` `[tokens]` is for each key. The probabilities of sequence after sequence, `[head, length, length]`, are the positions
/// of `dropout`. Where `logarithms` is there, `[heads, tokens]` of each sequence after the other, it gets the logarithm of each
/// row's sum of exponentials, for the backward pass.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn forward(
    isa: Isa,
    shape: AttentionShape<'_>,
    operands: Operands<'_>,
    bias: Option<&[f32]>,
    dropout: Option<Dropout>,
    logarithms: Option<&mut [f32]>,
    out: &mut [f32],
) {
    shape.check(operands);
    assert!(out.len() == shape.tokens() * shape.width && bias.is_none_or(|bias| bias.len() == shape.tokens()));
    let heads = shape.all_heads();
    let contexts: Vec<(Buffer, Vec<f32>)> = heads
        .par_iter()
        .map_init(Buffer::default, |scores, &head| {
            let width = shape.head_width();
            let mut context = Buffer::zeros(head.length * width);
            let mut logarithms = vec![0.0; head.length];
            let keys = Packed::new(isa, shape.of(head, operands.key).transposed());
            let values = Packed::new(isa, shape.of(head, operands.value));
            for first in (0..head.length).step_by(BLOCK) {
                let count = BLOCK.min(head.length - first);
                scores.resize(count * head.length);
                let scores = &mut scores[..count * head.length];
                let query = shape.of(head, operands.query).from_row(first, count);
                let identity = Activation::Identity;
                multiply(isa, query, &keys, 0, Start::Zero, identity, &mut rows(scores, head.length));
                let logarithms = &mut logarithms[first..first + count];
                let bias = shape.bias(head, bias);
                isa.run(Softmax { scale: shape.scale(), bias, scores, logarithms });
                if let Some(dropout) = dropout {
                    silence(dropout, head.position + first * head.length, scores);
                }
                let scores = Matrix::new(scores, count, head.length);
                let context = &mut context[first * width..][..count * width];
                multiply(isa, scores, &values, 0, Start::Zero, identity, &mut rows(context, width));
            }
            (context, logarithms)
        })
        .collect();
    let parts: Vec<&[f32]> = contexts.iter().map(|(context, _)| &context[..]).collect();
    shape.gather(&heads, &parts, out);
    if let Some(to) = logarithms {
        let from = contexts.iter().flat_map(|(_, logarithms)| logarithms);
        assert_eq!(to.len(), shape.heads * shape.tokens());
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    }
}

/// The gradients of the operands, each `[tokens, width]`.
#[derive(Debug)]
pub struct AttentionGradients<'a> {
    /// Of the queries.
    pub query: &'a mut [f32],
    /// Of the keys.
    pub key: &'a mut [f32],
    /// Of the values.
    pub value: &'a mut [f32],
}

/// The backward pass of [`forward`], which wrote `out` and `logarithms`, without bias. `gradient` is that of `out`.
///
/// # Panics
/// When the lengths do not fit the shape.
pub fn backward(
    isa: Isa,
    shape: AttentionShape<'_>,
    operands: Operands<'_>,
    dropout: Option<Dropout>,
    logarithms: &[f32],
    out: &[f32],
    gradient: &[f32],
    gradients: AttentionGradients<'_>,
) {
    shape.check(operands);
    let length = shape.tokens() * shape.width;
    assert_eq!((out.len(), gradient.len(), logarithms.len()), (length, length, shape.heads * shape.tokens()));
    let heads = shape.all_heads();
    let mut first = 0;
    let tasks: Vec<(Head, &[f32])> = heads
        .iter()
        .map(|&head| {
            let logarithms = &logarithms[first..first + head.length];
            first += head.length;
            (head, logarithms)
        })
        .collect();
    let parts: Vec<[Buffer; 3]> = tasks
        .into_par_iter()
        .map_init(Scratch::default, |scratch, (head, logarithms)| {
            head_gradients(isa, shape, operands, dropout, head, logarithms, out, gradient, scratch)
        })
        .collect();
    for (index, to) in [gradients.query, gradients.key, gradients.value].into_iter().enumerate() {
        assert_eq!(to.len(), length);
        let parts: Vec<&[f32]> = parts.iter().map(|part| &part[index][..]).collect();
        shape.gather(&heads, &parts, to);
    }
}

#[derive(Default)]
struct Scratch {
    probabilities: Buffer,
    gradients: Buffer,
    factors: Vec<f32>,
}

fn head_gradients(
    isa: Isa,
    shape: AttentionShape<'_>,
    operands: Operands<'_>,
    dropout: Option<Dropout>,
    head: Head,
    logarithms: &[f32],
    out: &[f32],
    gradient: &[f32],
    scratch: &mut Scratch,
) -> [Buffer; 3] {
    let (width, length, identity) = (shape.head_width(), head.length, Activation::Identity);
    let [mut d_query, mut d_key, mut d_value] = [(); 3].map(|()| Buffer::zeros(length * width));
    let [query, key, value, out, gradient] =
        [operands.query, operands.key, operands.value, out, gradient].map(|values| shape.of(head, values));
    let keys = Packed::new(isa, key);
    let transposed_keys = Packed::new(isa, key.transposed());
    let transposed_values = Packed::new(isa, value.transposed());
    for first in (0..length).step_by(BLOCK) {
        let count = BLOCK.min(length - first);
        let size = count * length;
        scratch.probabilities.resize(size);
        scratch.gradients.resize(size);
        let probabilities = &mut scratch.probabilities[..size];
        let slopes = &mut scratch.gradients[..size];
        let [query, out, gradient] = [query, out, gradient].map(|matrix| matrix.from_row(first, count));
        multiply(isa, query, &transposed_keys, 0, Start::Zero, identity, &mut rows(probabilities, length));
        let logarithms = &logarithms[first..first + count];
        isa.run(Probabilities { scale: shape.scale(), scores: probabilities, logarithms });
        multiply(isa, gradient, &transposed_values, 0, Start::Zero, identity, &mut rows(slopes, length));
        if let Some(dropout) = dropout {
            scratch.factors.resize(size, 0.0);
            dropout.fill(head.position + first * length, &mut scratch.factors[..size]);
            for (slope, factor) in slopes.iter_mut().zip(&scratch.factors) {
                *slope *= factor;
            }
        }
        isa.run(ScoreGradients { scale: shape.scale(), probabilities, slopes, out, gradient });
        if dropout.is_some() {
            for (probability, factor) in probabilities.iter_mut().zip(&scratch.factors) {
                *probability *= factor;
            }
        }
        let slopes = Matrix::new(slopes, count, length);
        let probabilities = Matrix::new(probabilities, count, length);
        let d_query = &mut d_query[first * width..][..count * width];
        multiply(isa, slopes, &keys, 0, Start::Zero, identity, &mut rows(d_query, width));
        let queries = Packed::new(isa, query);
        let d_key = &mut rows(&mut d_key[..length * width], width);
        multiply(isa, slopes.transposed(), &queries, 0, Start::There, identity, d_key);
        let gradients = Packed::new(isa, gradient);
        let d_value = &mut rows(&mut d_value[..length * width], width);
        multiply(isa, probabilities.transposed(), &gradients, 0, Start::There, identity, d_value);
    }
    [d_query, d_key, d_value]
}

fn silence(dropout: Dropout, position: usize, values: &mut [f32]) {
    let mut factors = [0.0; 1024];
    for (index, values) in values.chunks_mut(1024).enumerate() {
        let factors = &mut factors[..values.len()];
        dropout.fill(position + index * 1024, factors);
        for (value, factor) in values.iter_mut().zip(factors) {
            *value *= *factor;
        }
    }
}

/// Turns scores into probabilities row by row.
struct Softmax<'a> {
    scale: f32,
    /// For each column, or empty.
    bias: &'a [f32],
    scores: &'a mut [f32],
    logarithms: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { scale, bias, scores, logarithms } = self;
        let length = scores.len() / logarithms.len();
        for (scores, logarithm) in scores.chunks_exact_mut(length).zip(logarithms) {
            if !bias.is_empty() {
                for (score, bias) in scores.iter_mut().zip(bias) {
                    *score = *score * scale + bias;
                }
            }
            let scale = if bias.is_empty() { scale } else { 1.0 };
            // SAFETY: the instructions are those of the caller.
            unsafe {
                let largest = largest::<V>(scores) * scale;
                each::<V>(scores, &Exponential { scale, offset: -largest });
                let sum = total::<V>(scores, scores, Term::First);
                *logarithm = largest + sum.ln();
                let factor = 1.0 / sum;
                for score in scores.iter_mut() {
                    *score *= factor;
                }
            }
        }
    }
}

/// # Safety
/// The machine has the instructions of `V`.
#[inline(always)]
unsafe fn largest<V: Vector>(values: &[f32]) -> f32 {
    let vectors = values.chunks_exact(LANES);
    let rest = vectors.remainder();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    // SAFETY: the caller's promise, and slices of 16 values.
    unsafe {
        let mut most = V::load(lanes.as_ptr());
        for values in vectors {
            most = most.max(V::load(values.as_ptr()));
        }
        most.store(lanes.as_mut_ptr());
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// Turns scores into the probabilities that they gave, by the logarithms of their sums.
struct Probabilities<'a> {
    scale: f32,
    scores: &'a mut [f32],
    logarithms: &'a [f32],
}

impl Kernel for Probabilities<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { scale, scores, logarithms } = self;
        let length = scores.len() / logarithms.len();
        for (scores, logarithm) in scores.chunks_exact_mut(length).zip(logarithms) {
            // SAFETY: the instructions are those of the caller.
            unsafe { each::<V>(scores, &Exponential { scale, offset: -logarithm }) };
        }
    }
}

/// Turns `slopes`, the gradients of the probabilities, into those of the scores before scaling.
struct ScoreGradients<'a> {
    scale: f32,
    probabilities: &'a [f32],
    slopes: &'a mut [f32],
    /// The rows of the output and of its gradient.
    out: Matrix<'a>,
    gradient: Matrix<'a>,
}

impl Kernel for ScoreGradients<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { scale, probabilities, slopes, out, gradient } = self;
        let length = slopes.len() / out.rows;
        let rows = slopes.chunks_exact_mut(length).zip(probabilities.chunks_exact(length));
        for (row, (slopes, probabilities)) in rows.enumerate() {
            let of = |matrix: Matrix<'_>| {
                let start = row * matrix.steps[0];
                start..start + matrix.columns
            };
            let (out, gradient) = (&out.values[of(out)], &gradient.values[of(gradient)]);
            // SAFETY: the instructions are those of the caller.
            let mean = unsafe { total::<V>(out, gradient, Term::Product) };
            for (slope, probability) in slopes.iter_mut().zip(probabilities) {
                *slope = (*slope - mean) * probability * scale;
            }
        }
    }
}
