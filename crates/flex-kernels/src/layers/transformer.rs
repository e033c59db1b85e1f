//! The layers of a transformer, over tokens whose sequences lie one after another, without padding.

use burn::nn::{Embedding, LayerNorm};
use burn::tensor::activation::softmax;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Int, Tensor, TensorData};

use crate::dropout::Dropout;
use crate::operations;

/// `norm(input)` over the last axis. `epsilon` is the one that `norm` was made with, which Burn keeps to itself.
pub fn layer_norm<const D: usize>(norm: &LayerNorm, epsilon: f64, input: Tensor<D>) -> Tensor<D> {
    operations::residual_norm(norm, epsilon, &input, None, None).unwrap_or_else(|| norm.forward(input))
}

/// `norm(dropout(input) + residual)` over the last axis.
pub fn residual_norm<const D: usize>(
    norm: &LayerNorm,
    epsilon: f64,
    input: Tensor<D>,
    residual: Tensor<D>,
    dropout: Option<Dropout>,
) -> Tensor<D> {
    operations::residual_norm(norm, epsilon, &input, Some(&residual), dropout)
        .unwrap_or_else(|| norm.forward(silenced(input, dropout) + residual))
}

/// `dropout(norm(words[ids] + types[type_ids] + positions[position_ids]))`, `[tokens, width]`, for ids of `[tokens]`.
pub fn embeddings(
    [words, types, positions]: [&Embedding; 3],
    [ids, type_ids, position_ids]: [Tensor<1, Int>; 3],
    norm: &LayerNorm,
    epsilon: f64,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let rows = |table: &Embedding, ids: Tensor<1, Int>| table.weight.val().select(0, ids);
    let sum = rows(words, ids) + rows(types, type_ids) + rows(positions, position_ids);
    silenced(layer_norm(norm, epsilon, sum), dropout)
}

/// Multi-head attention within each sequence: `dropout(softmax(query key^T / sqrt(head width))) value`, heads side by side.
///
/// All are `[tokens, width]`; the tokens of the first of `lengths` sequences come first. The probabilities of sequence
/// after sequence, `[head, length, length]`, are the positions of `dropout`.
///
/// # Panics
/// When the lengths do not add up to the tokens, or `heads` do not divide the width.
pub fn packed_attention(
    [query, key, value]: [Tensor<2>; 3],
    lengths: &[usize],
    heads: usize,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let [tokens, width] = query.dims();
    assert!(lengths.iter().sum::<usize>() == tokens && width.is_multiple_of(heads));
    if let Some(out) = operations::packed_attention([&query, &key, &value], lengths, heads, dropout) {
        return out;
    }
    let head_width = width / heads;
    let (mut contexts, mut first, mut position) = (Vec::with_capacity(lengths.len()), 0, 0);
    for &length in lengths.iter().filter(|&&length| length > 0) {
        let split =
            |x: &Tensor<2>| x.clone().narrow(0, first, length).reshape([length, heads, head_width]).swap_dims(0, 1);
        let scores = split(&query).matmul(split(&key).swap_dims(1, 2)) / (head_width as f64).sqrt();
        let mut probabilities = softmax(scores, 2);
        let count = heads * length * length;
        if let Some(dropout) = dropout {
            let mut factors = vec![0.0; count];
            dropout.fill(position, &mut factors);
            let factors = TensorData::new(factors, [heads, length, length]);
            probabilities = probabilities.clone() * Tensor::from_data(factors, &probabilities.device());
        }
        let context: Tensor<3> = probabilities.matmul(split(&value));
        contexts.push(context.swap_dims(0, 1).reshape([length, width]));
        (first, position) = (first + length, position + count);
    }
    Tensor::cat(contexts, 0)
}

/// Multi-head attention `softmax(query key^T / sqrt(head width) + bias) value`, heads side by side.
///
/// All are `[batch, sequence, width]`; `bias` `[batch, 1, 1, sequence]` is added to the scores.
///
/// # Panics
/// When `heads` do not divide the width.
pub fn attention([query, key, value]: [Tensor<3>; 3], heads: usize, bias: Option<Tensor<4>>) -> Tensor<3> {
    let fused = operations::attention([&query, &key, &value], heads, bias.as_ref());
    fused.unwrap_or_else(|| {
        let [batch, sequence, width] = query.dims();
        let split = |x: Tensor<3>| x.reshape([batch, sequence, heads, width / heads]).swap_dims(1, 2);
        let [query, key, value] = [query, key, value].map(split);
        let options = AttentionModuleOptions::default();
        let context = burn::tensor::module::attention(query, key, value, None, bias, options);
        context.swap_dims(1, 2).reshape([batch, sequence, width])
    })
}

/// `input * factors` of dropout.
fn silenced<const D: usize>(input: Tensor<D>, dropout: Option<Dropout>) -> Tensor<D> {
    let Some(dropout) = dropout else { return input };
    let shape = input.shape();
    let factors = TensorData::new(dropout.factors(shape.num_elements()), shape);
    let factors = Tensor::from_data(factors, &input.device());
    input * factors
}
