//! The same bits for any number of threads.

use flex_kernels::convolution::{
    ConvShape, Pooled, PooledGradients, UnpooledGradients, backward, backward_pooled, forward, forward_pooled,
};
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
    let forward = vec![wide, pooled, out];
    let backward = vec![d_pooled, d_layer_weights, d_layer_bias, d_images, d_weights, d_bias];
    [forward, backward, vec![narrow_weights, narrow_bias]].concat()
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
