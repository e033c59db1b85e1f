//! The same bits for any number of threads.

use flex_kernels::attention::{self, AttentionGradients, AttentionShape, Operands};
use flex_kernels::convolution::{
    ConvShape, GeneralGradients, GeneralShape, Pooled, PooledGradients, UnpooledGradients, WindowShape, backward,
    backward_general, backward_pooled, forward, forward_pooled,
};
use flex_kernels::dropout::Dropout;
use flex_kernels::linear::{self, Activation, LinearGradients, LinearShape};
use flex_kernels::simd::Isa;

use crate::support::{Numbers, assert_same_bits};

const COUNT: usize = 37;
const SHAPE: ConvShape =
    ConvShape { inputs: 5, outputs: 18, size: [12, 12], kernel: [3, 3], stride: [1, 1], padding: [1, 1] };
const LAYER: LinearShape = LinearShape { rows: COUNT, inputs: 18 * 36, outputs: 20 };

/// Everything that the kernels compute for a small network.
fn everything() -> Vec<Vec<f32>> {
    let isa = Isa::best();
    let mut numbers = Numbers::new(3);
    let [images, weights, bias, scale] =
        [COUNT * SHAPE.image_len(), SHAPE.weights_len(), SHAPE.outputs, COUNT * SHAPE.outputs]
            .map(|length| numbers.vector(length));
    let [layer_weights, layer_bias, cotangent, wide_cotangent] =
        [LAYER.inputs * LAYER.outputs, LAYER.outputs, COUNT * LAYER.outputs, COUNT * SHAPE.output_len()]
            .map(|length| numbers.vector(length));

    let mut wide = vec![0.0; COUNT * SHAPE.output_len()];
    forward(isa, &SHAPE, &images, &weights, &bias, &mut wide);
    let (mut narrow_weights, mut narrow_bias) = (vec![0.0; weights.len()], vec![0.0; bias.len()]);
    let gradients = UnpooledGradients {
        output: &wide_cotangent,
        images: None,
        weights: &mut narrow_weights,
        bias: &mut narrow_bias,
    };
    backward(isa, &SHAPE, &images, &weights, &wide, gradients);

    let (mut pooled, mut winners) = (vec![0.0; COUNT * LAYER.inputs], vec![0; COUNT * LAYER.inputs]);
    let to = Pooled { out: &mut pooled, winners: Some(&mut winners) };
    forward_pooled(isa, &SHAPE, 2, &images, &weights, &bias, Some(&scale), to);
    let mut out = vec![0.0; COUNT * LAYER.outputs];
    let plain = linear::Weights::Plain(&layer_weights);
    linear::forward(isa, LAYER, Activation::Relu, &pooled, plain, Some(&layer_bias), None, &mut out);

    let mut d_pooled = vec![0.0; pooled.len()];
    let (mut d_layer_weights, mut d_layer_bias) = (vec![0.0; layer_weights.len()], vec![0.0; layer_bias.len()]);
    let gradients = LinearGradients {
        output: &cotangent,
        input: Some(&mut d_pooled),
        weights: &mut d_layer_weights,
        bias: &mut d_layer_bias,
    };
    linear::backward(isa, LAYER, Activation::Relu, &pooled, &layer_weights, None, &out, gradients);
    let mut d_images = vec![0.0; images.len()];
    let (mut d_weights, mut d_bias) = (vec![0.0; weights.len()], vec![0.0; bias.len()]);
    let gradients = PooledGradients {
        output: &d_pooled,
        winners: &winners,
        scale: Some(&scale),
        images: Some(&mut d_images),
        weights: &mut d_weights,
        bias: &mut d_bias,
    };
    backward_pooled(isa, &SHAPE, 2, &images, &weights, gradients);
    let (attended, attention_gradients) = attend(isa, &mut numbers);
    let general = [1, SHAPE.inputs].map(|groups| general_gradients(isa, groups, &mut numbers)).concat();
    let forward = vec![wide, pooled, out, attended];
    let backward = vec![d_pooled, d_layer_weights, d_layer_bias, d_images, d_weights, d_bias];
    [forward, backward, vec![narrow_weights, narrow_bias], attention_gradients, general].concat()
}

/// The output of an attention over three sequences, and the gradients of its operands.
fn attend(isa: Isa, numbers: &mut Numbers) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (lengths, heads, width) = ([50, 3, 120], 3, 48);
    let shape = AttentionShape { lengths: &lengths, heads, width };
    let [query, key, value, cotangent] = [(); 4].map(|()| numbers.vector(shape.tokens() * width));
    let operands = Operands { query: &query, key: &key, value: &value };
    let dropout = Some(Dropout::new(0.1, 1));
    let (mut out, mut logarithms) = (vec![0.0; query.len()], vec![0.0; heads * shape.tokens()]);
    attention::forward(isa, shape, operands, None, dropout, Some(&mut logarithms), &mut out);
    let [mut query, mut key, mut value] = [(); 3].map(|()| vec![0.0; out.len()]);
    let gradients = AttentionGradients { query: &mut query, key: &mut key, value: &mut value };
    attention::backward(isa, shape, operands, dropout, &logarithms, &out, &cotangent, gradients);
    (out, vec![query, key, value])
}

/// The gradients of a convolution with so many groups.
fn general_gradients(isa: Isa, groups: usize, numbers: &mut Numbers) -> Vec<Vec<f32>> {
    let ConvShape { inputs, size, kernel, .. } = SHAPE;
    let windows = WindowShape { size, kernel, stride: [2, 1], dilation: [1, 2], padding: [1, 2, 0, 1] };
    let shape = GeneralShape { windows, inputs, outputs: inputs, groups };
    let [height, width] = windows.output_size();
    let [images, weights, output] =
        [COUNT * SHAPE.image_len(), inputs * inputs / groups * kernel[0] * kernel[1], COUNT * height * width * inputs]
            .map(|length| numbers.vector(length));
    let [mut d_images, mut d_weights, mut d_bias] =
        [images.len(), weights.len(), inputs].map(|length| vec![0.0; length]);
    let gradients =
        GeneralGradients { output: &output, images: Some(&mut d_images), weights: &mut d_weights, bias: &mut d_bias };
    backward_general(isa, &shape, &images, &weights, gradients);
    vec![d_images, d_weights, d_bias]
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(everything)
    };
    let expected = with(1);
    assert!(expected.iter().all(|values| values.iter().any(|&value| value != 0.0)));
    for threads in [2, 3, 4] {
        assert_same_bits(&with(threads), &expected, &format!("{threads} threads"));
    }
}
