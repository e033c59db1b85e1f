//! The layers of transformers against Burn's own operations, recorded and not, and on every instruction set.

use burn::module::Param;
use burn::nn::{EmbeddingConfig, LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use flex_kernels::attention::{AttentionGradients, AttentionShape, Operands};
use flex_kernels::layers::{self, Dropout};
use flex_kernels::norm::Norm;
use flex_kernels::{attention, norm, operations};
use proptest::prelude::*;

use crate::support::{Numbers, assert_close, cases, double, on_every_instruction_set};

/// Burn's operations round in float32 as well, in another order.
const TOLERANCE: f64 = 2e-5;

fn tensor<const D: usize>(numbers: &mut Numbers, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers.vector(shape.iter().product()), shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

fn layer_norm(numbers: &mut Numbers, width: usize, epsilon: f64, device: &Device) -> LayerNorm {
    let mut norm = LayerNormConfig::new(width).with_epsilon(epsilon).init(device);
    norm.gamma = Param::from_tensor(tensor(numbers, [width], device));
    norm.beta = Some(Param::from_tensor(tensor(numbers, [width], device)));
    norm
}

/// `output`, and the gradients of `parameters` for the cotangent.
fn with_gradients<const D: usize>(output: Tensor<D>, cotangent: &Tensor<D>, parameters: &[Tensor<D>]) -> Vec<Vec<f32>> {
    let gradients = (output.clone() * cotangent.clone()).sum().backward();
    let mut all = vec![values(output)];
    all.extend(parameters.iter().map(|parameter| values(parameter.grad(&gradients).unwrap())));
    all
}

fn compare(found: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_close(found, &double(expected), TOLERANCE, &format!("result {index}"));
    }
}

/// Burn's composition, dropout from the same factors.
fn composed_norm(
    norm: &LayerNorm,
    input: Tensor<2>,
    residual: Option<Tensor<2>>,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let [rows, width] = input.dims();
    let input = match dropout {
        Some(dropout) => {
            let factors = TensorData::new(dropout.factors(rows * width), [rows, width]);
            input.clone() * Tensor::from_data(factors, &input.device())
        }
        None => input,
    };
    norm.forward(match residual {
        Some(residual) => input + residual,
        None => input,
    })
}

fn composed_attention(
    [query, key, value]: [Tensor<2>; 3],
    lengths: &[usize],
    heads: usize,
    dropout: Option<Dropout>,
) -> Tensor<2> {
    let ([_, width], device) = (query.dims(), query.device());
    let head_width = width / heads;
    let (mut first, mut position, mut rows) = (0, 0, Vec::new());
    for &length in lengths {
        let mut columns = Vec::new();
        for head in 0..heads {
            let part = |x: &Tensor<2>| x.clone().narrow(0, first, length).narrow(1, head * head_width, head_width);
            let scores = part(&query).matmul(part(&key).transpose()) / (head_width as f64).sqrt();
            let mut probabilities = burn::tensor::activation::softmax(scores, 1);
            if let Some(dropout) = dropout {
                let mut factors = vec![0.0; length * length];
                dropout.fill(position, &mut factors);
                probabilities = probabilities * Tensor::from_data(TensorData::new(factors, [length, length]), &device);
            }
            columns.push(probabilities.matmul(part(&value)));
            position += length * length;
        }
        rows.push(Tensor::cat(columns, 1));
        first += length;
    }
    Tensor::cat(rows, 0)
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn norms(
        rows in 1..=70_usize, width in 1..=70_usize, residual in any::<bool>(), rate in prop_oneof![Just(None), Just(Some(0.3))],
        seed in any::<u64>(),
    ) {
        let epsilon = 1e-5;
        let dropout = rate.map(|rate| Dropout::new(rate, seed));
        for device in [Device::flex(), Device::flex().autodiff()] {
            let mut numbers = Numbers::new(seed);
            let norm = layer_norm(&mut numbers, width, epsilon, &device);
            let [input, other] = [(); 2].map(|()| tensor(&mut numbers, [rows, width], &device));
            let cotangent: Tensor<2> = tensor(&mut numbers, [rows, width], &device);
            let residual = residual.then_some(other);
            if device == Device::flex() {
                let found = operations::residual_norm(&norm, epsilon, &input, residual.as_ref(), dropout).unwrap();
                let expected = composed_norm(&norm, input, residual, dropout);
                compare(&[values(found)], &[values(expected)]);
                continue;
            }
            let input = input.require_grad();
            let residual = residual.map(Tensor::require_grad);
            let results = |output: Tensor<2>| {
                let gradients = (output.clone() * cotangent.clone()).sum().backward();
                let mut all = vec![values(output), values(input.grad(&gradients).unwrap())];
                all.push(values(norm.gamma.val().grad(&gradients).unwrap()));
                all.push(values(norm.beta.as_ref().unwrap().val().grad(&gradients).unwrap()));
                all.extend(residual.iter().map(|residual| values(residual.grad(&gradients).unwrap())));
                all
            };
            let found = operations::residual_norm(&norm, epsilon, &input, residual.as_ref(), dropout).unwrap();
            let expected = composed_norm(&norm, input.clone(), residual.clone(), dropout);
            // Two or three values a row have next to no variance at times, and then rounding decides.
            prop_assume!(width > 4);
            compare(&results(found), &results(expected));
        }
    }

    #[test]
    fn packed_attentions(
        lengths in prop::collection::vec(1..=60_usize, 1..=3), heads in 1..=3_usize, head_width in 1..=20_usize,
        rate in prop_oneof![Just(None), Just(Some(0.3))], seed in any::<u64>(),
    ) {
        let dropout = rate.map(|rate| Dropout::new(rate, seed));
        let shape = [lengths.iter().sum(), heads * head_width];
        for device in [Device::flex(), Device::flex().autodiff()] {
            let mut numbers = Numbers::new(seed);
            let operands = [(); 3].map(|()| tensor(&mut numbers, shape, &device) * 3.0);
            let cotangent: Tensor<2> = tensor(&mut numbers, shape, &device);
            if device == Device::flex() {
                let found = operations::packed_attention(operands.each_ref(), &lengths, heads, dropout).unwrap();
                let expected = composed_attention(operands, &lengths, heads, dropout);
                compare(&[values(found)], &[values(expected)]);
                continue;
            }
            let operands = operands.map(Tensor::require_grad);
            let found = operations::packed_attention(operands.each_ref(), &lengths, heads, dropout).unwrap();
            let expected = composed_attention(operands.clone(), &lengths, heads, dropout);
            compare(
                &with_gradients(found, &cotangent, &operands),
                &with_gradients(expected, &cotangent, &operands),
            );
        }
    }

    #[test]
    fn attentions_with_padding(
        batch in 1..=3_usize, sequence in 1..=70_usize, heads in 1..=3_usize, head_width in 1..=20_usize, seed in any::<u64>(),
    ) {
        let device = Device::flex();
        let mut numbers = Numbers::new(seed);
        let operands = [(); 3].map(|()| tensor(&mut numbers, [batch, sequence, heads * head_width], &device));
        let padded: Vec<f32> =
            (0..batch * sequence).map(|_| if numbers.below(3) == 0 { f32::MIN } else { 0.0 }).collect();
        let bias = Tensor::from_data(TensorData::new(padded, [batch, 1, 1, sequence]), &device);
        let found = operations::attention(operands.each_ref(), heads, Some(&bias)).unwrap();
        let split = |x: &Tensor<3>| x.clone().reshape([batch, sequence, heads, head_width]).swap_dims(1, 2);
        let [query, key, value] = operands.each_ref().map(split);
        let scores = query.matmul(key.swap_dims(2, 3)) / (head_width as f64).sqrt() + bias;
        let context = burn::tensor::activation::softmax(scores, 3).matmul(value);
        let expected: Tensor<3> = context.swap_dims(1, 2).reshape([batch, sequence, heads * head_width]);
        compare(&[values(found)], &[values(expected)]);
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let lengths = if cfg!(miri) { vec![3, 1] } else { vec![61, 7, 100] };
    let (heads, width) = (2, 36);
    let shape = AttentionShape { lengths: &lengths, heads, width };
    let tokens = shape.tokens();
    let mut numbers = Numbers::new(5);
    let [query, key, value, cotangent] = [(); 4].map(|()| numbers.vector(tokens * width));
    let (gamma, beta) = (numbers.vector(width), numbers.vector(width));
    let dropout = Some(Dropout::new(0.1, 9));
    on_every_instruction_set(|isa| {
        let operands = Operands { query: &query, key: &key, value: &value };
        let (mut out, mut logarithms) = (vec![0.0; tokens * width], vec![0.0; heads * tokens]);
        attention::forward(isa, shape, operands, None, dropout, Some(&mut logarithms), &mut out);
        let [mut d_query, mut d_key, mut d_value] = [(); 3].map(|()| vec![0.0; tokens * width]);
        let gradients = AttentionGradients { query: &mut d_query, key: &mut d_key, value: &mut d_value };
        attention::backward(isa, shape, operands, dropout, &logarithms, &out, &cotangent, gradients);
        let mut normalised = query.clone();
        let (mut deviations, mut normed) = (vec![0.0; tokens], vec![0.0; tokens * width]);
        let parameters = Norm { gamma: &gamma, beta: &beta, epsilon: 1e-12 };
        norm::forward(isa, parameters, &mut normalised, &mut deviations, &mut normed);
        let (mut gradient, mut d_gamma, mut d_beta) = (cotangent.clone(), vec![0.0; width], vec![0.0; width]);
        norm::backward(isa, &gamma, &normalised, &deviations, &mut gradient, &mut d_gamma, &mut d_beta);
        vec![out, logarithms, d_query, d_key, d_value, normed, gradient, d_gamma, d_beta]
    });
}

#[test]
fn embeddings_are_those_of_burn_on_every_device() {
    let widths = 24;
    for device in [Device::flex(), Device::flex().autodiff()] {
        let mut numbers = Numbers::new(3);
        let tables = [(50, 0), (2, 1), (16, 2)].map(|(count, _)| {
            let mut table = EmbeddingConfig::new(count, widths).init(&device);
            table.weight = Param::from_tensor(tensor(&mut numbers, [count, widths], &device));
            table
        });
        let norm = layer_norm(&mut numbers, widths, 1e-12, &device);
        let ids = |values: [i32; 5]| Tensor::<1, Int>::from_data(values, &device);
        let ids = [ids([3, 49, 3, 0, 7]), ids([0, 0, 1, 1, 0]), ids([0, 1, 2, 15, 0])];
        let dropout = Some(Dropout::new(0.2, 1));
        let found = layers::embeddings(tables.each_ref(), ids.clone(), &norm, 1e-12, dropout);
        let rows = |index: usize| tables[index].weight.val().select(0, ids[index].clone());
        let sum = norm.forward(rows(0) + rows(1) + rows(2));
        let factors = TensorData::new(dropout.unwrap().factors(5 * widths), [5, widths]);
        let expected = sum * Tensor::from_data(factors, &device);
        compare(&[values(found)], &[values(expected)]);
    }
}
